"""Parts on their way to S3: one bound on the memory they take, and nobody waits for ever."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from softfactory.errors import Busy
from softfactory.storage.s3 import part_memory
from softfactory.storage.s3.part_memory import SMALL, PartMemory

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
        joined = b"".join(bytes(part) for part, _ in parts)

    assert joined == body


def stalled(entered: threading.Semaphore, end: threading.Event) -> Iterator[bytes]:
    """Yield more than a small file's bytes, and then nothing until ``end``."""
    yield bytes(SMALL + 1)
    entered.release()
    assert end.wait(DEADLINE)
    yield b"the end"


def test_no_more_parts_are_in_memory_than_there_are_places() -> None:
    memory, entered, end = PartMemory(2), threading.Semaphore(0), threading.Event()
    reading: list[int] = []

    def put(number: int) -> int:
        def chunks() -> Iterator[bytes]:
            for chunk in stalled(entered, end):
                yield chunk
                reading.append(number)

        with closing(memory.split(chunks(), SIZE)) as parts:
            return sum(len(part) for part, _ in parts)

    with ThreadPoolExecutor(6) as pool:
        putting = [pool.submit(put, number) for number in range(6)]
        assert entered.acquire(timeout=DEADLINE)
        assert entered.acquire(timeout=DEADLINE)
        # The others have read one chunk each at most, and wait.
        is_third = entered.acquire(timeout=0.2)
        end.set()
        sizes = [each.result(DEADLINE) for each in putting]

    assert not is_third
    assert sizes == [SMALL + 8] * 6


def test_small_files_need_no_place() -> None:
    memory = PartMemory(1)

    with memory.place():
        assert parts_of(memory, SMALL) == [(SMALL, True)]


def test_whoever_sends_many_parts_holds_one_place_at_a_time_and_gives_it_back() -> None:
    memory = PartMemory(1)

    assert len(parts_of(memory, *[SIZE] * 5)) == 5
    with memory.place():
        pass


def test_a_source_that_fails_gives_its_place_back() -> None:
    memory = PartMemory(1)

    def broken() -> Iterator[bytes]:
        yield bytes(2 * SMALL)
        raise ConnectionError

    with pytest.raises(ConnectionError), closing(memory.split(broken(), SIZE)) as parts:
        next(parts)
    with memory.place():
        pass


def test_a_part_that_was_sent_takes_no_memory_even_where_it_is_still_referred_to() -> None:
    with closing(PartMemory().split([bytes(3 * SIZE)], SIZE)) as parts:
        first, _ = next(parts)
        next(parts)

        assert len(first) == 0


def test_who_waits_too_long_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_memory, "PATIENCE", 0.01)
    memory = PartMemory(1)

    with memory.place(), pytest.raises(Busy, match="Try again"):
        parts_of(memory, SMALL + 1)
