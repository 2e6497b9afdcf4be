"""Local disk: what old versions take, counted by the index itself."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softfactory.storage.keys import Key
from softfactory.storage.local import LocalStorage, schema
from softfactory.storage.signing import UrlSigner
from tests.doubles import FakeClock

ROOTS = ["alice/", "users/7-a/", "uploads/7/"]
KEYS = [Key(f"{root}{name}") for root in ROOTS for name in ("a", "b")]


def storage_at(path: Path, clock: FakeClock | None = None) -> LocalStorage:
    clock = clock or FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    return LocalStorage(path, signer=UrlSigner("s" * 40, "http://files.test"), clock=clock)


def summed(path: Path) -> int:
    """Add up the files that versions have and no current one has."""
    with sqlite3.connect(path / "index.sqlite3") as connection:
        query = (
            "SELECT coalesce(sum(size), 0) FROM (SELECT max(size) AS size FROM versions"
            " WHERE file <> '' GROUP BY file HAVING count(*) = count(noncurrent_since))"
        )
        return int(connection.execute(query).fetchone()[0])


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["put", "put", "copy", "rename", "delete", "version", "purge", "sweep"]
            ),
            st.sampled_from(KEYS),
            st.sampled_from(KEYS),
        ),
        max_size=25,
    )
)
def test_after_any_changes_it_is_the_sum_of_what_is_not_current(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, Key, Key]]
) -> None:
    path, clock = tmp_path_factory.mktemp("storage"), FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    storage = storage_at(path, clock)

    for number, (verb, key, other) in enumerate(changes):
        clock.advance(days=1)
        versions = storage.list_versions(key)
        is_there = bool(versions) and versions[0].is_latest
        if verb == "put":
            storage.put(key, [b"x" * (number + 1)])
        elif verb == "copy" and is_there:
            storage.copy(key, other)
        elif verb == "rename" and is_there:
            storage.rename(key, other)
        elif verb == "delete":
            storage.delete(key)
        elif verb == "version" and versions:
            storage.delete(key, version_id=versions[number % len(versions)].version_id)
        elif verb == "purge":
            storage.purge(key)
        elif verb == "sweep":
            storage.sweep_noncurrent(clock() - timedelta(days=5), prefix=key.partition("/")[0])
        assert storage.noncurrent_bytes(ROOTS) == summed(path)
    for key in KEYS:
        storage.purge(key)
    left = storage.noncurrent_bytes(ROOTS)
    storage.close()

    assert left == 0


def test_a_rename_takes_no_more_bytes_until_the_file_is_deleted(tmp_path: Path) -> None:
    storage, other = storage_at(tmp_path), Key("alice/other")
    storage.put(Key("alice/a"), [b"bytes"])

    storage.rename(Key("alice/a"), other)
    renamed = storage.noncurrent_bytes(ROOTS)
    storage.delete(other)

    assert (renamed, storage.noncurrent_bytes(["alice/"])) == (0, 5)
    storage.close()


def test_each_root_has_its_own_bytes(tmp_path: Path) -> None:
    storage = storage_at(tmp_path)
    for number, root in enumerate(ROOTS):
        storage.put(Key(f"{root}a"), [b"x" * (number + 1)])
        storage.delete(Key(f"{root}a"))

    assert [storage.noncurrent_bytes([root]) for root in ROOTS] == [1, 2, 3]
    assert storage.noncurrent_bytes(["users/"]) == 0
    storage.close()


def test_an_index_of_an_earlier_release_is_counted_when_it_is_first_opened(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "index.sqlite3") as connection:
        connection.executescript(f"{schema._TABLES} PRAGMA user_version = 1;")
        for key, size, since in [("alice/a", 5, 1), ("alice/a", 7, None), ("uploads/7/b", 9, 2)]:
            connection.execute(
                "INSERT INTO versions (key, file, size, etag, content_type, storage_class,"
                " metadata, modified, noncurrent_since) VALUES (?, ?, ?, 'e', 'a/b', 'STANDARD',"
                " '{}', 0, ?)",
                (key, f"{size}", size, since),
            )
    storage = storage_at(tmp_path)

    before = storage.noncurrent_bytes(ROOTS)
    storage.put(Key("alice/a"), [b"new"])

    assert (before, storage.noncurrent_bytes(ROOTS)) == (14, 21)
    storage.close()
