"""What gunicorn's parser, and a request's body, read of a connection."""

import socket
from typing import TYPE_CHECKING

from gunicorn.http.unreader import SocketUnreader  # type: ignore[import-untyped]

from softfactory.http.server.signals import ClientTooSlow

if TYPE_CHECKING:
    from softfactory.http.server.connections import Connection


class Unreader(SocketUnreader):
    """Reads the socket for the parser, and says so while it waits."""

    def __init__(self, connection: "Connection") -> None:
        """Read ``connection``, which is not TLS."""
        super().__init__(connection.sock)
        self.is_waiting = False
        self._connection = connection

    def chunk(self) -> bytes:
        """Return what comes next, nothing where the client hung up.

        Raises:
            ClientTooSlow: nothing did, for too long.
        """
        return self._receive(self.mxchunk)

    def take(self, size: int) -> bytes:
        """Return the next ``size`` bytes, fewer only where the client hung up.

        Raises:
            ClientTooSlow: they did not come, for too long.
        """
        data = b""
        if self.buf.tell():
            held = self.take_buffered()
            data = held[:size]
            self.unread(held[size:])
        while len(data) < size:
            # The kernel waits for all of them, so that 1 MiB costs one system call.
            more = self._receive(size - len(data), socket.MSG_WAITALL)
            if not more:
                break
            data = data + more if data else more
        return data

    def _receive(self, size: int, flags: int = 0) -> bytes:
        self.is_waiting = True
        data: bytes = self.sock.recv(size, flags)
        self.is_waiting = False
        if not data and self._connection.is_cut:
            raise ClientTooSlow
        return data
