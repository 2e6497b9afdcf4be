"""A chunked body, taken apart in linear time and within bounds (RFC 9112 section 7.1).

gunicorn's own reader looks for the end of a line from its beginning with each piece that comes, and
keeps as long a line, or as many trailer fields, as the client likes to send.
"""

import re
from typing import Any

from gunicorn.http.errors import (  # type: ignore[import-untyped]
    ChunkMissingTerminator,
    InvalidChunkExtension,
    InvalidChunkSize,
    InvalidHeader,
    LimitRequestHeaders,
    NoMoreData,
)

from softfactory.http.server.heads import MAX_CHUNK_LINE, is_malformed
from softfactory.http.server.unreader import Unreader

MAX_TRAILER = 8 * 1024
"""Bytes of the fields behind the last chunk; nothing here reads them."""

MAX_OVERHEAD = 16 * 1024
"""Bytes of sizes and extensions beyond what chunks of a sane size need (as in Go's net/http)."""

ALLOWED_OVERHEAD = 16
"""Bytes for each chunk, and one more for each byte of it."""

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[^\r\n]*)?")
"""A size of 64 bits at most, and extensions, which are passed over (RFC 9112 section 7.1.1)."""


class ChunkedReader:
    """Takes the place of gunicorn's, and reads as much as it is asked for."""

    def __init__(self, request: Any, unreader: Any) -> None:  # noqa: ANN401  # gunicorn's
        """Read the body of ``request``, which has just been parsed."""
        self._request, self._unreader = request, unreader
        self._held, self._at = b"", 0
        """Bytes that came, and how many of them were looked at."""
        self._left = 0
        """Bytes of the chunk that are to come."""
        self._is_first = True
        self._overhead = 0
        self.is_over = False

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer only at the body's end.

        Raises:
            ParseException: it is chunked wrongly, or beyond the bounds.
            NoMoreData: the client hung up in the middle of it.
            ClientTooSlow: it did not go on, for too long.
        """
        pieces = []
        while size and not self.is_over:
            if not self._left and not self._begin_chunk():
                break
            piece = self._take(min(size, self._left))
            size -= len(piece)
            self._left -= len(piece)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _begin_chunk(self) -> bool:
        """Go to the next chunk; False where there is none."""
        if not self._is_first and (ending := self._exactly(2)) != b"\r\n":
            raise ChunkMissingTerminator(ending)
        self._is_first = False
        line = self._line(MAX_CHUNK_LINE)
        found = _SIZE.fullmatch(line)
        if found is None:
            raise InvalidChunkSize(line[:32])
        self._left = int(found[1], 16)
        self._overhead += len(line) - ALLOWED_OVERHEAD - self._left
        self._overhead = max(0, self._overhead)
        if self._overhead > MAX_OVERHEAD:
            raise InvalidChunkExtension("more of them than data")
        if not self._left:
            self._read_trailer()
            self.is_over = True
        return not self.is_over

    def _read_trailer(self) -> None:
        fields, left = [], MAX_TRAILER
        while line := self._line(left):
            fields.append(line)
            left -= len(line)
            if len(fields) > self._request.limit_request_fields:
                raise LimitRequestHeaders("too many trailer fields")
        self._unreader.unread(self._held[self._at :])
        self._held, self._at = b"", 0
        if fields:
            data = b"\r\n".join(fields)
            if is_malformed(data):
                raise InvalidHeader("bare CR or LF in a trailer field")
            self._request.trailers = self._request.parse_headers(data, from_trailer=True)

    def _line(self, most: int) -> bytes:
        """Return the next line without its end, of at most so many bytes."""
        while True:
            end = self._held.find(b"\r\n", self._at, self._at + most + 2)
            if end >= 0:
                line = self._held[self._at : end]
                self._at = end + 2
                return line
            if len(self._held) - self._at >= most + 2:
                raise InvalidChunkExtension("too long a line")
            self._receive()

    def _exactly(self, size: int) -> bytes:
        while len(self._held) - self._at < size:
            self._receive()
        self._at += size
        return self._held[self._at - size : self._at]

    def _take(self, size: int) -> bytes:
        """Return the next bytes of the chunk, ``size`` at most."""
        if self._at == len(self._held):
            if isinstance(self._unreader, Unreader):
                data = self._unreader.take(size)
                if len(data) < size:
                    raise NoMoreData(data)
                return data
            self._receive()
        data = self._held[self._at : self._at + size]
        self._at += len(data)
        return data

    def _receive(self) -> None:
        more = self._unreader.read()
        if not more:
            raise NoMoreData(self._held[self._at : self._at + 32])
        self._held, self._at = self._held[self._at :] + more, 0
