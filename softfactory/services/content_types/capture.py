"""Keeping a bounded window of a stream as it goes by."""


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
