"""One client's connection, and how fast its bytes move."""

import math
import select
import socket
import struct
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

from softfactory.http.addresses import network_of
from softfactory.http.server.forwarded import forwarded_by
from softfactory.http.server.heads import Head, is_malformed, read_head
from softfactory.http.server.unreader import Unreader

if TYPE_CHECKING:
    from softfactory.http.server.answers import Answer

READ_SIZE = 16 * 1024
"""Bytes asked of a socket at a time; most requests come in one piece."""

MIN_RATE = 1024
"""Bytes a second; slower than any modem, so whoever is slower is broken or means harm."""

PACE_SECONDS = 5.0
"""Over how long the pace of a transfer is taken, which is the grace that it has, too."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

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

    def __init__(self, *args: Any, hops: int = 0) -> None:  # noqa: ANN401  # as gunicorn's
        """Take what gunicorn's takes.

        Args:
            hops: proxies in front of the service, whose X-Forwarded-For is believed.
        """
        super().__init__(*args)
        self.received = bytearray()
        """What came of the next request, before a thread takes it."""
        self.head: Head | None = None
        """The head of that request, once it is there."""
        self.received_then = 0
        """How much of it when its client was last found to be fast enough."""
        self.is_closing = False
        """Whether it was answered for the last time, and is read until the client hangs up."""
        self.expires = self.gives_up = 0.0
        """Monotonic seconds: when the main loop lets go of it, and the latest that may be."""
        self.is_cut = False
        self.is_upload = self.is_probe = False
        """Of the last request whose head was there."""
        self.probed = 0
        """How often it asked whether the service is well."""
        peer = self.client[0] if isinstance(self.client, tuple) else ""
        self.peer = self.address = network_of(peer)
        """The network that the connection, and the last request, came from; empty if unknown."""
        self.answer: Answer | None = None
        """The answer of which more is to be sent."""
        self.waits_for = ""
        """The holder that had its share of the threads when the request was begun before."""
        self.holders: list[str] = []
        """In whose shares the request counts."""
        self.pace = math.inf
        """Bytes a second that moved lately."""
        self._hops = hops
        self._seen = self._checked = 0
        self._handed_over = b""
        self._is_told_to_continue = False
        self._moved: deque[tuple[float, int]] = deque()
        self._watched_since = 0.0
        self._moved_then = 0
        self._readable = select.poll()
        self._readable.register(self.sock, select.POLLIN)

    @property
    def in_memory(self) -> int:
        """Bytes of it that lie in memory while no thread has it."""
        return len(self.received) + (self.sock.rest_in_memory if self.answer else 0)

    @property
    def is_awaited(self) -> bool:
        """Whether a thread waits for what the client sends."""
        return bool(self.parser.unreader.is_waiting)

    def is_there(self) -> bool:
        """Whether so much of the next request is there as is waited for without a thread."""
        if self.head is None:
            self.head = read_head(self.received, self._seen)
            self._seen = len(self.received)
            if self.head is None:
                return False
            self.is_upload, self.is_probe = self.head.is_large, self.head.is_probe
            if self._hops:
                self.address = network_of(forwarded_by(self.head.forwarded, self._hops))
        is_there = self.head.is_enough(self.received)
        self.is_upload = self.head.is_large
        return is_there

    def is_malformed(self) -> bool:
        """Whether what came of the head is none; what was good before is not looked at again."""
        if self.head is not None and self.head.is_folded:
            return True
        end = len(self.received) if self.head is None else self.head.size
        new = self.received[self._checked : end]
        self._checked = max(self._checked, end - new.endswith(b"\r"))
        return is_malformed(new)

    def tell_to_continue(self) -> None:
        """Let a client that waits for it send the body, once (RFC 9110 section 10.1.1)."""
        head = self.head
        if head is None or not head.wants_continue or self._is_told_to_continue:
            return
        self._is_told_to_continue = True
        if len(self.received) == head.size:
            with suppress(OSError):  # the poller will tell that the client is gone
                self.sock.send(CONTINUE, socket.MSG_DONTWAIT)

    def hand_over(self) -> None:
        """Let a thread's parser have what came."""
        self.data_ready = True
        if not self.initialized:
            self.init()
            self.parser.unreader = Unreader(self)
        self._handed_over = bytes(self.received)
        self.parser.unreader.unread(self._handed_over)
        self.received.clear()
        self.is_cut = False
        self._watched_since = 0.0
        self._moved.clear()
        self.pace = math.inf

    def begin(self, request: Any) -> None:  # noqa: ANN401  # gunicorn's
        """Let ``request``, which was parsed, be answered."""
        if self._is_told_to_continue:
            request._expected_100_continue = False  # noqa: SLF001  # gunicorn would say it again

    def begin_again(self) -> None:
        """Take the request back from the parser, as it was handed over."""
        self.received += self._handed_over
        self.parser, self.initialized = None, False

    def take_back(self) -> None:
        """Keep what the client has sent of its next request already."""
        self.received += self.parser.unreader.take_buffered()
        self._handed_over, self.head, self._seen, self._checked = b"", None, 0, 0
        self.waits_for, self._is_told_to_continue = "", False

    def has_next(self, seconds: float) -> bool:
        """Whether the next request is there within so many seconds; if so, the parser has it.

        What came of one that is not, or that may have to wait, ``received`` has.
        """
        self.take_back()
        if not self.received and not self.is_cut:
            if not self._readable.poll(seconds * 1000):
                return False
            with suppress(OSError):  # the main loop will see it too, and let it go
                self.received += self.sock.recv(READ_SIZE, socket.MSG_DONTWAIT)
        was, address = self.is_upload, self.address
        is_plain = self.is_there() and not self.is_upload and not self.is_malformed()
        if not is_plain or was or self.is_probe or address != self.address:
            # The main loop decides anew, and meanwhile counts it as before.
            self.head, self._seen, self._checked = None, 0, 0
            self.is_upload, self.is_probe, self.address = was, False, address
            return False
        self.hand_over()
        return True

    def watch(self, window: float) -> None:
        """See how fast bytes move, and cut the connection off where they do too slowly.

        The kernel counts the bytes, so this costs a transfer nothing, and sees what the client
        took rather than what went into a buffer. Does nothing where TCP does not tell.

        Args:
            window: seconds in which ``MIN_RATE`` has to be reached on average, as far as the client
                alone is waited for.
        """
        info = self._info()
        if info is None:
            return
        (acked, received) = _MOVED.unpack_from(info, _MOVED_AT)
        is_sending = any(_PENDING.unpack_from(info, at)[0] for at in (_UNACKED_AT, _NOT_SENT_AT))
        now, moved = monotonic(), acked + received
        self._measure(now, moved)
        is_waiting = is_sending or self.is_awaited
        is_fast = moved - self._moved_then >= MIN_RATE * window
        if not self._watched_since or not is_waiting or is_fast:
            self._watched_since, self._moved_then = now, moved
        elif now - self._watched_since > window:
            # Only the reading ends where nothing was answered yet, so that 408 can be.
            self.cut(socket.SHUT_RDWR if is_sending else socket.SHUT_RD)

    def cut(self, how: int = socket.SHUT_RD) -> None:
        """End reading, or both ways, so that no thread waits for the client any more.

        Raises:
            OSError: the client is gone.
        """
        self.is_cut = True
        self.sock.shutdown(how)

    def _measure(self, now: float, moved: int) -> None:
        self._moved.append((now, moved))
        while len(self._moved) > 1 and self._moved[1][0] <= now - PACE_SECONDS:
            self._moved.popleft()
        (then, moved_then) = self._moved[0]
        if now - then >= PACE_SECONDS:
            self.pace = (moved - moved_then) / (now - then)

    def _info(self) -> bytes | None:
        if _TCP_INFO is None:
            return None
        try:
            info: bytes = self.sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _INFO_SIZE)
        except OSError:  # a unix socket, or one that broke
            return None
        return info if len(info) == _INFO_SIZE else None
