"""Parts on their way to S3: one bound on the memory they take, and nobody waits for ever."""

import errno
import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from softfactory.errors import StorageFull
from softfactory.storage.base import MIN_PART_SIZE
from softfactory.storage.keys import Key
from softfactory.storage.s3 import multipart, part_memory, writing
from softfactory.storage.s3.part_memory import PART_SIZE, SMALL, PartFile, PartMemory, taken
from tests.servers.s3_buckets import SERVERS, bucket_on

SIZE = 4 * SMALL
DEADLINE = 20
"""Seconds after which what hangs has failed."""


def parts_of(memory: PartMemory, *lengths: int, size: int = SIZE) -> list[tuple[int, bool]]:
    """Split chunks of these lengths; return the length of each part, and whether it is the last."""
    chunks = (bytes(length) for length in lengths)
    with closing(memory.split(chunks, size)) as parts:
        return [(len(part), is_last) for part, is_last in parts]


@pytest.mark.parametrize(
    ("lengths", "parts"),
    [
        ((), [(0, True)]),
        ((0, 0), [(0, True)]),
        ((5,), [(5, True)]),
        ((SMALL,), [(SMALL, True)]),
        ((SMALL, 1), [(SMALL + 1, True)]),
        ((SIZE,), [(SIZE, True)]),
        ((SIZE, 0), [(SIZE, True)]),
        ((SIZE + 1,), [(SIZE, False), (1, True)]),
        ((SIZE, 0, 1), [(SIZE, False), (1, True)]),
        ((3 * SIZE,), [(SIZE, False), (SIZE, False), (SIZE, True)]),
        ((SIZE - 1, 2, SIZE - 1), [(SIZE, False), (SIZE, True)]),
        ((1,) * 10, [(10, True)]),
    ],
)
def test_all_parts_but_the_last_are_of_one_size_and_the_last_is_never_empty_behind_another(
    lengths: tuple[int, ...], parts: list[tuple[int, bool]]
) -> None:
    assert parts_of(PartMemory(), *lengths) == parts


def test_the_parts_have_the_bytes_in_their_order() -> None:
    body = bytes(range(256)) * (3 * SMALL // 64)
    chunks = (body[start : start + 100_003] for start in range(0, len(body), 100_003))

    with closing(PartMemory().split(chunks, SIZE)) as parts:
        joined = b"".join(bytes(part) for part, _ in parts if isinstance(part, bytearray))

    assert joined == body


def stalled(entered: threading.Semaphore, end: threading.Event) -> Iterator[bytes]:
    """Yield more than a small file's bytes, and then nothing until ``end``."""
    yield bytes(SMALL + 1)
    entered.release()
    assert end.wait(DEADLINE)
    yield b"the end"


def test_parts_past_the_places_are_in_files_and_wait_for_nobody() -> None:
    memory, entered, end = PartMemory(2), threading.Semaphore(0), threading.Event()

    def put(_: int) -> tuple[int, type]:
        with closing(memory.split(stalled(entered, end), SIZE)) as parts:
            (part, _) = next(parts)
            return len(part), type(part)

    with ThreadPoolExecutor(6) as pool:
        putting = [pool.submit(put, number) for number in range(6)]
        have_all_begun = [entered.acquire(timeout=DEADLINE) for _ in range(6)]
        end.set()
        put_parts = [each.result(DEADLINE) for each in putting]

    assert all(have_all_begun)
    assert [size for size, _ in put_parts] == [SMALL + 8] * 6
    assert Counter(kind for _, kind in put_parts) == {bytearray: 2, PartFile: 4}


def test_a_part_in_a_file_has_its_bytes_until_the_next_is_asked_for() -> None:
    memory = PartMemory(0)
    body = bytes(range(256)) * (3 * SMALL // 64)
    joined = b""

    with closing(memory.split([body], SIZE)) as parts:
        for part, _ in parts:
            sent = taken(part)
            joined += sent if isinstance(sent, bytes) else sent.read()
    assert not isinstance(sent, bytes)
    is_open = not sent.closed

    assert (joined, is_open) == (body, False)


def test_a_disk_without_room_for_a_part_is_full_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(part_memory.PartFile, "_write", full)

    with pytest.raises(StorageFull):
        parts_of(PartMemory(0), SIZE)


def test_small_files_need_no_place() -> None:
    memory = PartMemory(1)

    with memory.place():
        assert parts_of(memory, SMALL) == [(SMALL, True)]


def test_whoever_sends_many_parts_holds_one_place_at_a_time_and_gives_it_back() -> None:
    memory = PartMemory(1)

    with closing(memory.split([bytes(5 * SIZE)], SIZE)) as parts:
        kinds = [type(part) for part, _ in parts]
    with memory.place() as has_place:
        pass

    assert kinds == [bytearray] * 5
    assert has_place


def test_a_source_that_fails_gives_its_place_back() -> None:
    memory = PartMemory(1)

    def broken() -> Iterator[bytes]:
        yield bytes(2 * SMALL)
        raise ConnectionError

    with pytest.raises(ConnectionError), closing(memory.split(broken(), SIZE)) as parts:
        next(parts)
    with memory.place() as has_place:
        pass

    assert has_place


def test_a_part_that_was_sent_takes_no_memory_even_where_it_is_still_referred_to() -> None:
    with closing(PartMemory().split([bytes(3 * SIZE)], SIZE)) as parts:
        first, _ = next(parts)
        next(parts)

        assert len(first) == 0


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("size", [2 * 1024 * 1024, PART_SIZE + 2 * 1024 * 1024])
def test_where_there_is_no_place_files_are_stored_all_the_same(
    monkeypatch: pytest.MonkeyPatch, server: str, size: int
) -> None:
    monkeypatch.setattr(writing, "MEMORY", PartMemory(0))
    body = random.Random(size).randbytes(size)

    with bucket_on(server) as bucket:
        put = bucket.storage.put(Key("users/x/a.bin"), [body], content_type="text/plain")
        with bucket.storage.open(Key("users/x/a.bin")) as stored:
            read = b"".join(stored.chunks(0, size))

    assert (put.size, read == body) == (size, True)


def test_a_part_that_is_put_alone_needs_no_place_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "MEMORY", PartMemory(0))
    key, size = Key("users/x/a.bin"), MIN_PART_SIZE

    with bucket_on("moto") as bucket:
        upload_id = bucket.storage.create_multipart(key)
        part = bucket.storage.put_part(key, upload_id, 1, [bytes(size)], size=size)
        parts = bucket.storage.list_parts(key, upload_id)

    assert [(each.part_number, each.size) for each in parts] == [(1, size)]
    assert part.etag == parts[0].etag
