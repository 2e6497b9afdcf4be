"""One client's connection, and how fast its bytes move."""

import select
import socket
import struct
from contextlib import suppress
from time import monotonic
from typing import Any

from gunicorn.http.unreader import SocketUnreader  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

from softfactory.http.server.heads import is_worth_a_thread
from softfactory.http.server.signals import ClientTooSlow

READ_SIZE = 16 * 1024
"""Bytes asked of a socket at a time; most requests come in one piece."""

MIN_RATE = 1024
"""Bytes a second; slower than any modem, so whoever is slower is broken or means harm."""

_TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)
_INFO_SIZE = 148
_PENDING = struct.Struct("=I")
_MOVED = struct.Struct("=QQ")
_UNACKED_AT, _MOVED_AT, _NOT_SENT_AT = 24, 120, 144
"""Offsets in ``struct tcp_info`` (linux/tcp.h): tcpi_unacked, tcpi_bytes_acked with
tcpi_bytes_received behind it, tcpi_notsent_bytes."""


class Connection(TConn):
    """A connection that belongs to the worker's main loop, or to one of its threads at a time."""

    parser: Any

    def __init__(self, *args: Any) -> None:  # noqa: ANN401  # as gunicorn's
        super().__init__(*args)
        self.received = bytearray()
        """What came of the next request, before a thread takes it."""
        self.is_closing = False
        """Whether it was answered for the last time, and is read until the client hangs up."""
        self.expires = self.gives_up = 0.0
        """Monotonic seconds: when the main loop lets go of it, and the latest that may be."""
        self.is_cut = False
        self._watched_since = 0.0
        self._moved_then = 0
        self._readable = select.poll()
        self._readable.register(self.sock, select.POLLIN)

    def hand_over(self) -> None:
        """Let a thread's parser have what came."""
        self.data_ready = True
        if not self.initialized:
            self.init()
            self.parser.unreader = Unreader(self)
        self.parser.unreader.unread(bytes(self.received))
        self.received.clear()
        self.is_cut = False
        self._watched_since = 0.0

    def take_back(self) -> None:
        """Keep what the client has sent of its next request already."""
        self.received += self.parser.unreader.take_buffered()

    def has_next(self, seconds: float) -> bool:
        """Whether the next request is there within so many seconds; if so, the parser has it.

        What came of one that is not, ``received`` has.
        """
        self.take_back()
        if not self.received and not self.is_cut:
            if not self._readable.poll(seconds * 1000):
                return False
            with suppress(OSError):  # the main loop will see it too, and let it go
                self.received += self.sock.recv(READ_SIZE, socket.MSG_DONTWAIT)
        is_there = is_worth_a_thread(self.received)
        if is_there:
            self.hand_over()
        return is_there

    def cut_if_too_slow(self, window: float) -> None:
        """End reading or writing where the client alone is waited for, and all too long.

        The kernel counts the bytes, so this costs a transfer nothing, and sees what the client
        took rather than what went into a buffer. Does nothing where TCP does not tell.

        Args:
            window: seconds in which ``MIN_RATE`` has to be reached on average.
        """
        info = self._info()
        if info is None:
            return
        (acked, received) = _MOVED.unpack_from(info, _MOVED_AT)
        is_sending = any(_PENDING.unpack_from(info, at)[0] for at in (_UNACKED_AT, _NOT_SENT_AT))
        now, moved = monotonic(), acked + received
        is_waiting = is_sending or self.parser.unreader.is_waiting
        is_fast = moved - self._moved_then >= MIN_RATE * window
        if not self._watched_since or not is_waiting or is_fast:
            self._watched_since, self._moved_then = now, moved
        elif now - self._watched_since > window:
            self.is_cut = True
            # Only the reading ends where nothing was answered yet, so that 408 can be.
            how = socket.SHUT_RDWR if is_sending else socket.SHUT_RD
            self.sock.shutdown(how)

    def _info(self) -> bytes | None:
        if _TCP_INFO is None:
            return None
        try:
            info: bytes = self.sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _INFO_SIZE)
        except OSError:  # a unix socket, or one that broke
            return None
        return info if len(info) == _INFO_SIZE else None


class Unreader(SocketUnreader):
    """Reads the socket for the parser, and says so while it waits."""

    def __init__(self, connection: Connection) -> None:
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
