"""Contract: ``head`` tells what is known without the bytes."""

from datetime import timedelta

import pytest

from softfactory.errors import ObjectNotFound
from softfactory.storage.base import Storage, StorageClass
from softfactory.storage.keys import Key
from tests.storage.backends import NO_VERSIONS, VERSIONS, Backend
from tests.storage.samples import store

KEY = Key("alice/notes.txt")
OTHER = Key("alice/copy.txt")


@pytest.mark.parametrize("key", ["alice", "alice/notes.tx", "alice/notes.txt2", "Alice/notes.txt"])
def test_head_of_what_is_not_there_raises(storage: Storage, key: str) -> None:
    store(storage, KEY)

    with pytest.raises(ObjectNotFound):
        storage.head(Key(key))


def test_a_standard_object_is_not_archived(storage: Storage) -> None:
    store(storage, KEY)

    head = storage.head(KEY)

    assert head.storage_class == StorageClass.STANDARD
    assert head.restoration is None
    assert not head.is_archived


def test_head_and_list_tell_the_same(storage: Storage) -> None:
    store(storage, KEY)

    head = storage.head(KEY)

    [summary] = storage.list_objects().objects
    assert (summary.key, summary.size, summary.etag) == (head.key, head.size, head.etag)
    assert summary.storage_class == head.storage_class
    assert abs(summary.last_modified - head.last_modified) < timedelta(seconds=1)


def test_listed_times_are_aware_utc(storage: Storage) -> None:
    store(storage, KEY)

    [summary] = storage.list_objects().objects

    assert summary.last_modified.utcoffset() == timedelta(0)


@pytest.mark.needs(VERSIONS)
def test_head_tells_of_one_version(storage: Storage) -> None:
    old = storage.put(KEY, [b"old"], content_type="text/plain", metadata={"n": "1"})
    storage.put(KEY, [b"newer"], content_type="text/html", metadata={"n": "2"})

    head = storage.head(KEY, version_id=old.version_id)

    assert (head.size, head.etag, head.version_id) == (3, old.etag, old.version_id)
    assert (head.content_type, head.metadata) == ("text/plain", {"n": "1"})


@pytest.mark.needs(VERSIONS)
@pytest.mark.parametrize("version_id", ["nope", "../../etc/passwd", "0" * 32, "-1", "é", "null"])
def test_a_version_that_never_was_is_not_found(storage: Storage, version_id: str) -> None:
    store(storage, KEY)

    with pytest.raises(ObjectNotFound):
        storage.head(KEY, version_id=version_id)


@pytest.mark.needs(VERSIONS)
def test_a_version_of_another_key_is_not_found(storage: Storage) -> None:
    store(storage, KEY)
    other = store(storage, "bob/notes.txt")

    with pytest.raises(ObjectNotFound):
        storage.head(KEY, version_id=other.version_id)


@pytest.mark.needs(NO_VERSIONS)
def test_no_version_id_where_no_versions_are_kept(storage: Storage) -> None:
    info = store(storage, KEY)

    assert info.version_id is None
    assert storage.head(KEY).version_id is None


def test_a_copy_can_have_another_type_and_nothing_else_changes(backend: Backend) -> None:
    storage = backend.storage
    old = storage.put(KEY, [b"content"], content_type="text/plain", metadata={"owner": "alice"})

    info = storage.copy(KEY, OTHER, content_type="text/html; charset=utf-8")

    assert storage.head(KEY).content_type == "text/plain"
    head = storage.head(OTHER)
    assert info.content_type == head.content_type == "text/html; charset=utf-8"
    assert head.metadata == {"owner": "alice"}
    assert (head.size, head.storage_class) == (old.size, old.storage_class)
    with storage.open(OTHER) as stored:
        assert b"".join(stored.chunks()) == b"content"


def test_a_copy_onto_itself_can_change_the_type(storage: Storage) -> None:
    storage.put(KEY, [b"content"], content_type="text/plain")

    storage.copy(KEY, KEY, content_type="text/html")

    assert storage.head(KEY).content_type == "text/html"
