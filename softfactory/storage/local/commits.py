"""Commits that several threads share: one fsync makes the work of all who wait durable."""

import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from softfactory.errors import SoftFactoryError, StorageFull
from softfactory.storage.local.failures import OutcomeUnknown, storage_error

T = TypeVar("T")


class Job(Generic[T]):
    """One caller's change, to be committed by whichever thread comes to it first."""

    def __init__(self, work: Callable[[sqlite3.Connection], T]) -> None:
        """Wait with ``work`` until somebody runs it."""
        self.is_settled = False
        self._work = work
        self._error: Exception | None = None
        self._result: T

    def outcome(self) -> T:
        """Return what the work returned, or raise what it or the commit raised."""
        if self._error is not None:
            raise self._error
        return self._result

    def run(self, connection: sqlite3.Connection) -> None:
        """Do the work; where it raises, undo it alone and keep the error for its caller."""
        connection.execute("SAVEPOINT job")
        try:
            self._result = self._work(connection)
        except Exception as error:
            if not connection.in_transaction:  # SQLite itself gave everything up
                raise
            connection.execute("ROLLBACK TO job")
            self._error = storage_error(error) if isinstance(error, sqlite3.Error) else error
        connection.execute("RELEASE job")

    def settle(self, error: Exception | None = None) -> None:
        """Say that the work is durable, or that it failed; what was said first stands."""
        if not self.is_settled:
            self.is_settled = True
            self._error = self._error or error


def commit_all(connection: sqlite3.Connection, queue: deque[Job[Any]]) -> None:
    """Run all that is queued in one transaction, and settle each job."""
    jobs: list[Job[Any]] = []
    while queue:
        jobs.append(queue.popleft())
    error: SoftFactoryError = OutcomeUnknown()  # where what stops this is no Exception
    try:
        _commit(connection, jobs)
    except SoftFactoryError as failure:
        error = failure
    except sqlite3.Error as failure:
        error = storage_error(failure)
        error.__cause__ = failure
    else:
        return
    finally:
        for job in jobs:
            job.settle(error)


def _commit(connection: sqlite3.Connection, jobs: list[Job[Any]]) -> None:
    try:
        connection.execute("BEGIN IMMEDIATE")
        for job in jobs:
            job.run(connection)
    except BaseException:
        _roll_back(connection)
        raise
    try:
        connection.execute("COMMIT")
    except sqlite3.Error as failure:
        _roll_back(connection)
        # Without room, the commit's own record was never written; else it may have been.
        if isinstance(storage_error(failure), StorageFull):
            raise
        raise OutcomeUnknown from failure
    for job in jobs:
        job.settle()


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")
