"""Contract: deleting is idempotent, touches nothing else, and ``purge`` is for good."""

import pytest

from softfactory.errors import ObjectNotFound
from softfactory.storage.base import Storage
from softfactory.storage.keys import FolderKey, Key
from tests.storage.backends import NO_VERSIONS, QUICK, VERSIONS, Backend
from tests.storage.samples import MIB, SPECIAL_KEYS, names, payload, pieces, read, store

KEY = Key("a/b")
NEIGHBOURS = ["a", "a/a", "a/b/c", "a/b2", "a/bb", "A/b", "a/B"]


def test_a_deleted_object_is_gone(storage: Storage) -> None:
    store(storage, KEY)

    storage.delete(KEY)

    assert names(storage) == []
    with pytest.raises(ObjectNotFound):
        storage.head(KEY)


def test_deleting_what_is_not_there_is_no_error(storage: Storage) -> None:
    storage.delete(KEY)
    store(storage, KEY)
    storage.delete(KEY)

    storage.delete(KEY)

    assert names(storage) == []


def test_deleting_touches_no_neighbour(storage: Storage) -> None:
    for key in [*NEIGHBOURS, KEY]:
        store(storage, key)

    storage.delete(KEY)

    assert names(storage) == sorted(NEIGHBOURS)


def test_deleting_a_folder_marker_leaves_what_is_in_the_folder(storage: Storage) -> None:
    storage.put(FolderKey("a"), [])
    store(storage, "a/b")
    store(storage, "a")

    storage.delete(FolderKey("a"))

    assert names(storage) == ["a", "a/b"]


def test_a_deleted_key_can_be_put_again(storage: Storage) -> None:
    store(storage, KEY, b"old")
    storage.delete(KEY)

    store(storage, KEY, b"new")

    assert read(storage, KEY) == b"new"
    assert names(storage) == [KEY]


@pytest.mark.needs(NO_VERSIONS)
@pytest.mark.parametrize("size", [0, 3, 17 * MIB])
def test_without_versions_nothing_stays_behind_a_delete(backend: Backend, size: int) -> None:
    before = backend.inventory()
    backend.storage.put(KEY, pieces(payload(size), MIB))

    backend.storage.delete(KEY)

    assert backend.inventory() == before


@pytest.mark.needs(NO_VERSIONS)
def test_without_versions_nothing_stays_behind_an_overwrite(backend: Backend) -> None:
    store(backend.storage, KEY, b"old")
    before = backend.inventory()

    store(backend.storage, KEY, b"new")

    assert len(backend.inventory()) == len(before) == 1


def test_many_are_deleted_at_once(storage: Storage) -> None:
    for key in [*NEIGHBOURS, KEY]:
        store(storage, key)

    failures = storage.delete_many([KEY, Key("a"), Key("a/a")])

    assert failures == []
    assert names(storage) == sorted({*NEIGHBOURS} - {"a", "a/a"})


def test_deleting_many_counts_the_missing_as_deleted(storage: Storage) -> None:
    store(storage, KEY)

    failures = storage.delete_many([Key("missing"), KEY, Key("a/missing")])

    assert failures == []
    assert names(storage) == []


def test_deleting_none_is_no_error(storage: Storage) -> None:
    store(storage, KEY)

    assert storage.delete_many([]) == []
    assert names(storage) == [KEY]


def test_deleting_one_key_twice_in_a_batch_is_no_error(storage: Storage) -> None:
    store(storage, KEY)

    assert storage.delete_many([KEY, KEY]) == []
    assert names(storage) == []


@pytest.mark.needs(QUICK)
def test_more_than_a_thousand_are_deleted_at_once(storage: Storage) -> None:
    """S3 takes 1000 keys a request; the first, the 1000th, the 1001st and the last exist."""
    keys = [Key(f"n/{number:04}") for number in range(1205)]
    living = [keys[0], keys[999], keys[1000], keys[-1]]
    for key in [*living, "n/other"]:
        store(storage, key)

    failures = storage.delete_many(keys)

    assert failures == []
    assert names(storage) == ["n/other"]


def test_keys_of_every_kind_are_deleted_at_once(storage: Storage) -> None:
    for key in [*SPECIAL_KEYS, Key("other")]:
        storage.put(key, [b"x"])

    failures = storage.delete_many(SPECIAL_KEYS)

    assert failures == []
    assert names(storage) == ["other"]


@pytest.mark.needs(VERSIONS)
def test_deleting_many_leaves_versions_behind(storage: Storage) -> None:
    version_id = store(storage, KEY, b"old").version_id

    storage.delete_many([KEY])

    assert read(storage, KEY, version_id=version_id) == b"old"


@pytest.mark.parametrize("size", [0, 3, 17 * MIB])
def test_purging_leaves_nothing_behind(backend: Backend, size: int) -> None:
    before = backend.inventory()
    for seed in range(2):
        backend.storage.put(KEY, pieces(payload(size, seed), MIB))

    backend.storage.purge(KEY)

    assert backend.storage.list_versions(KEY) == []
    assert names(backend.storage) == []
    assert backend.inventory() == before


@pytest.mark.needs(VERSIONS)
def test_purging_takes_older_versions_and_delete_markers_too(backend: Backend) -> None:
    before = backend.inventory()
    for content in (b"1", b"2"):
        store(backend.storage, KEY, content)
        backend.storage.delete(KEY)

    backend.storage.purge(KEY)

    assert backend.storage.list_versions(KEY) == []
    assert backend.inventory() == before


def test_purging_touches_no_neighbour(storage: Storage) -> None:
    for key in [*NEIGHBOURS, KEY]:
        store(storage, key, key.encode())

    storage.purge(KEY)

    assert {key: read(storage, key) for key in names(storage)} == {
        key: key.encode() for key in NEIGHBOURS
    }


def test_purging_what_is_not_there_is_no_error(storage: Storage) -> None:
    storage.purge(KEY)

    assert names(storage) == []
