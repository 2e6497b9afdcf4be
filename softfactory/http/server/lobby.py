"""Where connections wait for their clients without a thread, in the worker's main loop."""

import math
import selectors
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic

from softfactory.http.server.admission import Admission
from softfactory.http.server.connections import MIN_RATE, READ_SIZE, Connection
from softfactory.http.server.heads import is_too_large
from softfactory.http.server.refusals import (
    BAD_REQUEST,
    BUSY,
    HEAD_TOO_LARGE,
    TOO_SLOW,
    Refusal,
)

LINGER_SECONDS, LINGER_SILENCE = 30.0, 5.0
"""How long a client that was answered early may go on sending, and how long it may be silent.

Closing at once would reset the connection, and the client would never read why (RFC 9112 section
9.6). The kernel throws the bytes away, so this costs next to nothing.
"""

MAX_HELD = 32 * 1024 * 1024
"""Bytes of requests that wait, all together; each has some ten of KiB at most (``heads``)."""


class Lobby:
    """Every connection that no thread has: between requests, before them and behind the last."""

    def __init__(
        self,
        poller: selectors.BaseSelector,
        admission: Admission,
        *,
        begin: Callable[[Connection], None],
        on_gone: Callable[[], None],
        slow_seconds: float,
    ) -> None:
        """Wait in ``poller``, whose callbacks take the file that is ready.

        Args:
            begin: gives a connection whose request was admitted to a thread.
            on_gone: called for each connection that was closed.
            slow_seconds: how long a request may take to arrive, and wait for a thread.
        """
        self._poller, self._admission = poller, admission
        self._begin, self._on_gone = begin, on_gone
        self._slow_seconds = slow_seconds
        self._waiting: set[Connection] = set()
        self._queued: set[Connection] = set()
        """Those of them that wait for a thread, and not for their client."""
        self.sending: set[Connection] = set()
        """Those whose clients have not taken all of their answers."""
        self._by_peer: dict[str, set[Connection]] = {}
        """All connections, those that threads have among them."""
        self._held = 0
        self._void = bytearray(1024 * 1024)

    def welcome(self, connection: Connection, seconds: float | None = None) -> None:
        """Wait so many seconds for a request to begin; by default as long as for its rest."""
        self._by_peer.setdefault(connection.peer, set()).add(connection)
        self._wait(connection, self._receive, seconds or self._slow_seconds)
        if connection.received:  # behind the one before, in the same piece
            self._begins(connection)
            self._go_on(connection)

    def wait_again(self, connection: Connection) -> None:
        """Keep a connection whose request has to wait for a thread after all."""
        self._admit(connection)

    def wait_to_send(self, connection: Connection) -> None:
        """Wait until the client takes more of its answer."""
        connection.is_upload = connection.is_probe = False
        self.sending.add(connection)
        self._wait(connection, self._send, math.inf, selectors.EVENT_WRITE)
        if self._held > MAX_HELD:
            self._relieve()

    def drop_cut(self) -> None:
        """Let those go that took their answers too slowly."""
        for connection in [c for c in self.sending if c.is_cut]:
            self._drop(connection)

    def admit_waiting(self) -> None:
        """Give the threads that are free to those that wait for them."""
        while (connection := self._admission.admit_next()) is not None:
            self._leave(connection)
            self._begin(connection)

    def see_off(self, connection: Connection) -> None:
        """Say that no more will come, and read until the client has hung up."""
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(connection)
            return
        if connection.answer:  # it was cut, and nobody sends the rest
            self._drop(connection)
            return
        connection.is_closing = True
        connection.received.clear()
        connection.gives_up = monotonic() + LINGER_SECONDS
        self._wait(connection, self._discard, LINGER_SILENCE)

    def expire(self) -> None:
        """Let those go whose time is over."""
        now = monotonic()
        for connection in [c for c in self._waiting if c.expires <= now]:
            if connection in self._queued:
                self._refuse(connection, BUSY)
            elif connection.is_closing or not connection.received:
                self._drop(connection)
            elif self._is_upload_that_moves(connection):
                self._begins(connection)
            else:
                self._refuse(connection, TOO_SLOW)

    def make_room(self) -> None:
        """Let one go of the address that has the most: the one that would go next anyway.

        A request that comes as one piece never is.
        """
        most = max(self._by_peer.values(), key=len, default=set())
        if candidates := (most & self._waiting or self._waiting):
            self._drop(min(candidates, key=lambda connection: connection.expires))

    def empty(self, seconds: float) -> None:
        """Let all go that do not begin a request within so many seconds."""
        for connection in self._waiting:
            if connection.head is None and not connection.answer:
                connection.expires = min(connection.expires, monotonic() + seconds)

    def _wait(
        self,
        connection: Connection,
        then: Callable[[Connection], None],
        seconds: float,
        what: int = selectors.EVENT_READ,
    ) -> None:
        connection.expires = monotonic() + seconds
        self._waiting.add(connection)
        self._held += connection.in_memory
        callback = partial(self._call, then, connection)
        self._poller.register(connection.sock, what, callback)

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
        size = READ_SIZE
        if connection.head is not None:
            size = max(size, connection.head.missing(connection.received))
        data = connection.sock.recv(size, socket.MSG_DONTWAIT)
        if not data and connection.head is not None:
            self._leave(connection)  # its thread finds the end of the body at once
            self._admit(connection)
            return
        if not data:
            self._drop(connection)
            return
        if not connection.received:
            self._begins(connection)
        connection.received += data
        self._held += len(data)
        self._go_on(connection)
        if self._held > MAX_HELD:
            self._relieve()

    def _send(self, connection: Connection) -> None:
        self._leave(connection)
        self._admit(connection)

    def _begins(self, connection: Connection) -> None:
        """Count the time that the rest of the request takes from now on."""
        connection.expires = monotonic() + self._slow_seconds
        connection.received_then = len(connection.received)

    def _is_upload_that_moves(self, connection: Connection) -> bool:
        moved = len(connection.received) - connection.received_then
        is_upload = connection.head is not None and connection.is_upload
        return is_upload and moved >= MIN_RATE * self._slow_seconds

    def _go_on(self, connection: Connection) -> None:
        """See whether the request is there by now."""
        is_there = connection.is_there()
        if connection.is_malformed():
            self._refuse(connection, BAD_REQUEST)
        elif is_there:
            self._leave(connection)
            self._admit(connection)
        elif connection.head is not None:
            connection.tell_to_continue()
        elif is_too_large(connection.received):
            self._refuse(connection, HEAD_TOO_LARGE)

    def _admit(self, connection: Connection) -> None:
        if connection.is_probe or self._admission.admit(connection):
            self._begin(connection)
            return
        # Nothing more is read, so that the client's own kernel keeps the rest.
        seconds = math.inf if connection.answer else self._slow_seconds
        connection.expires = monotonic() + seconds
        self._waiting.add(connection)
        self._queued.add(connection)
        self._held += connection.in_memory

    def _refuse(self, connection: Connection, refusal: Refusal) -> None:
        self._leave(connection)
        with suppress(OSError):
            connection.sock.send(refusal.response(), socket.MSG_DONTWAIT)
        self.see_off(connection)

    def _relieve(self) -> None:
        """Refuse the largest request of the address that holds the most bytes."""
        held: Counter[str] = Counter()
        for connection in self._waiting:
            held[connection.address] += connection.in_memory
        address = max(held, key=lambda address: held[address])
        largest = max(
            (connection for connection in self._waiting if connection.address == address),
            key=lambda connection: connection.in_memory,
        )
        if largest.answer:
            self._drop(largest)
        else:
            self._refuse(largest, BUSY)

    def _discard(self, connection: Connection) -> None:
        # tcp(7): MSG_TRUNC throws the bytes away without copying them.
        flags = socket.MSG_DONTWAIT | socket.MSG_TRUNC
        if not connection.sock.recv_into(self._void, len(self._void), flags):
            self._drop(connection)
            return
        connection.expires = min(monotonic() + LINGER_SILENCE, connection.gives_up)

    def _leave(self, connection: Connection) -> None:
        if connection in self._waiting:
            self._waiting.discard(connection)
            self.sending.discard(connection)
            self._held -= connection.in_memory
        if connection in self._queued:
            self._queued.discard(connection)
            self._admission.give_up(connection)
            return
        with suppress(KeyError, ValueError):  # it is not there, or closed
            self._poller.unregister(connection.sock)

    def _drop(self, connection: Connection) -> None:
        self._leave(connection)
        if connection.answer:
            connection.answer.give_up()
        connection.close()
        peers = self._by_peer[connection.peer]
        peers.discard(connection)
        if not peers:
            del self._by_peer[connection.peer]
        self._on_gone()
