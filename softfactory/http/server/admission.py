"""Which requests have threads: so many for uploads, and so many of them for one holder.

A holder is whoever a request can be counted against: an address, a user, a signed URL. Who has a
share already waits without a thread, however many are free: those are for whoever comes next.
"""

import threading
from collections import Counter, deque
from collections.abc import Iterable
from heapq import nsmallest
from operator import attrgetter

from softfactory.http.server.connections import Connection
from softfactory.http.server.signals import MustWait

BUSY_RATE = 32 * 1024
"""Bytes a second that an upload has to move while others wait for its thread."""


class Admission:
    """The threads of one worker, and the requests that have or want one of them.

    Used by the main loop; ``claim`` and ``is_short`` by threads too.
    """

    def __init__(self, threads: int) -> None:
        """Share out so many threads."""
        self._threads = threads
        self._uploads = max(1, threads * 3 // 4)
        self._share = {False: max(1, threads * 3 // 4), True: max(1, threads // 4)}
        """By whether the request is an upload. One holder's uploads leave two thirds of the places
        of uploads to others, and all that one holder asks for leaves a quarter of all threads."""
        self._taken = {False: 0, True: 0}
        self._held: Counter[tuple[bool, str]] = Counter()
        self._waiting: dict[tuple[bool, str], deque[Connection]] = {}
        self._lock = threading.Lock()

    @property
    def is_short(self) -> bool:
        """Whether a request waits for a thread, or the next one would."""
        # Without the lock: it is a hint, and asked for at each request.
        return bool(self._waiting) or self._taken[False] + self._taken[True] >= self._threads

    def admit(self, connection: Connection) -> bool:
        """Count the connection's request in; False where it has to wait, which it does then."""
        holder = connection.waits_for or connection.address
        key = (connection.is_upload, holder)
        with self._lock:
            # Nobody overtakes who waits for the same.
            if key not in self._waiting and self._fits(connection):
                self._take(connection)
                return True
        self._waiting.setdefault(key, deque()).append(connection)
        return False

    def claim(self, connection: Connection, holder: str) -> None:
        """Count the connection's request against one more holder.

        Raises:
            MustWait: who has a share already.
        """
        with self._lock:
            key = (connection.is_upload, holder)
            if holder in connection.holders:
                return
            if self._held[key] >= self._share[connection.is_upload]:
                connection.waits_for = holder
                raise MustWait
            self._held[key] += 1
            connection.holders.append(holder)

    def release(self, connection: Connection) -> None:
        """Count the connection's request out."""
        with self._lock:
            self._taken[connection.is_upload] -= 1
            self._drop(connection, connection.holders)
            connection.holders.clear()

    def disclaim(self, connection: Connection) -> None:
        """Count the connection's request out of all shares but that of its address."""
        with self._lock:
            self._drop(connection, connection.holders[1:])
            del connection.holders[1:]

    def give_up(self, connection: Connection) -> None:
        """Let a connection wait no more."""
        key = (connection.is_upload, connection.waits_for or connection.address)
        if (queue := self._waiting.get(key)) is not None and connection in queue:
            queue.remove(connection)
            if not queue:
                del self._waiting[key]

    def admit_next(self) -> Connection | None:
        """Count in one of those that wait, and return it: of the holder with the least first."""
        with self._lock:
            fitting = [key for key, queue in self._waiting.items() if self._fits(queue[0])]
            if not fitting:
                return None
            key = min(fitting, key=lambda key: self._held[key])
            connection = self._waiting[key].popleft()
            if not self._waiting[key]:
                del self._waiting[key]
            self._take(connection)
            return connection

    def overdue(self, active: Iterable[Connection]) -> list[Connection]:
        """Return the slowest uploads in whose places others wait: as many as wait."""
        slow = [
            connection
            for connection in active
            if connection.is_upload and connection.is_awaited and connection.pace < BUSY_RATE
        ]
        overdue: list[Connection] = []
        for (is_upload, holder), queue in self._waiting.items() if slow else ():
            if is_upload:
                is_full = self._taken[True] >= self._uploads
                places = [c for c in slow if is_full or holder in c.holders]
                overdue += nsmallest(len(queue), places, key=attrgetter("pace"))
        return overdue

    def _fits(self, connection: Connection) -> bool:
        is_upload = connection.is_upload
        return (
            self._taken[False] + self._taken[True] < self._threads
            and not (is_upload and self._taken[True] >= self._uploads)
            and all(
                self._held[is_upload, holder] < self._share[is_upload]
                for holder in (connection.address, connection.waits_for)
                if holder
            )
        )

    def _take(self, connection: Connection) -> None:
        self._taken[connection.is_upload] += 1
        connection.holders = [connection.address]
        self._held[connection.is_upload, connection.address] += 1

    def _drop(self, connection: Connection, holders: Iterable[str]) -> None:
        for holder in holders:
            key = (connection.is_upload, holder)
            self._held[key] -= 1
            if not self._held[key]:
                del self._held[key]
