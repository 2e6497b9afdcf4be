"""Contract: ``copy`` and ``rename`` carry bytes, type and metadata, and never lose them."""

import threading

import pytest

from softfactory.errors import ObjectNotFound
from softfactory.storage.base import Storage
from softfactory.storage.keys import Key
from tests.storage.backends import VERSIONS
from tests.storage.samples import MIB, SPECIAL_KEYS, names, payload, pieces, read, store

SOURCE = Key("alice/source.txt")
TARGET = Key("bob/target.txt")


def test_a_copy_has_the_bytes_type_and_metadata(storage: Storage) -> None:
    storage.put(SOURCE, [b"content"], content_type="text/plain", metadata={"owner": "alice"})

    info = storage.copy(SOURCE, TARGET)

    head = storage.head(TARGET)
    assert (info.key, info.size, info.etag) == (TARGET, 7, head.etag)
    assert (head.content_type, head.metadata) == ("text/plain", {"owner": "alice"})
    assert info.version_id == head.version_id
    assert read(storage, TARGET) == b"content"


def test_a_copy_leaves_the_source_as_it_was(storage: Storage) -> None:
    store(storage, SOURCE)
    before = storage.head(SOURCE)

    storage.copy(SOURCE, TARGET)

    assert storage.head(SOURCE) == before
    assert read(storage, SOURCE) == b"content"


def test_source_and_copy_go_their_own_ways(storage: Storage) -> None:
    store(storage, SOURCE)
    storage.copy(SOURCE, TARGET)

    storage.purge(SOURCE)

    assert read(storage, TARGET) == b"content"


@pytest.mark.parametrize("size", [0, 17 * MIB + 1])
def test_a_copy_may_be_of_any_size(storage: Storage, size: int) -> None:
    storage.put(SOURCE, pieces(payload(size), MIB))

    info = storage.copy(SOURCE, TARGET)

    assert info.size == size
    assert read(storage, TARGET) == payload(size)


def test_a_copy_replaces_what_is_there(storage: Storage) -> None:
    storage.put(SOURCE, [b"new"], content_type="text/plain")
    storage.put(TARGET, [b"old bytes"], content_type="text/html", metadata={"old": "1"})

    storage.copy(SOURCE, TARGET)

    head = storage.head(TARGET)
    assert read(storage, TARGET) == b"new"
    assert (head.content_type, head.metadata) == ("text/plain", {})


def test_copying_what_is_not_there_raises_and_leaves_the_target(storage: Storage) -> None:
    store(storage, TARGET, b"old")

    with pytest.raises(ObjectNotFound):
        storage.copy(SOURCE, TARGET)

    assert read(storage, TARGET) == b"old"


def test_an_object_copied_onto_itself_stays(storage: Storage) -> None:
    storage.put(SOURCE, [b"content"], content_type="text/plain", metadata={"owner": "alice"})

    storage.copy(SOURCE, SOURCE)

    head = storage.head(SOURCE)
    assert read(storage, SOURCE) == b"content"
    assert (head.content_type, head.metadata) == ("text/plain", {"owner": "alice"})


@pytest.mark.needs(VERSIONS)
def test_an_older_version_can_be_copied(storage: Storage) -> None:
    old = storage.put(SOURCE, [b"old"], content_type="text/plain")
    storage.put(SOURCE, [b"newer"], content_type="text/html")

    storage.copy(SOURCE, TARGET, version_id=old.version_id)

    assert read(storage, TARGET) == b"old"
    assert storage.head(TARGET).content_type == "text/plain"


@pytest.mark.needs(VERSIONS)
def test_an_older_version_can_be_made_the_newest(storage: Storage) -> None:
    old = store(storage, SOURCE, b"old")
    store(storage, SOURCE, b"newer")

    storage.copy(SOURCE, SOURCE, version_id=old.version_id)

    assert read(storage, SOURCE) == b"old"
    assert len(storage.list_versions(SOURCE)) == 3


@pytest.mark.needs(VERSIONS)
def test_a_version_of_a_deleted_object_can_be_copied_back(storage: Storage) -> None:
    old = store(storage, SOURCE, b"old")
    storage.delete(SOURCE)

    storage.copy(SOURCE, SOURCE, version_id=old.version_id)

    assert read(storage, SOURCE) == b"old"


@pytest.mark.needs(VERSIONS)
@pytest.mark.parametrize("version_id", ["nope", "0" * 32])
def test_copying_a_version_that_never_was_raises(storage: Storage, version_id: str) -> None:
    store(storage, SOURCE)

    with pytest.raises(ObjectNotFound):
        storage.copy(SOURCE, TARGET, version_id=version_id)


@pytest.mark.needs(VERSIONS)
def test_copying_a_deleted_object_raises(storage: Storage) -> None:
    store(storage, SOURCE)
    storage.delete(SOURCE)

    with pytest.raises(ObjectNotFound):
        storage.copy(SOURCE, TARGET)


def test_a_renamed_object_has_its_bytes_type_and_metadata_under_the_new_name(
    storage: Storage,
) -> None:
    storage.put(SOURCE, [b"content"], content_type="text/plain", metadata={"owner": "alice"})

    info = storage.rename(SOURCE, TARGET)

    head = storage.head(TARGET)
    assert (info.key, info.size, info.etag) == (TARGET, 7, head.etag)
    assert (head.content_type, head.metadata) == ("text/plain", {"owner": "alice"})
    assert read(storage, TARGET) == b"content"


def test_the_old_name_of_a_renamed_object_is_gone(storage: Storage) -> None:
    store(storage, SOURCE)

    storage.rename(SOURCE, TARGET)

    assert names(storage) == [TARGET]
    with pytest.raises(ObjectNotFound):
        storage.head(SOURCE)


def test_the_old_name_of_a_renamed_object_is_free_again(storage: Storage) -> None:
    store(storage, SOURCE, b"first")
    storage.rename(SOURCE, TARGET)

    store(storage, SOURCE, b"second")

    assert (read(storage, SOURCE), read(storage, TARGET)) == (b"second", b"first")


def test_a_rename_replaces_what_is_there(storage: Storage) -> None:
    store(storage, SOURCE, b"new")
    store(storage, TARGET, b"old bytes")

    storage.rename(SOURCE, TARGET)

    assert names(storage) == [TARGET]
    assert read(storage, TARGET) == b"new"


def test_an_object_renamed_to_its_own_name_stays(storage: Storage) -> None:
    store(storage, SOURCE)

    storage.rename(SOURCE, SOURCE)

    assert read(storage, SOURCE) == b"content"


def test_an_object_can_be_renamed_into_a_folder_of_its_own_name(storage: Storage) -> None:
    store(storage, "a", b"content")
    store(storage, "a/other", b"other")

    storage.rename(Key("a"), Key("a/b"))

    assert names(storage) == ["a/b", "a/other"]
    assert read(storage, "a/b") == b"content"


def test_a_name_can_change_its_case_only(storage: Storage) -> None:
    store(storage, "readme")

    storage.rename(Key("readme"), Key("README"))

    assert names(storage) == ["README"]


def test_renaming_what_is_not_there_raises_and_leaves_the_target(storage: Storage) -> None:
    store(storage, TARGET, b"old")

    with pytest.raises(ObjectNotFound):
        storage.rename(SOURCE, TARGET)

    assert read(storage, TARGET) == b"old"


def test_keys_of_every_kind_can_be_copied_and_renamed(storage: Storage) -> None:
    for key in SPECIAL_KEYS:
        storage.put(key, [key.encode()])
        storage.copy(key, Key("copied"))
        assert read(storage, "copied") == key.encode()
        storage.rename(key, Key("moved"))
        storage.rename(Key("moved"), key)

    assert {key: read(storage, key) for key in SPECIAL_KEYS} == {
        key: key.encode() for key in SPECIAL_KEYS
    }


def test_at_every_moment_of_a_rename_one_name_has_the_object(storage: Storage) -> None:
    rounds = [(Key(f"from/{number}"), Key(f"to/{number}")) for number in range(8)]
    for source, _ in rounds:
        store(storage, source)
    done = threading.Event()
    lost: list[Key] = []

    def keep_looking() -> None:
        while not done.is_set():
            for source, target in rounds:
                if not (_exists(storage, source) or _exists(storage, target)):
                    lost.append(source)

    watcher = threading.Thread(target=keep_looking)
    watcher.start()
    for source, target in rounds:
        storage.rename(source, target)
    done.set()
    watcher.join()

    assert lost == []


def _exists(storage: Storage, key: Key) -> bool:
    try:
        storage.head(key)
    except ObjectNotFound:
        return False
    return True
