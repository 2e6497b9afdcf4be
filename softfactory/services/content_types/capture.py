"""Keeping a bounded window of a stream as it goes by."""

from collections import deque


class Capture:
    """The bytes ``start`` to ``start + size`` of a stream that is fed in order."""

    def __init__(self, start: int, size: int) -> None:
        self.start = start
        self.data = bytearray()
        self._stop = start + size

    def feed(self, chunk: bytes, offset: int) -> None:
        """Take from ``chunk``, which begins at ``offset`` of the stream, what is still missing.

        Chunks may overlap; a chunk behind a gap is ignored.
        """
        missing = self.start + len(self.data)
        if offset <= missing < min(offset + len(chunk), self._stop):
            self.data += chunk[missing - offset : self._stop - offset]


class Tail:
    """The last ``size`` bytes of a stream; it keeps the chunks themselves and copies none."""

    _SMALL = 64 * 1024
    """Bytes; smaller chunks are joined, or each would cost more than it holds."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._chunks: deque[bytes] = deque()
        self._kept = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next chunk."""
        if self._chunks and len(self._chunks[-1]) + len(chunk) <= self._SMALL:
            self._chunks[-1] += chunk
        else:
            self._chunks.append(chunk)
        self._kept += len(chunk)
        while self._kept - len(self._chunks[0]) >= self._size:
            self._kept -= len(self._chunks.popleft())

    def data(self) -> bytes:
        """Return the bytes."""
        return b"".join(self._chunks)[-self._size :]
