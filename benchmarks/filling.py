"""A service with very many files, written straight into its two databases by SQLite itself.

There are rows only: no list looks at a file's bytes. ``fill_with_objects`` writes the bytes too.
"""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, select

from benchmarks.servers.service import USERNAME, Service
from softfactory.clock import utc_now
from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.models import FileUpload, UploadStatus, User
from softfactory.services.catalog.rows import told_by
from softfactory.storage.base import ObjectInfo
from softfactory.storage.keys import Key
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


def fill_with_objects(service: Service, count: int) -> None:
    """Give the service's account ``count`` small files of yesterday, whatever it stands on."""
    with service.inside():
        storage = runtime().storage

        def put(number: int) -> ObjectInfo:
            key = Key(f"{USERNAME}/file-{number:07}.pdf")
            return storage.put(key, [b"%PDF-1.4\n"], content_type="application/pdf")

        with ThreadPoolExecutor(8) as pool:
            stored = [*pool.map(put, range(count))]
        user_id = db.session.scalar(select(User.id).where(User.username == USERNAME))
        rows = [_row_of(number, info, user_id) for number, info in enumerate(stored)]
        db.session.execute(insert(FileUpload), rows)
        db.session.commit()


def _row_of(number: int, info: ObjectInfo, user_id: int | None) -> dict[str, Any]:
    # Files of the last five minutes are looked for in the database, and are never cached.
    moment = utc_now() - timedelta(days=1) + timedelta(seconds=number)
    return told_by(info) | {
        "user_id": user_id,
        "file_key": info.key,
        "original_filename": Key(info.key).filename,
        "status": UploadStatus.COMPLETED.value,
        "uploaded_at": moment,
        "last_activity_at": moment,
    }
