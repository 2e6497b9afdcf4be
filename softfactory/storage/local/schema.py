"""The index's tables, and how a connection to them is opened."""

import fcntl
import os
import sqlite3
from pathlib import Path

from softfactory.disk import keep_private
from softfactory.storage.local.directories import make_root

SCHEMA_VERSION = 4
"""Kept in the file's ``user_version``; raised with each change of the tables."""

BUSY_SECONDS = 30.0
"""How long a writer waits for the other processes' commits before it gives up."""

# Times are microseconds since 1970 in UTC. The current version of a key is always the row with
# its highest id; ``noncurrent_since`` says the same for indexes that have no room for the others.
# A row with an empty file is a delete marker. Text compares as BINARY: S3's order, UTF-8 bytes.
_TABLES = """
CREATE TABLE versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    file TEXT NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    content_type TEXT NOT NULL,
    storage_class TEXT NOT NULL,
    metadata TEXT NOT NULL,
    modified INTEGER NOT NULL,
    noncurrent_since INTEGER,
    restored_from INTEGER,
    restored_until INTEGER
) STRICT;
CREATE INDEX history ON versions (key);
-- The last two are in it only because SQLite reads them for the condition all the same.
CREATE INDEX listing ON versions (
    key, size, etag, modified, storage_class, noncurrent_since, file
)
    WHERE noncurrent_since IS NULL AND file <> '';
CREATE INDEX noncurrent ON versions (noncurrent_since) WHERE noncurrent_since IS NOT NULL;
CREATE INDEX files ON versions (file);

CREATE TABLE uploads (
    upload_id TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    content_type TEXT NOT NULL,
    storage_class TEXT NOT NULL,
    metadata TEXT NOT NULL,
    part_size INTEGER,
    size INTEGER,
    last_activity INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX upload_keys ON uploads (key);

-- No etag: someone is writing into the part's slot. No file: the bytes are in the slot.
CREATE TABLE parts (
    upload_id TEXT NOT NULL,
    part_number INTEGER NOT NULL,
    etag TEXT,
    size INTEGER NOT NULL,
    file TEXT,
    PRIMARY KEY (upload_id, part_number)
) STRICT, WITHOUT ROWID;
"""

_ROOT = """
CASE
    WHEN substr({key}, 1, 6) = 'users/' THEN substr({key}, 1, 6 + instr(substr({key}, 7), '/'))
    WHEN substr({key}, 1, 8) = 'uploads/' THEN substr({key}, 1, 8 + instr(substr({key}, 9), '/'))
    ELSE substr({key}, 1, instr({key}, '/'))
END
"""
"""The root that a key lies below (keys.Roots); ends in a slash, or is no user's."""

_OTHERS = "SELECT 1 FROM versions WHERE file = {row}.file AND id <> {row}.id AND noncurrent_since"


def _counting(name: str, event: str, row: str, *conditions: str, sign: str) -> str:
    """Return the trigger that counts the bytes of a row, or counts them no more.

    A file counts once, and not while some current version has it: a rename leaves the older name
    a version that shares the file.
    """
    conditions = (
        f"{row}.file <> ''",
        *conditions,
        f"NOT EXISTS ({_OTHERS.format(row=row)} IS NULL)",
    )
    root = _ROOT.format(key=f"{row}.key")
    return f"""
        CREATE TRIGGER {name} AFTER {event} ON versions WHEN {" AND ".join(conditions)} BEGIN
            INSERT INTO noncurrent_bytes (root, bytes) VALUES ({root}, {sign}{row}.size)
            ON CONFLICT (root) DO UPDATE SET bytes = bytes + excluded.bytes;
        END;
    """  # noqa: S608  # columns only


_OTHER_NEW = f"EXISTS ({_OTHERS.format(row='NEW')} IS NOT NULL)"
_OTHER_OLD = f"EXISTS ({_OTHERS.format(row='OLD')} IS NOT NULL)"

# What was replaced or deleted, summed up for each root, so that nobody has to add up a history.
_NONCURRENT_BYTES = " ".join(
    (
        """
        CREATE TABLE noncurrent_bytes (
            root TEXT PRIMARY KEY,
            bytes INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """,
        f"""
        INSERT INTO noncurrent_bytes SELECT {_ROOT.format(key="key")} AS root, sum(size) FROM (
            SELECT max(key) AS key, max(size) AS size FROM versions WHERE file <> ''
            GROUP BY file HAVING count(*) = count(noncurrent_since)
        ) GROUP BY root;
        """,  # noqa: S608  # columns only
        _counting(
            "noncurrent_copied",
            "INSERT",
            "NEW",
            "NEW.noncurrent_since IS NULL",
            _OTHER_NEW,
            sign="-",
        ),
        _counting(
            "noncurrent_begin",
            "UPDATE OF noncurrent_since",
            "NEW",
            "OLD.noncurrent_since IS NULL AND NEW.noncurrent_since IS NOT NULL",
            sign="",
        ),
        _counting(
            "noncurrent_end",
            "UPDATE OF noncurrent_since",
            "NEW",
            "OLD.noncurrent_since IS NOT NULL AND NEW.noncurrent_since IS NULL",
            sign="-",
        ),
        _counting(
            "noncurrent_left", "DELETE", "OLD", "OLD.noncurrent_since IS NULL", _OTHER_OLD, sign=""
        ),
        _counting(
            "noncurrent_delete",
            "DELETE",
            "OLD",
            "OLD.noncurrent_since IS NOT NULL",
            f"NOT {_OTHER_OLD}",
            sign="-",
        ),
    )
)

# The headers of HTTP that are kept with an object, but for its type: a JSON object by name.
_HEADERS = """
ALTER TABLE versions ADD COLUMN headers TEXT NOT NULL DEFAULT '{}';
ALTER TABLE uploads ADD COLUMN headers TEXT NOT NULL DEFAULT '{}';
"""

# How large the parts were that a file was made of, for its ETag is a hash of their hashes: a JSON
# list of pairs, how many parts of how many bytes. Of files of one part nothing is kept.
_PART_SIZES = """
CREATE TABLE part_sizes (
    file TEXT PRIMARY KEY,
    sizes TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

_STEPS = (_TABLES, _NONCURRENT_BYTES, _HEADERS, _PART_SIZES)
"""What brings an index from each version to the next one, the first from an empty file."""


def connect(path: Path) -> sqlite3.Connection:
    """Return a new connection to the index at ``path``, making it where there is none.

    Raises:
        sqlite3.Error: it is damaged, locked for too long, or of a newer version of the service.
        OSError: its directory cannot be made.
    """
    make_root(path.parent)
    keep_private(str(path))
    # Another thread may close the connection before a fork, hence check_same_thread.
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        _prepare(connection, path.parent)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, directory: Path) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {64 * 1024 * 1024}")
    if _version(connection) == SCHEMA_VERSION:
        return
    # Two processes that switch a new file to WAL at once can fail with "locked" at once; so they
    # take turns.
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _version(connection)
        if found > SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"The index has schema {found}, not {SCHEMA_VERSION}.")
        if found == 0:
            connection.execute("PRAGMA journal_mode = WAL")
        if found < SCHEMA_VERSION:
            steps = " ".join(_STEPS[found:])
            connection.executescript(
                f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )
            os.fsync(lock)
    finally:
        os.close(lock)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
