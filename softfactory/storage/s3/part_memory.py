"""The memory that parts take on their way to S3: bounded for the process, whoever sends them."""

import os
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager

from softfactory.errors import Busy

PART_SIZE = 8 * 1024 * 1024
"""Bytes of a part that is made of a stream; 10,000 of them make 78 GiB."""

PLACES = 16
"""Parts of this process in memory at once: 128 MiB, and as much again where all are being sent."""

SMALL = 256 * 1024
"""Bytes that need no place: what every request may hold, so that small files never wait."""

PATIENCE = 60
"""Seconds to wait for a place; clients that stall are cut off sooner (SLOW_CLIENT_SECONDS)."""


class PartMemory:
    """Places for parts. Nobody holds one while waiting for another, so nobody waits for ever."""

    def __init__(self, places: int = PLACES) -> None:
        """Let so many parts be in memory at once."""
        self._places = places
        self.begin_afresh()

    def begin_afresh(self) -> None:
        """Forget who holds a place; in a forked child, where nobody does."""
        self._free = threading.BoundedSemaphore(self._places)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for one part.

        Raises:
            Busy: none became free.
        """
        free = self._free
        if not free.acquire(timeout=PATIENCE):
            raise Busy("Too many large uploads at once. Try again in a moment.")
        try:
            yield
        finally:
            free.release()

    def split(self, chunks: Iterable[bytes], size: int) -> Generator[tuple[bytearray, bool]]:
        """Yield the bytes in parts of exactly ``size``, each with whether it is the last.

        The last, and it alone, may be smaller; no bytes at all make one empty part. A part is the
        caller's until the next is asked for, and its place with it; close this in the end.
        """
        rest: memoryview = memoryview(b"")
        source = iter(chunks)
        is_last = False
        while not is_last:
            with closing(self._gather(rest, source, size)) as gathering:
                part, rest, is_last = next(gathering)
                yield part, is_last

    def _gather(
        self, rest: memoryview, source: Iterator[bytes], size: int
    ) -> Generator[tuple[bytearray, memoryview, bool]]:
        """Yield one part, what was read beyond it, and whether nothing was."""
        small = min(SMALL, size)
        part = bytearray(rest[:small])
        rest = rest[len(part) :]
        if not rest:
            for chunk in source:
                room = small - len(part)
                part += memoryview(chunk)[:room]
                rest = memoryview(chunk)[room:]
                if rest:
                    break
            else:
                yield part, rest, True
                return
        with self.place():
            while len(part) < size:
                if not rest:
                    more = next(source, None)
                    if more is None:
                        break
                    rest = memoryview(more)
                room = size - len(part)
                part += rest[:room]
                rest = rest[room:]
            # A full part waits for the next byte, so that the last part is never an empty one.
            while not rest and (more := next(source, None)) is not None:
                rest = memoryview(more)
            try:
                yield part, rest, not rest
            finally:
                part.clear()  # whoever still refers to it


def taken(part: bytearray) -> bytes:
    """Return the bytes of a part, which has none afterwards."""
    # botocore copies what it sends once more, so there must not be three of it.
    body = bytes(part)
    part.clear()
    return body


MEMORY = PartMemory()
"""This process's."""

os.register_at_fork(after_in_child=MEMORY.begin_afresh)
