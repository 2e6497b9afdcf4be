"""One keep-alive connection that costs next to nothing, so that the server is what is measured.

Files go out by ``sendfile`` and large answers are dropped inside the kernel: neither passes through
Python, and the second processor stays the server's.
"""

import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

TIMEOUT = 120
"""Seconds without a byte after which a server counts as hung."""

BLOCK = 1024 * 1024


class UnexpectedAnswerError(Exception):
    """The server did not do the work, so there is nothing to measure."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and the body where it was kept."""

    status: int
    length: int
    body: bytes = b""


def head(method: str, path: str, length: int | None = None, **headers: str) -> bytes:
    """Return a request up to its body; in a header's name ``_`` stands for ``-``."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


class Connection:
    """A connection to a server of this machine."""

    def __init__(self, port: int) -> None:
        """Connect to 127.0.0.1 at ``port``."""
        self.socket = socket.create_connection(("127.0.0.1", port))
        # Python's own timeout makes a socket non-blocking, which sendfile(2) would have to wait for.
        for limit in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.socket.setsockopt(socket.SOL_SOCKET, limit, struct.pack("ll", TIMEOUT, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.socket.close()

    def ask(self, request: bytes) -> Answer:
        """Send a whole request and return the answer with its body."""
        self.socket.sendall(request)
        return self.answer()

    def send_file(self, request_head: bytes, path: Path, offset: int, count: int) -> Answer:
        """Send ``count`` bytes of a file behind ``request_head``; return the answer."""
        self.socket.sendall(request_head)
        with path.open("rb") as file:
            while count:
                sent = os.sendfile(self.socket.fileno(), file.fileno(), offset, min(count, BLOCK))
                if not sent:
                    raise UnexpectedAnswerError(f"{path} ended {count} bytes early")
                offset, count = offset + sent, count - sent
        return self.answer()

    def drop(self, request: bytes) -> Answer:
        """Send a request and throw the answer's body away; its length is checked."""
        self.socket.sendall(request)
        found, rest = self._read_head()
        left, room = found.length - len(rest), bytearray(BLOCK)
        while left:
            # tcp(7): MSG_TRUNC drops the bytes of a stream instead of copying them.
            got = self.socket.recv_into(room, min(left, BLOCK), socket.MSG_TRUNC)
            left -= _counted(got)
        return found

    def answer(self) -> Answer:
        """Read one answer with its body."""
        found, body = self._read_head()
        parts, left = [body], found.length - len(body)
        while left:
            parts.append(self.socket.recv(min(left, BLOCK)))
            left -= _counted(len(parts[-1]))
        return Answer(found.status, found.length, b"".join(parts))

    def _read_head(self) -> tuple[Answer, bytes]:
        """Return status and length, and what came of the body already."""
        seen = b""
        while (end := seen.find(b"\r\n\r\n")) < 0:
            chunk = self.socket.recv(65536)
            _counted(len(chunk))
            seen += chunk
        return Answer(*parse_head(seen[:end])), seen[end + 4 :]


def parse_head(answer_head: bytes) -> tuple[int, int]:
    """Return the status and the Content-Length of an answer; no length is 0.

    Raises:
        UnexpectedAnswerError: the body is chunked, which nothing that is measured here sends.
    """
    status, *fields = answer_head.split(b"\r\n")
    length = 0
    for field in fields:
        name, _, value = field.partition(b":")
        name = name.lower()
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            raise UnexpectedAnswerError("a chunked answer")
    return int(status[9:12]), length


def expect(answer: Answer, *statuses: int) -> Answer:
    """Return ``answer`` if it has one of those statuses.

    Raises:
        UnexpectedAnswerError: it has not.
    """
    if answer.status not in statuses:
        raise UnexpectedAnswerError(f"{answer.status}: {answer.body[:500]!r}")
    return answer


def _counted(count: int) -> int:
    if not count:
        raise UnexpectedAnswerError("the server closed the connection in the middle")
    return count
