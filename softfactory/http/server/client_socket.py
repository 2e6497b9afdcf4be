"""A client's socket that sends the head of an answer with its body, and waits for no client."""

import os
import socket
import struct
from collections import deque
from typing import Any, NamedTuple, Self

from softfactory.processors import run_anywhere

TOGETHER = 256 * 1024
"""Bytes of a body that are worth copying behind its head."""

BLOCK = 4 * 1024 * 1024
"""Bytes of a file that are sent before others are looked at who want the thread."""

PATIENCE = struct.pack("ll", 0, 50_000)
"""Seconds and microseconds for which a thread waits until its client takes more.

A client that takes 16 MB a second or more is never left for the main loop (the kernel's buffers are
of megabytes, and it speaks up when a third is free), and one that takes nothing holds no thread.
"""


class _FilePart(NamedTuple):
    file: Any
    offset: int
    size: int


class ClientSocket(socket.socket):
    """Keeps the first bytes of an answer until more follow, and what its client does not take yet.

    gunicorn sends the head by itself, which costs a system call and wakes the client for nothing.
    """

    _is_holding = False
    _held = b""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as socket's
        super().__init__(*args, **kwargs)
        self._rest: deque[memoryview | _FilePart] = deque()
        self.is_stalled = False
        """Whether the client took less than it was sent last."""

    @classmethod
    def of(cls, plain: socket.socket) -> Self:
        """Return the connection of ``plain``, which has none any more."""
        family, kind, protocol, timeout = plain.family, plain.type, plain.proto, plain.gettimeout()
        client = cls(family, kind, protocol, fileno=plain.detach())
        client.settimeout(timeout)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, PATIENCE)
        return client

    @property
    def has_rest(self) -> bool:
        """Whether something is still to be sent, by ``send_rest``."""
        return bool(self._rest)

    @property
    def rest_in_memory(self) -> int:
        """Bytes that are still to be sent, and lie in memory."""
        return sum(len(part) for part in self._rest if isinstance(part, memoryview))

    def hold(self) -> None:
        """Keep what is sent next until more follows."""
        self._is_holding, self._held = True, b""

    def let_go(self) -> None:
        """Hold nothing, and forget what was held."""
        self._is_holding, self._held = False, b""

    def flush(self, flags: int = 0) -> None:
        """Send what is held, and hold nothing more.

        Raises:
            OSError: the client is gone.
        """
        self._is_holding = False
        held, self._held = self._held, b""
        if held and self.fileno() >= 0:
            self._send(held, flags)

    def sendall(self, data: Any, flags: int = 0) -> None:  # noqa: ANN401  # as socket's
        """Send ``data`` behind what is held; what the client does not take, ``send_rest`` sends."""
        if self._is_holding:
            self._is_holding, self._held = False, data
            return
        if self._held:
            if len(data) <= TOGETHER:
                data, self._held = self._held + data, b""
            else:
                self.flush(socket.MSG_MORE)
        self._send(data, flags)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:  # noqa: ANN401  # as socket's
        """Send ``count`` bytes of ``file`` as ``sendall`` does; it has to stay open so long."""
        if count is None:
            raise ValueError("the count is needed")
        run_anywhere()  # the kernel has much to do, and the interpreter nothing
        self.flush(socket.MSG_MORE)
        self._rest.append(_FilePart(file, offset, count))
        self.send_rest()
        return count

    def send_rest(self) -> None:
        """Send more of what is still to be sent, as much as the client takes or a few MiB.

        Raises:
            OSError: the client is gone.
        """
        self.is_stalled = False
        left = BLOCK
        while self._rest and left > 0 and not self.is_stalled:
            part = self._rest.popleft()
            if isinstance(part, memoryview):
                sent, rest = self._send_bytes(part, 0), part
                if sent < len(part):
                    self._rest.appendleft(rest[sent:])
            else:
                sent = self._send_file(part, left)
                if sent < part.size:
                    rest_part = _FilePart(part.file, part.offset + sent, part.size - sent)
                    self._rest.appendleft(rest_part)
            left -= sent

    def _send(self, data: Any, flags: int) -> None:  # noqa: ANN401  # as socket's
        if self._rest:
            self._rest.append(memoryview(data))
            return
        sent = self._send_bytes(data, flags)
        if sent < len(data):
            self._rest.append(memoryview(data)[sent:])

    def _send_bytes(self, data: Any, flags: int) -> int:  # noqa: ANN401  # as socket's
        try:
            sent = super().send(data, flags)
        except BlockingIOError:
            sent = 0
        self.is_stalled = sent < len(data)
        return sent

    def _send_file(self, part: _FilePart, most: int) -> int:
        size = min(part.size, most)
        try:
            sent = os.sendfile(self.fileno(), part.file.fileno(), part.offset, size)
        except BlockingIOError:
            sent = 0
        else:
            if not sent:
                raise OSError("the file ended before its answer")
        self.is_stalled = sent < size
        return sent
