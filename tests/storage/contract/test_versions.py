"""Contract: versions are kept, listed newest first, and can be read and deleted one by one."""

import pytest

from softfactory.errors import ObjectNotFound
from softfactory.storage.base import Storage
from softfactory.storage.keys import FolderKey, Key
from tests.storage.backends import NO_VERSIONS, VERSIONS, Backend
from tests.storage.samples import names, read, store

KEY = Key("a/b")

versioned = pytest.mark.needs(VERSIONS)
unversioned = pytest.mark.needs(NO_VERSIONS)


def version_ids(storage: Storage, key: Key) -> list[str]:
    """Return the ids of the key's versions, as listed."""
    return [version.version_id for version in storage.list_versions(key)]


@versioned
def test_versions_are_listed_newest_first(storage: Storage) -> None:
    written = [store(storage, KEY, b"x" * n).version_id for n in range(12)]

    assert version_ids(storage, KEY) == written[::-1]


@versioned
def test_a_listed_version_tells_what_its_head_tells(storage: Storage) -> None:
    old = store(storage, KEY, b"old")
    new = store(storage, KEY, b"newer")

    newest, oldest = storage.list_versions(KEY)

    assert (oldest.key, oldest.size, oldest.etag) == (KEY, 3, old.etag)
    assert (newest.key, newest.size, newest.etag) == (KEY, 5, new.etag)
    assert (newest.is_latest, oldest.is_latest) == (True, False)


@versioned
def test_an_older_version_can_be_read(storage: Storage) -> None:
    old = store(storage, KEY, b"old")
    store(storage, KEY, b"newer")

    assert read(storage, KEY, version_id=old.version_id) == b"old"
    assert read(storage, KEY) == b"newer"


@versioned
def test_versions_outlive_a_delete(storage: Storage) -> None:
    written = [store(storage, KEY, content).version_id for content in (b"1", b"2")]

    storage.delete(KEY)

    assert version_ids(storage, KEY) == written[::-1]
    assert not any(version.is_latest for version in storage.list_versions(KEY))
    assert read(storage, KEY, version_id=written[0]) == b"1"


@versioned
def test_delete_markers_are_no_versions(storage: Storage) -> None:
    written = []
    for content in (b"1", b"2", b"3"):
        written.append(store(storage, KEY, content).version_id)
        storage.delete(KEY)
        storage.delete(KEY)

    assert version_ids(storage, KEY) == written[::-1]


@versioned
def test_a_key_that_is_put_again_after_a_delete_goes_on_with_its_versions(
    storage: Storage,
) -> None:
    old = store(storage, KEY, b"old")
    storage.delete(KEY)

    new = store(storage, KEY, b"new")

    assert version_ids(storage, KEY) == [new.version_id, old.version_id]
    assert [version.is_latest for version in storage.list_versions(KEY)] == [True, False]


def test_only_the_versions_of_exactly_this_key_are_listed(storage: Storage) -> None:
    for key in ("a", "a/b", "a/b/c", "a/bb", "a/B", "a/b "):
        store(storage, key, key.encode())
    storage.put(FolderKey("a/b"), [b""])

    versions = storage.list_versions(KEY)

    assert [(version.key, version.size) for version in versions] == [(KEY, 3)]


def test_what_never_was_has_no_versions(storage: Storage) -> None:
    store(storage, "a/b/c")

    assert storage.list_versions(KEY) == []


@versioned
def test_an_older_version_can_be_deleted_for_good(storage: Storage) -> None:
    old = store(storage, KEY, b"old")
    new = store(storage, KEY, b"new")

    storage.delete(KEY, version_id=old.version_id)

    assert version_ids(storage, KEY) == [new.version_id]
    assert read(storage, KEY) == b"new"
    with pytest.raises(ObjectNotFound):
        storage.head(KEY, version_id=old.version_id)


@versioned
def test_deleting_the_newest_version_brings_the_one_before_back(storage: Storage) -> None:
    store(storage, KEY, b"old")
    new = store(storage, KEY, b"newer")

    storage.delete(KEY, version_id=new.version_id)

    assert read(storage, KEY) == b"old"
    assert names(storage) == [KEY]
    assert [version.is_latest for version in storage.list_versions(KEY)] == [True]


@versioned
def test_deleting_the_only_version_leaves_nothing(backend: Backend) -> None:
    before = backend.inventory()
    info = store(backend.storage, KEY)

    backend.storage.delete(KEY, version_id=info.version_id)

    assert names(backend.storage) == []
    assert backend.inventory() == before


@versioned
def test_deleting_a_version_leaves_a_deleted_object_deleted(storage: Storage) -> None:
    store(storage, KEY, b"1")
    second = store(storage, KEY, b"2")
    storage.delete(KEY)

    storage.delete(KEY, version_id=second.version_id)

    assert names(storage) == []
    with pytest.raises(ObjectNotFound):
        storage.head(KEY)


@versioned
def test_deleting_a_version_twice_is_no_error(storage: Storage) -> None:
    old = store(storage, KEY, b"old")
    store(storage, KEY, b"new")
    storage.delete(KEY, version_id=old.version_id)

    storage.delete(KEY, version_id=old.version_id)

    assert read(storage, KEY) == b"new"


@versioned
@pytest.mark.parametrize("version_id", ["nope", "0" * 32])
def test_deleting_a_version_that_never_was_is_no_error(storage: Storage, version_id: str) -> None:
    store(storage, KEY)

    storage.delete(KEY, version_id=version_id)

    assert read(storage, KEY) == b"content"


@versioned
def test_the_versions_of_a_renamed_object_stay_with_its_bytes(storage: Storage) -> None:
    """The old name keeps its history, or the new one has it; the newest bytes are never lost."""
    store(storage, KEY, b"old")
    store(storage, KEY, b"new")

    storage.rename(KEY, Key("c"))

    newest = storage.list_versions(Key("c"))[0]
    assert newest.is_latest
    assert read(storage, "c", version_id=newest.version_id) == b"new"


@unversioned
def test_without_versions_the_object_itself_is_listed_as_null(storage: Storage) -> None:
    store(storage, KEY, b"old")
    info = store(storage, KEY, b"newer")

    [version] = storage.list_versions(KEY)

    assert (version.version_id, version.is_latest) == ("null", True)
    assert (version.key, version.size, version.etag) == (KEY, 5, info.etag)


@unversioned
def test_without_versions_a_deleted_object_has_none(storage: Storage) -> None:
    store(storage, KEY)

    storage.delete(KEY)

    assert storage.list_versions(KEY) == []


@unversioned
def test_without_versions_the_listed_id_opens_the_object(storage: Storage) -> None:
    store(storage, KEY)
    [version] = storage.list_versions(KEY)

    assert read(storage, KEY, version_id=version.version_id) == b"content"


@unversioned
def test_without_versions_no_other_id_opens_the_object(storage: Storage) -> None:
    store(storage, KEY)

    with pytest.raises(ObjectNotFound):
        storage.head(KEY, version_id="nope")
