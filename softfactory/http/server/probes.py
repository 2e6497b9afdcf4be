"""Threads that answer whether the service is well, and nothing else."""

import heapq
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import Any

from softfactory.http.server.connections import Connection

THREADS = 2
"""The second is for /healthz while storage or database lets /readyz wait."""


class Probes:
    """The requests for /healthz and /readyz: those of new connections first.

    So whoever asks again and again on one connection waits behind every load balancer. Used by the
    main loop alone.
    """

    def __init__(
        self,
        begin: Callable[[Connection], Any],
        on_done: Callable[[Connection, Future[Any]], None],
    ) -> None:
        """Answer with ``begin`` in a thread; there, ``on_done`` is called with what came of it."""
        self._threads = ThreadPoolExecutor(THREADS)
        self._begin, self._on_done = begin, on_done
        self._waiting: list[tuple[int, int, Connection]] = []
        self._numbers = count()
        self._answering = 0

    def admit(self, connection: Connection) -> None:
        """Let a connection's request be answered as soon as a thread is free."""
        heapq.heappush(self._waiting, (connection.probed, next(self._numbers), connection))
        connection.probed += 1
        self._go_on()

    def done(self) -> None:
        """Let the next one be answered in the place of one that was."""
        self._answering -= 1
        self._go_on()

    def close(self) -> None:
        """Begin no more."""
        self._threads.shutdown(wait=False)

    def _go_on(self) -> None:
        while self._waiting and self._answering < THREADS:
            *_, connection = heapq.heappop(self._waiting)
            self._answering += 1
            answered = self._threads.submit(self._begin, connection)
            answered.add_done_callback(partial(self._on_done, connection))
