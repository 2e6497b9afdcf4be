"""A client's socket that sends the head of an answer together with its body."""

import socket
from typing import Any, Self

from softfactory.processors import run_anywhere

TOGETHER = 256 * 1024
"""Bytes of a body that are worth copying behind its head."""


class ClientSocket(socket.socket):
    """Keeps the first bytes of an answer until more follow, or the answer ends.

    gunicorn sends the head by itself, which costs a system call and wakes the client for nothing.
    """

    _is_holding = False
    _held = b""

    @classmethod
    def of(cls, plain: socket.socket) -> Self:
        """Return the connection of ``plain``, which has none any more."""
        family, kind, protocol, timeout = plain.family, plain.type, plain.proto, plain.gettimeout()
        client = cls(family, kind, protocol, fileno=plain.detach())
        client.settimeout(timeout)
        return client

    def hold(self) -> None:
        """Keep what is sent next until more follows."""
        self._is_holding, self._held = True, b""

    def flush(self, flags: int = 0) -> None:
        """Send what is kept, and keep nothing more.

        Raises:
            OSError: the client is gone.
        """
        self._is_holding = False
        held, self._held = self._held, b""
        if held and self.fileno() >= 0:
            super().sendall(held, flags)

    def sendall(self, data: Any, flags: int = 0) -> None:  # noqa: ANN401  # as socket's
        """Send ``data``, behind what is kept."""
        if self._is_holding:
            self._is_holding, self._held = False, data
            return
        if self._held:
            if len(data) <= TOGETHER:
                data, self._held = self._held + data, b""
            else:
                self.flush(socket.MSG_MORE)
        super().sendall(data, flags)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:  # noqa: ANN401  # as socket's
        """Send a part of ``file``, behind what is kept."""
        run_anywhere()  # the kernel has much to do, and the interpreter nothing
        self.flush(socket.MSG_MORE)
        return super().sendfile(file, offset, count)
