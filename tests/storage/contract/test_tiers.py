"""Contract: archived bytes cannot be read until they are restored, and then for some days."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from softfactory.errors import Conflict, ObjectArchived, ObjectNotFound
from softfactory.storage.base import Storage, StorageClass
from softfactory.storage.keys import Key
from tests.storage.backends import ARCHIVE, DISK, VERSIONS, Backend
from tests.storage.samples import WHOLE_PART, names, read, send, store

pytestmark = pytest.mark.needs(ARCHIVE)

KEY = Key("alice/archive.zip")
OTHER = Key("alice/other.zip")


def archive(storage: Storage) -> None:
    """Put an object straight into the archive."""
    storage.put(
        KEY,
        [b"content"],
        content_type="application/zip",
        metadata={"owner": "alice"},
        storage_class=StorageClass.GLACIER,
    )


def archive_and_restore(backend: Backend) -> None:
    """Put an object into the archive and bring it back."""
    archive(backend.storage)
    backend.storage.restore(KEY, days=2)
    backend.finish_restoration(KEY)


def test_an_object_can_be_put_into_the_archive(storage: Storage) -> None:
    archive(storage)

    head = storage.head(KEY)
    assert head.storage_class == StorageClass.GLACIER
    assert head.is_archived
    assert head.restoration is None
    assert (head.size, head.content_type) == (7, "application/zip")
    assert head.metadata == {"owner": "alice"}


def test_an_upload_in_parts_can_go_into_the_archive(storage: Storage) -> None:
    upload_id = storage.create_multipart(KEY, storage_class=StorageClass.GLACIER)
    parts = [send(storage, KEY, upload_id, 1, WHOLE_PART)]

    info = storage.complete_multipart(KEY, upload_id, parts)

    assert info.storage_class == StorageClass.GLACIER
    assert storage.head(KEY).is_archived


def test_a_list_tells_the_class(storage: Storage) -> None:
    archive(storage)
    store(storage, OTHER)

    classes = [summary.storage_class for summary in storage.list_objects().objects]

    assert classes == [StorageClass.GLACIER, StorageClass.STANDARD]


@pytest.mark.parametrize(
    "reach",
    [
        pytest.param(lambda s: s.open(KEY), id="open"),
        pytest.param(lambda s: s.copy(KEY, OTHER), id="copy"),
        pytest.param(lambda s: s.rename(KEY, OTHER), id="rename"),
        pytest.param(lambda s: s.set_storage_class(KEY, StorageClass.STANDARD), id="standard"),
    ],
)
@pytest.mark.parametrize("asked_back", [False, True])
def test_archived_bytes_are_out_of_reach(
    storage: Storage, reach: Callable[[Storage], object], asked_back: bool
) -> None:
    archive(storage)
    if asked_back:
        storage.restore(KEY, days=2)

    with pytest.raises(ObjectArchived):
        reach(storage)

    assert names(storage) == [KEY]
    assert storage.head(KEY).content_type == "application/zip"


def test_an_archived_object_can_be_deleted(storage: Storage) -> None:
    archive(storage)

    storage.delete(KEY)

    assert names(storage) == []


def test_an_archived_object_can_be_replaced(storage: Storage) -> None:
    archive(storage)

    store(storage, KEY, b"new")

    assert read(storage, KEY) == b"new"
    assert storage.head(KEY).storage_class == StorageClass.STANDARD


def test_a_restoration_is_ongoing_once_asked_for(storage: Storage) -> None:
    archive(storage)

    restoration = storage.restore(KEY, days=2)

    head = storage.head(KEY)
    assert restoration.ongoing
    assert restoration.expires_at is None
    assert head.restoration == restoration
    assert head.is_archived


def test_asking_again_while_a_restoration_runs_is_no_error(storage: Storage) -> None:
    archive(storage)
    storage.restore(KEY, days=2)

    again = storage.restore(KEY, days=2)

    assert again.ongoing


def test_asking_again_does_not_start_the_wait_anew(backend: Backend) -> None:
    archive(backend.storage)
    begun = backend.clock()
    backend.storage.restore(KEY, days=2)
    backend.pass_a_moment()
    backend.storage.restore(KEY, days=2)
    backend.finish_restoration(KEY, waited=backend.clock() - begun)

    assert read(backend.storage, KEY) == b"content"


def test_restored_bytes_can_be_read(backend: Backend) -> None:
    archive_and_restore(backend)

    head = backend.storage.head(KEY)
    assert read(backend.storage, KEY) == b"content"
    assert head.storage_class == StorageClass.GLACIER
    assert not head.is_archived


def test_a_restored_copy_tells_until_when_it_can_be_read(backend: Backend) -> None:
    archive_and_restore(backend)

    restoration = backend.storage.head(KEY).restoration

    assert restoration is not None
    assert not restoration.ongoing
    assert restoration.expires_at is not None
    assert restoration.expires_at.utcoffset() == timedelta(0)
    left = restoration.expires_at - backend.clock()
    assert timedelta(days=1) < left < timedelta(days=4)  # S3 rounds up to the next midnight


def test_asking_again_once_restored_is_no_error(backend: Backend) -> None:
    archive_and_restore(backend)

    again = backend.storage.restore(KEY, days=2)

    assert not again.ongoing
    assert read(backend.storage, KEY) == b"content"


def test_a_restored_copy_is_archived_again_after_its_days(backend: Backend) -> None:
    archive_and_restore(backend)

    backend.let_restoration_expire(KEY)

    assert backend.storage.head(KEY).is_archived
    with pytest.raises(ObjectArchived), backend.storage.open(KEY):
        pass


def test_a_restored_copy_that_expired_can_be_asked_back_again(backend: Backend) -> None:
    archive_and_restore(backend)
    backend.let_restoration_expire(KEY)

    restoration = backend.storage.restore(KEY, days=2)
    backend.finish_restoration(KEY)

    assert restoration.ongoing
    assert read(backend.storage, KEY) == b"content"


def test_restoring_what_is_not_there_raises(storage: Storage) -> None:
    with pytest.raises(ObjectNotFound):
        storage.restore(KEY, days=2)


def test_restoring_a_standard_object_is_a_conflict(storage: Storage) -> None:
    store(storage, KEY)

    with pytest.raises(Conflict):
        storage.restore(KEY, days=2)

    assert storage.head(KEY).restoration is None


@pytest.mark.needs(VERSIONS, DISK)  # moto restores the newest version, whichever is asked for
def test_an_older_version_can_be_restored(backend: Backend) -> None:
    storage = backend.storage
    archive(storage)
    old = storage.head(KEY).version_id
    store(storage, KEY, b"new")

    storage.restore(KEY, version_id=old, days=2)
    backend.finish_restoration(KEY)

    assert read(storage, KEY, version_id=old) == b"content"
    assert storage.head(KEY).restoration is None


def test_restoring_a_version_that_never_was_raises(storage: Storage) -> None:
    archive(storage)

    with pytest.raises(ObjectNotFound):
        storage.restore(KEY, version_id="nope", days=2)


def test_an_object_can_be_moved_into_the_archive(storage: Storage) -> None:
    storage.put(KEY, [b"content"], content_type="text/plain", metadata={"owner": "alice"})

    info = storage.set_storage_class(KEY, StorageClass.GLACIER)

    head = storage.head(KEY)
    assert info.storage_class == head.storage_class == StorageClass.GLACIER
    assert head.is_archived
    assert (head.size, head.content_type, head.metadata) == (7, "text/plain", {"owner": "alice"})


def test_a_restored_object_can_be_moved_out_of_the_archive(backend: Backend) -> None:
    archive_and_restore(backend)

    info = backend.storage.set_storage_class(KEY, StorageClass.STANDARD)

    head = backend.storage.head(KEY)
    assert info.storage_class == head.storage_class == StorageClass.STANDARD
    assert not head.is_archived
    assert head.restoration is None
    assert (head.content_type, head.metadata) == ("application/zip", {"owner": "alice"})
    assert read(backend.storage, KEY) == b"content"


def test_an_object_moved_out_of_the_archive_stays_out(backend: Backend) -> None:
    archive_and_restore(backend)
    backend.storage.set_storage_class(KEY, StorageClass.STANDARD)

    backend.let_restoration_expire(KEY)

    assert read(backend.storage, KEY) == b"content"


def test_an_object_moved_back_into_the_archive_is_not_restored(backend: Backend) -> None:
    archive_and_restore(backend)
    backend.storage.set_storage_class(KEY, StorageClass.STANDARD)

    backend.storage.set_storage_class(KEY, StorageClass.GLACIER)

    assert backend.storage.head(KEY).is_archived


def test_an_object_can_be_moved_to_the_class_it_has(storage: Storage) -> None:
    store(storage, KEY)

    info = storage.set_storage_class(KEY, StorageClass.STANDARD)

    assert info.storage_class == StorageClass.STANDARD
    assert read(storage, KEY) == b"content"


def test_moving_what_is_not_there_raises(storage: Storage) -> None:
    with pytest.raises(ObjectNotFound):
        storage.set_storage_class(KEY, StorageClass.GLACIER)


@pytest.mark.parametrize("verb", ["copy", "rename"])
def test_a_restored_object_can_be_copied_and_keeps_its_class(backend: Backend, verb: str) -> None:
    archive_and_restore(backend)

    info = getattr(backend.storage, verb)(KEY, OTHER)

    assert info.storage_class == StorageClass.GLACIER
    assert backend.storage.head(OTHER).storage_class == StorageClass.GLACIER
    assert backend.storage.head(OTHER).metadata == {"owner": "alice"}


def test_a_copy_of_a_restored_object_can_have_another_type(backend: Backend) -> None:
    archive_and_restore(backend)

    backend.storage.copy(KEY, OTHER, content_type="text/plain")

    head = backend.storage.head(OTHER)
    assert (head.content_type, head.storage_class) == ("text/plain", StorageClass.GLACIER)
