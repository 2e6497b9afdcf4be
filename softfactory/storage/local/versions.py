"""The index's rows of objects: what a version is, and the changes that keep the rows in order.

Everything here runs inside one of the index's transactions. Changes return the files that
nothing refers to any more, for removal after the commit.
"""

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from softfactory.errors import ObjectArchived, ObjectNotFound
from softfactory.storage.base import ObjectInfo, ObjectVersion, Restoration, StorageClass
from softfactory.storage.local import part_sizes
from softfactory.storage.local.times import from_ticks, to_ticks

_VERSION_ID = re.compile("[0-7][0-9a-f]{15}")

ENCODING = "Content-Encoding"
NO_HEADERS = "{}"
"""``headers`` of an object that none are kept with."""

_SELECT = """
SELECT key, file, size, etag, content_type, storage_class, metadata, modified,
    restored_from, restored_until, noncurrent_since, headers, id
FROM versions
"""

_INSERT = """
INSERT INTO versions (
    key, file, size, etag, content_type, storage_class, metadata, modified,
    restored_from, restored_until, noncurrent_since, headers
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


class Version(NamedTuple):
    """A row of ``versions``; without a file (an empty string) it is a delete marker."""

    key: str
    file: str
    size: int
    etag: str
    content_type: str
    storage_class: str
    metadata: str
    modified: int
    restored_from: int | None = None
    restored_until: int | None = None
    noncurrent_since: int | None = None
    headers: str = NO_HEADERS
    id: int = 0

    @property
    def version_id(self) -> str:
        """The name of this version: opaque to clients, and never used again."""
        return f"{self.id:016x}"

    def restoration(self, now: datetime) -> Restoration | None:
        """Return how the restored copy stands, None where there is none (any more)."""
        if self.restored_from is None or self.restored_until is None:
            return None
        ticks = to_ticks(now)
        if ticks < self.restored_from:
            return Restoration(ongoing=True)
        if ticks < self.restored_until:
            return Restoration(ongoing=False, expires_at=from_ticks(self.restored_until))
        return None

    def info(self, now: datetime, *, versioning: bool) -> ObjectInfo:
        """Return what a head tells of this version at the moment ``now``."""
        metadata: Mapping[str, str] = json.loads(self.metadata)
        return ObjectInfo(
            key=self.key,
            size=self.size,
            etag=self.etag,
            last_modified=from_ticks(self.modified),
            storage_class=self.storage_class,
            content_type=self.content_type,
            content_encoding=json.loads(self.headers).get(ENCODING),
            version_id=self.version_id if versioning else None,
            metadata=metadata,
            restoration=self.restoration(now),
        )

    def listed(self, version_id: str) -> ObjectVersion:
        """Return what a list of versions tells of this one, under that id."""
        return ObjectVersion(
            key=self.key,
            size=self.size,
            etag=self.etag,
            last_modified=from_ticks(self.modified),
            storage_class=self.storage_class,
            version_id=version_id,
            is_latest=self.noncurrent_since is None,
        )

    def must_be_readable(self, now: datetime) -> None:
        """Raise ObjectArchived where the bytes are archived and not restored."""
        restoration = self.restoration(now)
        if self.storage_class == StorageClass.GLACIER and (
            restoration is None or restoration.ongoing
        ):
            raise ObjectArchived


def newest(connection: sqlite3.Connection, key: str) -> Version | None:
    """Return the current row of ``key``, which may be a delete marker, or None."""
    row = connection.execute(_SELECT + " WHERE key = ? ORDER BY id DESC LIMIT 1", (key,)).fetchone()
    return Version(*row) if row else None


def find(connection: sqlite3.Connection, key: str, version_id: str | None = None) -> Version:
    """Return the current version of ``key``, or the one named.

    Raises:
        ObjectNotFound: there is none, or it is a delete marker.
    """
    version = newest(connection, key) if version_id is None else _named(connection, key, version_id)
    if version is None or not version.file:
        raise ObjectNotFound
    return version


def _named(connection: sqlite3.Connection, key: str, version_id: str) -> Version | None:
    if not _VERSION_ID.fullmatch(version_id):
        return None
    row = connection.execute(
        _SELECT + " WHERE id = ? AND key = ?", (int(version_id, 16), key)
    ).fetchone()
    return Version(*row) if row else None


def history(connection: sqlite3.Connection, key: str) -> list[Version]:
    """Return the real versions of ``key``, newest first."""
    rows = connection.execute(
        _SELECT + " WHERE key = ? AND file <> '' ORDER BY id DESC",
        (key,),
    )
    return [Version(*row) for row in rows]


def add(
    connection: sqlite3.Connection, version: Version, *, versioning: bool
) -> tuple[Version, list[str]]:
    """Make ``version`` the current one of its key; return it as it stands, and spare files."""
    spare = _step_back(connection, version.key, version.modified, versioning=versioning)
    added = version._replace(id=_insert(connection, version))
    return added, unreferenced(connection, spare)


def remove_current(
    connection: sqlite3.Connection, key: str, now: int, *, versioning: bool
) -> list[str]:
    """Delete the object: put a delete marker before its versions, or drop it; return spares."""
    current = newest(connection, key)
    if current is None or not current.file:
        return []
    spare = _step_back(connection, key, now, versioning=versioning)
    if versioning:
        _insert(connection, Version(key, "", 0, "", "", "", "{}", now))
    return unreferenced(connection, spare)


def remove_version(connection: sqlite3.Connection, key: str, version_id: str) -> list[str]:
    """Delete one version, or one marker, for good; what was behind it may become current."""
    doomed = _named(connection, key, version_id)
    if doomed is None:
        return []
    connection.execute("DELETE FROM versions WHERE id = ?", (doomed.id,))
    drop_lone_markers(connection, [key])
    connection.execute(
        "UPDATE versions SET noncurrent_since = NULL"
        " WHERE id = (SELECT id FROM versions WHERE key = ? ORDER BY id DESC LIMIT 1)",
        (key,),
    )
    return unreferenced(connection, [doomed.file] if doomed.file else [])


def remove_all(connection: sqlite3.Connection, key: str) -> list[str]:
    """Delete every version and marker of ``key`` for good; return spare files."""
    return unreferenced(connection, _drop(connection, key))


def drop_lone_markers(connection: sqlite3.Connection, keys: Iterable[str]) -> None:
    """Drop the markers of keys that have no version left: they hide nothing."""
    connection.executemany(
        "DELETE FROM versions WHERE key = :key AND NOT EXISTS"
        " (SELECT 1 FROM versions WHERE key = :key AND file <> '')",
        [{"key": key} for key in keys],
    )


def unreferenced(connection: sqlite3.Connection, files: Iterable[str]) -> list[str]:
    """Return those of ``files`` that no version refers to, and forget what their parts were."""
    spare = [file for file in dict.fromkeys(files) if not is_referenced(connection, file)]
    part_sizes.forget(connection, spare)
    return spare


def page(connection: sqlite3.Connection, after: str, limit: int) -> list[Version]:
    """Return all real versions of some keys behind ``after``, newest first of each."""
    keys = connection.execute(
        "SELECT DISTINCT key FROM versions WHERE key > ? ORDER BY key LIMIT ?", (after, limit)
    ).fetchall()
    return [version for (key,) in keys for version in history(connection, key)]


def is_referenced(connection: sqlite3.Connection, file: str) -> bool:
    """Whether any version refers to ``file``."""
    query = "SELECT 1 FROM versions WHERE file = ? LIMIT 1"
    return connection.execute(query, (file,)).fetchone() is not None


def files_of(connection: sqlite3.Connection, shard: str) -> set[str]:
    """Return the files that versions refer to and whose names begin with ``shard``."""
    query = "SELECT file FROM versions WHERE file >= ? AND file < ?"
    return {file for (file,) in connection.execute(query, (shard, shard + "g"))}


def noncurrent_bytes(connection: sqlite3.Connection, roots: Sequence[str]) -> int:
    """Return the bytes below ``roots`` that were replaced or deleted."""
    marks = ", ".join("?" * len(roots))
    query = f"SELECT coalesce(sum(bytes), 0) FROM noncurrent_bytes WHERE root IN ({marks})"  # noqa: S608  # question marks only
    return int(connection.execute(query, roots).fetchone()[0])


def count_noncurrent(connection: sqlite3.Connection, before: int, prefix: str) -> int:
    """Return how many real versions below ``prefix`` stopped being current before that time."""
    query = (
        "SELECT count(*) FROM versions"
        " WHERE noncurrent_since < ? AND file <> '' AND substr(key, 1, ?) = ?"
    )
    return int(connection.execute(query, (before, len(prefix), prefix)).fetchone()[0])


def remove_noncurrent(
    connection: sqlite3.Connection, before: int, prefix: str, limit: int
) -> tuple[int, int, list[str]]:
    """Delete up to ``limit`` rows below ``prefix`` that stopped being current before that time.

    Returns:
        How many rows went, how many of them were real versions, and the spare files.
    """
    rows: list[tuple[int, str, str]] = connection.execute(
        "SELECT id, key, file FROM versions WHERE noncurrent_since < ? AND substr(key, 1, ?) = ?"
        " ORDER BY noncurrent_since LIMIT ?",
        (before, len(prefix), prefix, limit),
    ).fetchall()
    connection.executemany("DELETE FROM versions WHERE id = ?", [(row[0],) for row in rows])
    drop_lone_markers(connection, {key for _, key, _ in rows})
    files = [file for _, _, file in rows if file]
    return len(rows), len(files), unreferenced(connection, files)


def _step_back(
    connection: sqlite3.Connection, key: str, now: int, *, versioning: bool
) -> list[str]:
    """Let what is current make room, behind the scenes or for good; return its files."""
    if not versioning:
        return _drop(connection, key)
    connection.execute(
        "UPDATE versions SET noncurrent_since = ?"
        " WHERE id = (SELECT id FROM versions WHERE key = ? ORDER BY id DESC LIMIT 1)",
        (now, key),
    )
    return []


def _drop(connection: sqlite3.Connection, key: str) -> list[str]:
    files = connection.execute(
        "SELECT file FROM versions WHERE key = ? AND file <> ''", (key,)
    ).fetchall()
    connection.execute("DELETE FROM versions WHERE key = ?", (key,))
    return [file for (file,) in files]


def _insert(connection: sqlite3.Connection, version: Version) -> int:
    cursor = connection.execute(_INSERT, version[:-1])
    return int(cursor.lastrowid or 0)


def update(connection: sqlite3.Connection, version: Version) -> None:
    """Write what may change of a version in its place: type, class, restoration."""
    connection.execute(
        "UPDATE versions SET content_type = ?, storage_class = ?, restored_from = ?,"
        " restored_until = ? WHERE id = ?",
        (
            version.content_type,
            version.storage_class,
            version.restored_from,
            version.restored_until,
            version.id,
        ),
    )
