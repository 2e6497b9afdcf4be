"""Where connections wait for their clients without a thread, in the worker's main loop."""

import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic

from softfactory.http.server.connections import READ_SIZE, Connection
from softfactory.http.server.heads import is_too_large, is_worth_a_thread
from softfactory.http.server.refusals import HEAD_TOO_LARGE, TOO_SLOW, Refusal

LINGER_SECONDS, LINGER_SILENCE = 30.0, 5.0
"""How long a client that was answered early may go on sending, and how long it may be silent.

Closing at once would reset the connection, and the client would never read why (RFC 9112 section
9.6). The kernel throws the bytes away, so this costs next to nothing.
"""


class Lobby:
    """Every connection that no thread has: between requests, before them and behind the last."""

    def __init__(
        self,
        poller: selectors.BaseSelector,
        *,
        admit: Callable[[Connection], None],
        on_gone: Callable[[], None],
        slow_seconds: float,
    ) -> None:
        """Wait in ``poller``, whose callbacks take the file that is ready.

        Args:
            admit: gives a connection whose request is there to a thread.
            on_gone: called for each connection that was closed.
            slow_seconds: how long a request may take to arrive.
        """
        self._poller, self._admit, self._on_gone = poller, admit, on_gone
        self._slow_seconds = slow_seconds
        self._waiting: set[Connection] = set()
        self._void = bytearray(1024 * 1024)

    def welcome(self, connection: Connection, seconds: float | None = None) -> None:
        """Wait so many seconds for a request to begin; by default as long as for its rest."""
        self._wait(connection, self._receive, seconds or self._slow_seconds)
        if connection.received:  # behind the one before, in the same piece
            self._admit_if_there(connection)

    def see_off(self, connection: Connection) -> None:
        """Say that no more will come, and read until the client has hung up."""
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(connection)
            return
        connection.is_closing = True
        connection.gives_up = monotonic() + LINGER_SECONDS
        self._wait(connection, self._discard, LINGER_SILENCE)

    def expire(self) -> None:
        """Let those go whose time is over."""
        now = monotonic()
        for connection in [c for c in self._waiting if c.expires <= now]:
            if connection.received and not connection.is_closing:
                self._refuse(connection, TOO_SLOW)
            else:
                self._drop(connection)

    def make_room(self) -> None:
        """Let the one go that would go next anyway; a request that comes as one piece never is."""
        if self._waiting:
            self._drop(min(self._waiting, key=lambda connection: connection.expires))

    def empty(self, seconds: float) -> None:
        """Let all go that do not send a request within so many seconds."""
        for connection in self._waiting:
            connection.expires = min(connection.expires, monotonic() + seconds)

    def _wait(
        self, connection: Connection, then: Callable[[Connection], None], seconds: float
    ) -> None:
        connection.expires = monotonic() + seconds
        self._waiting.add(connection)
        callback = partial(self._call, then, connection)
        self._poller.register(connection.sock, selectors.EVENT_READ, callback)

    def _call(
        self, then: Callable[[Connection], None], connection: Connection, _file: object
    ) -> None:
        try:
            then(connection)
        except BlockingIOError:  # it was ready, and is not any more
            pass
        except OSError:
            self._drop(connection)

    def _receive(self, connection: Connection) -> None:
        data = connection.sock.recv(READ_SIZE, socket.MSG_DONTWAIT)
        if not data:
            self._drop(connection)
            return
        if not connection.received:
            connection.expires = monotonic() + self._slow_seconds
        connection.received += data
        self._admit_if_there(connection)

    def _admit_if_there(self, connection: Connection) -> None:
        if is_worth_a_thread(connection.received):
            self._leave(connection)
            self._admit(connection)
        elif is_too_large(connection.received):
            self._refuse(connection, HEAD_TOO_LARGE)

    def _refuse(self, connection: Connection, refusal: Refusal) -> None:
        self._leave(connection)
        with suppress(OSError):
            connection.sock.send(refusal.response(), socket.MSG_DONTWAIT)
        self.see_off(connection)

    def _discard(self, connection: Connection) -> None:
        # tcp(7): MSG_TRUNC throws the bytes away without copying them.
        flags = socket.MSG_DONTWAIT | socket.MSG_TRUNC
        if not connection.sock.recv_into(self._void, len(self._void), flags):
            self._drop(connection)
            return
        connection.expires = min(monotonic() + LINGER_SILENCE, connection.gives_up)

    def _leave(self, connection: Connection) -> None:
        self._waiting.discard(connection)
        with suppress(KeyError, ValueError):  # it is not there, or closed
            self._poller.unregister(connection.sock)

    def _drop(self, connection: Connection) -> None:
        self._leave(connection)
        connection.close()
        self._on_gone()
