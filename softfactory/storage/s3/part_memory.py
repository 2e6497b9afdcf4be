"""The memory that parts take on their way to S3: bounded for the process, whoever sends them."""

import os
import tempfile
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import IO

from softfactory.errors import StorageFull

PART_SIZE = 8 * 1024 * 1024
"""Bytes of a part that is made of a stream; 10,000 of them make 78 GiB."""

PLACES = 16
"""Parts of this process in memory at once: 128 MiB, and as much again where all are being sent."""

SMALL = 256 * 1024
"""Bytes that need no place: what every request may hold, so that small files never wait."""


class PartFile:
    """A part in a temporary file; grows, and is cleared, as a ``bytearray`` is."""

    def __init__(self) -> None:
        """Begin empty."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # ``clear`` closes it
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def extend(self, data: bytes | bytearray | memoryview) -> None:
        """Put more bytes to the end.

        Raises:
            StorageFull: the disk has no room for them.
        """
        try:
            self._size += self._write(data)
        except OSError as error:
            raise StorageFull from error

    def _write(self, data: bytes | bytearray | memoryview) -> int:
        return self._file.write(data)

    def opened(self) -> IO[bytes]:
        """Return the file, at its beginning; it is open until ``clear``.

        Raises:
            StorageFull: the disk has no room for it.
        """
        try:
            self._file.seek(0)
        except OSError as error:  # what was still in a buffer
            raise StorageFull from error
        return self._file

    def clear(self) -> None:
        """Let the bytes go."""
        self._file.close()


Part = bytearray | PartFile


class PartMemory:
    """Places for parts.

    Nobody waits for one, because a client may fill its own as slowly as it likes.
    """

    def __init__(self, places: int = PLACES) -> None:
        """Let so many parts be in memory at once."""
        self._places = places
        self.begin_afresh()

    def begin_afresh(self) -> None:
        """Forget who holds a place; in a forked child, where nobody does."""
        self._free = threading.BoundedSemaphore(self._places)

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Hold a place for one part if there is one; yield whether there is."""
        free = self._free
        has_place = free.acquire(blocking=False)
        try:
            yield has_place
        finally:
            if has_place:
                free.release()

    def split(self, chunks: Iterable[bytes], size: int) -> Generator[tuple[Part, bool]]:
        """Yield the bytes in parts of exactly ``size``, each with whether it is the last.

        The last, and it alone, may be smaller; no bytes at all make one empty part. Where there is
        no place for a part, it is a file. It is the caller's until the next is asked for, and its
        place with it; close this in the end.
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
    ) -> Generator[tuple[Part, memoryview, bool]]:
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
        with self.place() as has_place:
            begun = b"" if has_place else bytes(part)
            held: Part = part if has_place else PartFile()
            try:
                held.extend(begun)
                while len(held) < size:
                    if not rest:
                        more = next(source, None)
                        if more is None:
                            break
                        rest = memoryview(more)
                    room = size - len(held)
                    held.extend(rest[:room])
                    rest = rest[room:]
                # A full part waits for the next byte, so that the last part is never an empty one.
                while not rest and (more := next(source, None)) is not None:
                    rest = memoryview(more)
                yield held, rest, not rest
            finally:
                held.clear()  # whoever still refers to it


def taken(part: Part) -> bytes | IO[bytes]:
    """Return the bytes of a part, which has none in memory afterwards."""
    if isinstance(part, PartFile):
        return part.opened()
    # botocore copies what it sends once more, so there must not be three of it.
    body = bytes(part)
    part.clear()
    return body


MEMORY = PartMemory()
"""This process's."""

os.register_at_fork(after_in_child=MEMORY.begin_afresh)
