"""Local disk: an index of an earlier release, brought up to date by whoever opens it first."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from softfactory.storage.keys import Key
from softfactory.storage.local import schema
from tests.storage.test_local_processes import at_once, files, killed_in, new

OLD = Key("alice/old")


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A directory whose index has the first schema, with one object."""
    storage = new(tmp_path)
    storage.put(OLD, [b"old"])
    storage.close()
    (file,) = [name for name in files(tmp_path) if name.startswith("files/")]
    (tmp_path / "index.sqlite3").unlink()
    with closing(sqlite3.connect(tmp_path / "index.sqlite3")) as connection:
        connection.executescript(
            f"PRAGMA journal_mode = WAL; {schema._TABLES} PRAGMA user_version = 1;"
        )
        connection.execute(
            "INSERT INTO versions (key, file, size, etag, content_type, storage_class, metadata,"
            " modified) VALUES (?, ?, 3, 'e', 'a/b', 'STANDARD', '{}', 0)",
            (OLD, Path(file).name),
        )
        connection.commit()
    return tmp_path


def version_of(root: Path) -> int:
    with closing(sqlite3.connect(root / "index.sqlite3")) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_several_processes_may_open_it_first_at_once(earlier: Path) -> None:
    def put(name: str) -> Callable[[], object]:
        return lambda: new(earlier).put(Key(f"alice/{name}"), [b"new"])

    ended = at_once(*map(put, "abcdef"))

    storage = new(earlier)
    listed = [found.key for found in storage.list_objects("alice/").objects]
    storage.close()
    assert ended == [0] * 6
    assert listed == [*(f"alice/{name}" for name in "abcdef"), OLD]


@pytest.mark.parametrize("table", ["noncurrent_bytes", "part_sizes"])
def test_a_process_that_is_killed_half_way_leaves_the_earlier_schema(
    earlier: Path, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def upgrade(die: Callable[[], None]) -> None:
        def watched(*args: Any, **kwargs: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*args, **kwargs)
            connection.set_trace_callback(lambda sql: die() if f"TABLE {table}" in sql else None)
            return connection

        monkeypatch.setattr(sqlite3, "connect", watched)
        new(earlier).head(OLD)

    killed_in(upgrade)
    left = version_of(earlier)
    storage = new(earlier)
    info = storage.head(OLD)
    storage.close()

    assert (left, info.size, version_of(earlier)) == (1, 3, schema.SCHEMA_VERSION)
