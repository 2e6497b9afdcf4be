"""Contract: a storage is shared between threads, and whoever comes last has written it whole."""

import threading
from collections.abc import Callable

import pytest

from softfactory.storage.base import Storage
from softfactory.storage.keys import Key
from tests.storage.backends import VERSIONS
from tests.storage.samples import names, payload, pieces, read, store

KEY = Key("alice/shared.bin")
CONTENTS = [payload(200_000, seed) for seed in range(8)]


def at_once(*works: Callable[[], object]) -> list[BaseException]:
    """Run all of ``works``, each in a thread of its own, begun together; return what they raised."""
    together = threading.Barrier(len(works))
    raised: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        together.wait()
        try:
            work()
        except BaseException as error:  # noqa: BLE001 (a thread hands it on)
            raised.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def put(storage: Storage, key: Key, data: bytes) -> Callable[[], object]:
    """Return the work of putting ``data`` under ``key``."""
    return lambda: storage.put(key, pieces(data, 10_000))


def test_many_puts_to_one_key_end_with_one_whole_object(storage: Storage) -> None:
    raised = at_once(*(put(storage, KEY, content) for content in CONTENTS))

    assert raised == []
    assert names(storage) == [KEY]
    found = read(storage, KEY)
    assert found in CONTENTS
    assert storage.head(KEY).size == len(found)


@pytest.mark.needs(VERSIONS)
def test_many_puts_to_one_key_are_as_many_versions(storage: Storage) -> None:
    at_once(*(put(storage, KEY, content) for content in CONTENTS))

    versions = storage.list_versions(KEY)
    kept = [read(storage, KEY, version_id=version.version_id) for version in versions]
    assert sorted(kept) == sorted(CONTENTS)
    assert [version.is_latest for version in versions] == [True] + [False] * 7
    assert read(storage, KEY) == kept[0]


def test_puts_to_different_keys_do_not_meet(storage: Storage) -> None:
    keys = [Key(f"alice/{number}") for number in range(len(CONTENTS))]

    raised = at_once(*map(put, [storage] * len(keys), keys, CONTENTS))

    assert raised == []
    assert [read(storage, key) for key in keys] == CONTENTS


def test_puts_and_deletes_of_one_key_end_whole_or_gone(storage: Storage) -> None:
    store(storage, KEY, CONTENTS[0])

    raised = at_once(
        *(put(storage, KEY, content) for content in CONTENTS[:3]),
        *[lambda: storage.delete(KEY)] * 3,
    )

    assert raised == []
    if names(storage):
        assert read(storage, KEY) in CONTENTS[:3]


def test_one_object_is_read_by_many_at_once(storage: Storage) -> None:
    store(storage, KEY, CONTENTS[0])
    found: list[bytes] = []

    raised = at_once(*[lambda: found.append(read(storage, KEY))] * 8)

    assert raised == []
    assert found == [CONTENTS[0]] * 8
