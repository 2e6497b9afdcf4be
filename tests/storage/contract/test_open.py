"""Contract: ``open`` gives the bytes, whole or in ranges, and stays with them."""

import threading

import pytest

from softfactory.errors import ObjectNotFound, StorageError
from softfactory.storage.base import Storage
from softfactory.storage.keys import Key
from tests.storage.backends import SNAPSHOTS, Backend
from tests.storage.samples import MIB, payload, pieces, read, store

KEY = Key("alice/video.mp4")
DATA = payload(3 * MIB + 17)


@pytest.mark.parametrize(
    ("start", "stop"),
    [
        (0, None),
        (0, 1),
        (0, 0),
        (1, None),
        (1, 2),
        (5, 5),
        (MIB - 1, MIB + 1),
        (65_536, 2 * MIB),
        (len(DATA) - 1, None),
        (len(DATA) - 1, len(DATA)),
        (len(DATA) - 5, len(DATA) + 100),
        (0, len(DATA) + 1),
        (len(DATA), None),
        (len(DATA), len(DATA) + 1),
        (len(DATA) + 10, None),
        (len(DATA) + 10, len(DATA) + 20),
    ],
)
def test_a_range_is_what_the_slice_of_the_bytes_is(
    storage: Storage, start: int, stop: int | None
) -> None:
    store(storage, KEY, DATA)

    with storage.open(KEY) as stored:
        found = b"".join(stored.chunks(start, stop))

    assert found == DATA[start:stop]


@pytest.mark.parametrize(("start", "stop"), [(0, None), (0, 1), (0, 0), (1, None)])
def test_every_range_of_an_empty_object_is_empty(
    storage: Storage, start: int, stop: int | None
) -> None:
    store(storage, KEY, b"")

    with storage.open(KEY) as stored:
        found = b"".join(stored.chunks(start, stop))

    assert found == b""


def test_one_open_object_gives_several_ranges(storage: Storage) -> None:
    store(storage, KEY, DATA)

    with storage.open(KEY) as stored:
        tail = b"".join(stored.chunks(MIB))
        middle = b"".join(stored.chunks(10, 20))
        whole = b"".join(stored.chunks())

    assert (tail, middle, whole) == (DATA[MIB:], DATA[10:20], DATA)


def test_a_range_may_be_left_unfinished(storage: Storage) -> None:
    store(storage, KEY, DATA)

    with storage.open(KEY) as stored:
        first = next(stored.chunks())
        whole = b"".join(stored.chunks())

    assert DATA.startswith(first)
    assert whole == DATA


def test_ranges_cross_the_parts_of_a_large_put(storage: Storage) -> None:
    data = payload(17 * MIB + 3)
    storage.put(KEY, pieces(data, MIB))

    with storage.open(KEY) as stored:
        found = b"".join(stored.chunks(5 * MIB - 3, 16 * MIB + 3))

    assert found == data[5 * MIB - 3 : 16 * MIB + 3]


def test_the_open_object_tells_what_head_tells(storage: Storage) -> None:
    storage.put(KEY, [b"content"], content_type="text/plain", metadata={"owner": "alice"})

    with storage.open(KEY) as stored:
        info = stored.info

    head = storage.head(KEY)
    assert (info.key, info.size, info.etag) == (head.key, head.size, head.etag)
    assert (info.content_type, info.metadata) == (head.content_type, head.metadata)
    assert (info.version_id, info.last_modified) == (head.version_id, head.last_modified)


def test_the_file_where_there_is_one_has_the_bytes_and_is_closed_with_the_object(
    storage: Storage,
) -> None:
    store(storage, KEY, DATA)

    with storage.open(KEY) as stored:
        file = stored.file()
        found = DATA if file is None else file.read()

    assert found == DATA
    assert file is None or file.closed


def test_closing_twice_is_safe(storage: Storage) -> None:
    store(storage, KEY)

    with storage.open(KEY) as stored:
        stored.close()
        stored.close()

    assert read(storage, KEY) == b"content"


def test_opening_what_is_not_there_raises(storage: Storage) -> None:
    store(storage, "alice/video.mp4/part")
    store(storage, "alice/video.mp")

    with pytest.raises(ObjectNotFound), storage.open(KEY):
        pass


def test_opening_a_deleted_object_raises(storage: Storage) -> None:
    store(storage, KEY)
    storage.delete(KEY)

    with pytest.raises(ObjectNotFound), storage.open(KEY):
        pass


@pytest.mark.needs(SNAPSHOTS)
def test_an_open_object_keeps_its_bytes_while_the_key_is_replaced(storage: Storage) -> None:
    store(storage, KEY, DATA)

    with storage.open(KEY) as stored:
        store(storage, KEY, payload(len(DATA), seed=1))
        found = b"".join(stored.chunks())
        again = b"".join(stored.chunks(1, 3))

    assert found == DATA
    assert again == DATA[1:3]


@pytest.mark.needs(SNAPSHOTS)
def test_an_open_object_keeps_its_bytes_while_the_key_is_deleted(storage: Storage) -> None:
    store(storage, KEY, DATA)

    with storage.open(KEY) as stored:
        storage.delete(KEY)
        found = b"".join(stored.chunks())

    assert found == DATA


@pytest.mark.needs(SNAPSHOTS)
def test_an_open_object_keeps_its_bytes_while_the_key_is_renamed(storage: Storage) -> None:
    store(storage, KEY, DATA)

    with storage.open(KEY) as stored:
        storage.rename(KEY, Key("alice/other.mp4"))
        found = b"".join(stored.chunks())

    assert found == DATA


@pytest.mark.parametrize("end", ["purge", "replace"])
def test_an_open_object_never_gives_other_bytes(storage: Storage, end: str) -> None:
    """Where bytes can be lost under a reader (S3 without versions), it hears so."""
    store(storage, KEY, DATA)

    with storage.open(KEY) as stored:
        storage.purge(KEY)
        if end == "replace":
            store(storage, KEY, payload(len(DATA), seed=1))
        try:
            found = b"".join(stored.chunks())
        except StorageError:
            found = DATA

    assert found == DATA


def test_readers_meet_whole_objects_while_writers_replace_them(backend: Backend) -> None:
    storage = backend.storage
    whole = {bytes([n]) * 200_000 for n in range(4)}
    store(storage, KEY, next(iter(whole)))
    stop = threading.Event()
    torn: list[object] = []

    def keep_reading() -> None:
        while not stop.is_set():
            try:
                if (found := read(storage, KEY)) not in whole:
                    torn.append(found[:10])
            except StorageError:
                pass  # unversioned S3: replaced under the reader, and it heard so
            except BaseException as error:  # noqa: BLE001 (a thread hands it on)
                torn.append(error)

    readers = [threading.Thread(target=keep_reading) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(3):
        for content in whole:
            storage.put(KEY, pieces(content, 50_000))
    stop.set()
    for reader in readers:
        reader.join()

    assert torn == []
