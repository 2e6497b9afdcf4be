"""A service with very many files, written straight into its two databases by SQLite itself.

There are rows only: no list looks at a file's bytes.
"""

import sqlite3
from contextlib import closing

from benchmarks.servers.service import USERNAME, Service
from softfactory.storage.local.schema import connect

# The order of the keys is not that of the times: files come in whatever their names are. 7919 is
# prime, so every number below a power of ten comes once.
_NUMBERS = """
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :count),
    shuffled AS (SELECT n, n * 7919 % :count AS place FROM numbers)
"""

_ROWS = f"""
INSERT INTO file_uploads (
    object_id, user_id, file_key, original_filename, file_size, content_type, category, etag,
    storage_tier, status, uploaded_at, last_activity_at
) {_NUMBERS}
SELECT printf('%024x', n), :user_id, printf('{USERNAME}/file-%07d.pdf', place),
    printf('file-%07d.pdf', place), 1000 + place, 'application/pdf', 'document',
    printf('%032x', place), 'STANDARD', 'completed',
    strftime('%Y-%m-%d %H:%M:%S', unixepoch() - 86400 - :count + n, 'unixepoch') || '.000000',
    strftime('%Y-%m-%d %H:%M:%S', unixepoch() - 86400 - :count + n, 'unixepoch') || '.000000'
FROM shuffled
"""  # noqa: S608  # a constant of ours

_OBJECTS = f"""
INSERT INTO versions (key, file, size, etag, content_type, storage_class, metadata, modified)
{_NUMBERS}
SELECT printf('{USERNAME}/file-%07d.pdf', place), printf('%032x', place), 1000 + place,
    printf('%032x', place), 'application/pdf', 'STANDARD', '{{}}',
    (unixepoch() - 86400 - :count + n) * 1000000
FROM shuffled
"""  # noqa: S608  # a constant of ours


def fill(service: Service, count: int) -> None:
    """Give the service's account ``count`` files; the service must not be running."""
    with closing(sqlite3.connect(service.database, isolation_level=None)) as database:
        query = "SELECT id FROM users WHERE username_folded = ?"
        (user_id,) = database.execute(query, (USERNAME,)).fetchone()
        _insert(database, _ROWS, {"count": count, "user_id": user_id})
    with closing(connect(service.media / "index.sqlite3")) as index:
        _insert(index, _OBJECTS, {"count": count})


def _insert(database: sqlite3.Connection, statement: str, values: dict[str, int]) -> None:
    # A filled database that a crash spoils is filled again.
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -1000000")
    database.execute(statement, values)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
