"""Local disk: what is durable when, and what a commit that fails leaves behind."""

import os
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from softfactory.errors import StorageFull
from softfactory.storage.local import LocalStorage
from softfactory.storage.local.commits import Job, commit_all
from softfactory.storage.local.failures import OutcomeUnknown
from softfactory.storage.signing import UrlSigner
from tests.storage.samples import store


class Failing(sqlite3.Connection):
    """A connection whose commits fail."""

    code = sqlite3.SQLITE_IOERR_FSYNC

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        if sql != "COMMIT":
            return super().execute(sql, *args)
        error = sqlite3.OperationalError("no")
        error.sqlite_errorcode = self.code
        raise error


@pytest.fixture
def connection() -> Iterator[Failing]:
    """An empty table in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None, factory=Failing)
    connection.execute("CREATE TABLE things (name TEXT)")
    yield connection
    connection.close()


def insert(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO things VALUES ('x')")


def test_bytes_are_durable_before_their_name_and_their_name_before_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = LocalStorage(tmp_path, signer=UrlSigner("s" * 40, "http://files.test"))
    store(storage, "alice/first")  # makes the directories
    done: list[str] = []

    def watch(name: str, really: Callable[..., Any]) -> None:
        def watched(*args: Any, **kwargs: Any) -> Any:
            done.append(name)
            return really(*args, **kwargs)

        monkeypatch.setattr(os, name, watched)

    for name in ("pwrite", "fdatasync", "link", "fsync"):
        watch(name, getattr(os, name))
    storage._index.read(
        lambda connection: connection.set_trace_callback(
            lambda sql: done.append(sql) if sql == "COMMIT" else None
        )
    )
    store(storage, "alice/second")
    storage.close()

    assert done == ["pwrite", "fdatasync", "link", "fsync", "COMMIT"]


def test_a_commit_reaches_the_disk_before_it_returns(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path, signer=UrlSigner("s" * 40, "http://files.test"))
    pragmas = storage._index.read(
        lambda c: [
            c.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")
        ]
    )
    storage.close()

    assert pragmas == [2, "wal"]


def test_a_commit_that_breaks_off_has_an_unknown_outcome(connection: Failing) -> None:
    job = Job(insert)
    commit_all(connection, deque([job]))

    with pytest.raises(OutcomeUnknown):
        job.outcome()
    assert not connection.in_transaction


def test_a_commit_without_room_was_not_made(connection: Failing) -> None:
    connection.code = sqlite3.SQLITE_FULL
    job = Job(insert)
    commit_all(connection, deque([job]))

    with pytest.raises(StorageFull):
        job.outcome()
    assert connection.execute("SELECT * FROM things").fetchall() == []


def test_a_failed_commit_fails_all_who_shared_it(connection: Failing) -> None:
    jobs: list[Job[None]] = [Job(insert), Job(insert)]
    commit_all(connection, deque(jobs))

    for job in jobs:
        with pytest.raises(OutcomeUnknown):
            job.outcome()


def test_a_leader_that_is_stopped_leaves_no_one_waiting(connection: Failing) -> None:
    def stop(connection: sqlite3.Connection) -> None:
        raise SystemExit

    jobs: list[Job[None]] = [Job(insert), Job(stop), Job(insert)]
    with pytest.raises(SystemExit):
        commit_all(connection, deque(jobs))

    assert all(job.is_settled for job in jobs)
    assert connection.execute("SELECT * FROM things").fetchall() == []
