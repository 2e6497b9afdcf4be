"""A request's body, read from the socket in one piece as large as was asked for.

gunicorn's own puts every size together out of reads of 1 KiB, and copies each byte of them several
times (gunicorn/http/body.py): five sixths of what an upload took.
"""

from typing import Any

from gunicorn.http import body as gunicorn_body  # type: ignore[import-untyped]
from gunicorn.http.body import Body, LengthReader  # type: ignore[import-untyped]

from softfactory.http.server.chunks import ChunkedReader
from softfactory.http.server.unreader import Unreader

LARGEST = 16 * 1024 * 1024
"""Bytes that one read sets aside before they have come."""

DRAINED = 64 * 1024
"""Bytes that gunicorn still reads behind an answer; with more to come it ends the connection
(gunicorn/http/parser.py, ``_DRAIN_MAX_BYTES``)."""


def straight(request: Any) -> Any:  # noqa: ANN401  # gunicorn ships no types
    """Return the body to give to the application in the place of gunicorn's.

    gunicorn reads what the application left of it, so it is the request's from now on.
    """
    reader = getattr(request.body, "reader", None)
    if isinstance(reader, gunicorn_body.ChunkedReader):
        request.body = _Chunked(ChunkedReader(request, request.unreader))
    elif isinstance(reader, LengthReader) and isinstance(reader.unreader, Unreader):
        request.body = _Announced(reader)
    return request.body


def is_left(body: Any) -> bool:  # noqa: ANN401  # as above
    """Whether so much of ``body`` is still to come that its connection cannot be kept."""
    reader = getattr(body, "reader", None)
    if isinstance(reader, LengthReader):
        return bool(reader.length >= DRAINED)
    return isinstance(reader, ChunkedReader) and not reader.is_over


class _Straight(Body):
    """gunicorn's body, which still does what is rare: lines, and reading all at once."""

    def read(self, size: int | None = None) -> bytes:
        """Return ``size`` bytes, fewer only at the body's end."""
        if size is None or not 0 < size <= LARGEST or self.buf.tell():
            data: bytes = super().read(size)
            return data
        return self._read(size)

    def _read(self, size: int) -> bytes:
        raise NotImplementedError


class _Announced(_Straight):
    """A body whose length was announced."""

    def _read(self, size: int) -> bytes:
        data: bytes = self.reader.unreader.take(min(size, self.reader.length))
        self.reader.length -= len(data)
        return data


class _Chunked(_Straight):
    """A chunked body."""

    def _read(self, size: int) -> bytes:
        data: bytes = self.reader.read(size)
        return data
