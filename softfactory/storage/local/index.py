"""The index's transactions: safe from any thread, from any process, and across a fork."""

import os
import sqlite3
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from softfactory.errors import StorageError
from softfactory.storage.local.commits import Job, commit_all
from softfactory.storage.local.failures import Translated
from softfactory.storage.local.schema import connect

T = TypeVar("T")


class _Slot:
    """One thread's connection, and the lock that is held while it is in use."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection: sqlite3.Connection | None = None
        self._process = os.getpid()

    def close(self) -> None:
        """Close the connection; one that another process opened is only forgotten."""
        if self.connection is not None and self._process == os.getpid():
            with suppress(sqlite3.Error):
                self.connection.close()
        self.connection = None

    def __del__(self) -> None:
        """Close the connection with its thread; Python's own would wait for the collector."""
        self.close()


class _Threads:
    """What belongs to the threads of one process, and to no process forked from it."""

    def __init__(self) -> None:
        self.local = threading.local()
        self.slots: weakref.WeakSet[_Slot] = weakref.WeakSet()
        self.slots_lock = threading.Lock()
        self.turn = threading.Lock()
        self.queue: deque[Job[Any]] = deque()

    def slot(self) -> _Slot:
        """Return the calling thread's slot."""
        slot: _Slot | None = getattr(self.local, "slot", None)
        if slot is None:
            slot = self.local.slot = _Slot()
            with self.slots_lock:
                self.slots.add(slot)
        return slot


class Index:
    """The SQLite file that says which objects exist; its commit is the moment one does."""

    def __init__(self, path: Path) -> None:
        """Use the index at ``path``; nothing is opened or made before it is needed."""
        self._path = path
        self._threads = _Threads()
        self._paused: list[_Slot] = []
        _INDEXES.add(self)

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what ``work`` reads from one unchanging view of the index.

        Raises:
            StorageError: the index cannot be read.
        """
        with Translated(), self._connection() as connection:
            connection.execute("BEGIN")
            try:
                return work(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def look_up(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what ``work`` reads by one statement, which is a view of its own.

        Raises:
            StorageError: the index cannot be read.
        """
        with Translated(), self._connection() as connection:
            return work(connection)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what ``work`` returns, once all that it changed is durable.

        Threads that write at the same moment share one commit: each queues its work, and the one
        whose turn it is does all that has queued. Work that raises changes nothing.

        Args:
            work: must be quick and must not use this index, wait, or run a caller's code.

        Raises:
            OutcomeUnknown: the commit failed half-way.
            StorageError: the index cannot be written; nothing was changed.
        """
        job = Job(work)
        threads = self._threads
        threads.queue.append(job)
        with threads.turn:
            if not job.is_settled:
                self._commit_all(threads.queue)
        return job.outcome()

    def close(self) -> None:
        """Close every thread's connection; the next use opens it again."""
        self.pause()
        self.resume()

    def _commit_all(self, queue: deque[Job[Any]]) -> None:
        try:
            with Translated(), self._connection() as connection:
                commit_all(connection, queue)
        except StorageError as error:  # there is no connection
            while queue:
                queue.popleft().settle(error)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        slot = self._threads.slot()
        with slot.lock:
            if slot.connection is None:
                slot.connection = connect(self._path)
            yield slot.connection

    # SQLite's memory of its locks must not cross a fork: a child that inherits it can damage the
    # file ("How To Corrupt An SQLite Database File", 2.6). So nothing is open while one happens.

    def pause(self) -> None:
        """Wait for what runs, close every connection and let nobody begin; before a fork."""
        threads = self._threads
        threads.turn.acquire()
        threads.slots_lock.acquire()
        self._paused = list(threads.slots)
        for slot in self._paused:
            slot.lock.acquire()
            slot.close()

    def resume(self) -> None:
        """Let the threads go on; in the parent after a fork."""
        for slot in self._paused:
            slot.lock.release()
        self._paused = []
        self._threads.slots_lock.release()
        self._threads.turn.release()

    def begin_afresh(self) -> None:
        """Forget the parent's threads, with the work that they queued; in a forked child."""
        self._threads = _Threads()
        self._paused = []


_INDEXES: weakref.WeakSet[Index] = weakref.WeakSet()
_FORKING = threading.Lock()
_TO_RESUME: list[Index] = []


def _before_fork() -> None:
    _FORKING.acquire()
    _TO_RESUME.extend(_INDEXES)
    for index in _TO_RESUME:
        index.pause()


def _after_fork_in_parent() -> None:
    for index in _TO_RESUME:
        index.resume()
    _TO_RESUME.clear()
    _FORKING.release()


def _after_fork_in_child() -> None:
    for index in _INDEXES:
        index.begin_afresh()
    _TO_RESUME.clear()
    _FORKING.release()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
