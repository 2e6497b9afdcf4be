"""What the main loop has to know of a request before a thread takes it.

A hint, and no more: gunicorn's parser alone decides what a request says. What is no plain request
is given to the parser at once, to be refused.
"""

import re
from collections.abc import Mapping
from typing import Any

MAX_HEAD = 64 * 1024
"""Bytes of request line and fields together; an access token is about 500, a URL at most 8190."""

FIRST_PART = 64 * 1024
"""Bytes of a body that are waited for without a thread: all that JSON clients send, and so much of
an upload."""

MAX_CHUNK_LINE = 4096
"""Bytes of a chunk's size with its extensions."""

_END = b"\r\n\r\n"
_PROBE = re.compile(rb"(?:GET|HEAD) /(?:healthz|readyz)/?(?:\?[^ ]*)? HTTP/1\.[01]\r\n")
_FIELDS = re.compile(
    rb"\r\n(?:[ \t]|(content-length|transfer-encoding|expect|x-forwarded-for):"
    rb"([^\r\n]*)(?=\r\n))",
    re.IGNORECASE,
)
_LENGTH = re.compile(rb"[0-9]{1,19}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r\n")


class Head:
    """A request whose head is there.

    Attributes:
        size: bytes of the head.
        is_probe: whether it asks for the health of the service.
        is_large: whether more of its body is to come than is waited for without a thread.
        wants_continue: whether its client sends the body once it is told to (RFC 9110 section
            10.1.1).
        is_folded: whether a line goes on in the next (RFC 9112 section 5.2), which no parser that is
            used here may see: that in C takes it for a field without a name.
        forwarded: the values of X-Forwarded-For.
    """

    __slots__ = (
        "_awaited",
        "_chunk",
        "forwarded",
        "is_folded",
        "is_large",
        "is_probe",
        "size",
        "wants_continue",
    )

    def __init__(self, received: bytes | bytearray, size: int) -> None:
        """Read the first ``size`` bytes of what was received."""
        self.size, self.is_folded = size, False
        lengths, codings, expected = [], [], []
        self.forwarded: list[bytes] = []
        for field in _FIELDS.finditer(received, 0, size):
            if field[1] is None:
                self.is_folded = True
                continue
            name, value = field[1].lower(), field[2].strip(b" \t")
            if name == b"content-length":
                lengths.append(value)
            elif name == b"transfer-encoding":
                codings.append(value.lower())
            elif name == b"expect":
                expected.append(value.lower())
            else:
                self.forwarded.append(value)
        self._awaited, self._chunk = 0, -1
        self.is_large = self.wants_continue = False
        if not lengths and not codings:
            self.is_probe = _PROBE.match(received) is not None
            return
        self.is_probe, self.is_large = False, True
        is_1_1 = received.startswith(b"HTTP/1.1\r\n", received.find(b"\r\n") - len(b"HTTP/1.1"))
        if expected and set(expected) != {b"100-continue"}:
            return
        if len(lengths) == 1 and not codings and _LENGTH.fullmatch(lengths[0]):
            length = int(lengths[0])
            self.is_large = length > FIRST_PART
            self._awaited = min(length, FIRST_PART)
        elif codings == [b"chunked"] and not lengths and is_1_1:
            self._awaited, self._chunk = FIRST_PART, size
        self.wants_continue = bool(expected) and is_1_1 and self._awaited > 0

    def is_enough(self, received: bytes | bytearray) -> bool:
        """Whether as much of the body is there as is waited for without a thread."""
        if self._chunk >= 0:
            self._walk(received)
        return len(received) - self.size >= self._awaited

    def missing(self, received: bytes | bytearray) -> int:
        """Return how many bytes are to come before a thread takes the request."""
        return self._awaited - (len(received) - self.size)

    def _walk(self, received: bytes | bytearray) -> None:
        """Go from chunk to chunk, to find a body that ends within its first part."""
        while self._chunk >= 0:
            chunk = _CHUNK.match(received, self._chunk)
            if chunk is None:
                # Either the line is to come, or it is none: then the parser refuses it.
                is_line = b"\r\n" in received[self._chunk : self._chunk + MAX_CHUNK_LINE]
                if is_line or len(received) - self._chunk > MAX_CHUNK_LINE:
                    self._awaited, self._chunk = 0, -1
                return
            size = int(chunk[1], 16)
            if size == 0:
                # The last line ends the chunk of no bytes, or the trailer fields behind it.
                if received.find(_END, chunk.end() - 2) >= 0:
                    self._awaited, self._chunk, self.is_large = 0, -1, False
                return
            if chunk.end() + size + 2 > len(received):
                return
            self._chunk = chunk.end() + size + 2


def read_head(received: bytes | bytearray, seen: int = 0) -> Head | None:
    """Return the head of the request that was received; None where more of it is to come.

    Args:
        seen: bytes that were searched for its end before.
    """
    end = received.find(_END, max(0, seen - len(_END)))
    return Head(received, end + len(_END)) if end >= 0 else None


def is_too_large(received: bytes | bytearray) -> bool:
    """Whether so many bytes came without the end of a head."""
    return len(received) > MAX_HEAD


def is_malformed(data: bytes | bytearray) -> bool:
    """Whether lines end otherwise than in CR LF (RFC 9112 section 2.2).

    gunicorn's parser in C takes a bare LF for the end of a line, and that in Python does not: two
    that read one request differently are how requests are smuggled.
    """
    ends = data.count(b"\r\n")
    return data.count(b"\n") != ends or data.count(b"\r") - data.endswith(b"\r") != ends


def is_small(environ: Mapping[str, Any]) -> bool:
    """Whether the body of a request, whose fields gunicorn has checked, is small or none."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return length <= FIRST_PART and not environ.get("HTTP_TRANSFER_ENCODING")
