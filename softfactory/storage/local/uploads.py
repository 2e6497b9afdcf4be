"""The index's rows of multipart uploads and their parts; all inside one of its transactions."""

import re
import sqlite3
from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from softfactory.errors import InvalidInput, InvalidPart, UploadNotFound
from softfactory.storage.base import MAX_PART_SIZE, MAX_PARTS, MIN_PART_SIZE
from softfactory.storage.local.listing import first_after
from softfactory.storage.local.versions import NO_HEADERS

_UPLOAD_ID = re.compile("[0-9a-f]{32}")

_SELECT = """
SELECT upload_id, key, content_type, storage_class, metadata, part_size, size, last_activity,
    headers
FROM uploads
"""

_INSERT = """
INSERT INTO uploads (
    upload_id, key, content_type, storage_class, metadata, part_size, size, last_activity, headers
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


class Upload(NamedTuple):
    """A row of ``uploads``: one that is neither completed nor aborted."""

    upload_id: str
    key: str
    content_type: str
    storage_class: str
    metadata: str
    part_size: int | None
    size: int | None
    last_activity: int
    headers: str = NO_HEADERS

    @property
    def is_declared(self) -> bool:
        """Whether every part has its place in one file."""
        return self.part_size is not None and self.size is not None

    def offset(self, part_number: int) -> int:
        """Return where in the one file the part begins; declared uploads only."""
        return (part_number - 1) * (self.part_size or 0)

    def check_part(self, part_number: int, size: int) -> None:
        """Raise InvalidInput unless a part of that number may be that large."""
        if not 1 <= part_number <= MAX_PARTS:
            raise InvalidInput.of("part_number", f"Part numbers run from 1 to {MAX_PARTS}.")
        if not 0 <= size <= MAX_PART_SIZE:
            raise InvalidInput.of("size", f"A part has at most {MAX_PART_SIZE} bytes.")
        if self.part_size is None or self.size is None:
            return
        count = max(1, ceil(self.size / self.part_size))
        if part_number > count:
            raise InvalidInput.of("part_number", f"This upload has {count} parts.")
        due = self.part_size if part_number < count else self.size - self.offset(count)
        if size != due:
            raise InvalidInput.of("size", f"Part {part_number} must have exactly {due} bytes.")


class Part(NamedTuple):
    """A row of ``parts`` that arrived whole; without a file it lies in its slot."""

    part_number: int
    etag: str
    size: int
    file: str | None


def insert(connection: sqlite3.Connection, upload: Upload) -> None:
    """Begin an upload."""
    connection.execute(_INSERT, upload)


def find(connection: sqlite3.Connection, key: str, upload_id: str) -> Upload:
    """Return the open upload.

    Raises:
        UploadNotFound: there is none of that id for that key.
    """
    row = None
    if _UPLOAD_ID.fullmatch(upload_id):
        row = connection.execute(
            _SELECT + " WHERE upload_id = ? AND key = ?", (upload_id, key)
        ).fetchone()
    if row is None:
        raise UploadNotFound
    return Upload(*row)


def exists(connection: sqlite3.Connection, upload_id: str) -> bool:
    """Whether an upload of that id is open."""
    query = "SELECT 1 FROM uploads WHERE upload_id = ?"
    return connection.execute(query, (upload_id,)).fetchone() is not None


def is_in_use(connection: sqlite3.Connection, upload_id: str, file: str) -> bool:
    """Whether a part of that upload that arrived lies in that file."""
    query = "SELECT 1 FROM parts WHERE upload_id = ? AND file = ?"
    return connection.execute(query, (upload_id, file)).fetchone() is not None


def delete(connection: sqlite3.Connection, upload: Upload) -> None:
    """End the upload, raising UploadNotFound where another ended it first."""
    find(connection, upload.key, upload.upload_id)
    connection.execute("DELETE FROM parts WHERE upload_id = ?", (upload.upload_id,))
    connection.execute("DELETE FROM uploads WHERE upload_id = ?", (upload.upload_id,))


def page(connection: sqlite3.Connection, prefix: str, after: Upload | None) -> list[Upload]:
    """Return some of the open uploads below ``prefix``, those behind ``after``."""
    low = (after.key, after.upload_id) if after else (prefix, "")
    rows = connection.execute(
        _SELECT + " WHERE key >= ? AND key < ? AND (key, upload_id) > (?, ?)"
        " ORDER BY key, upload_id LIMIT 500",
        (low[0], first_after(prefix) or b"", *low),
    )
    return [Upload(*row) for row in rows]


def arrived(connection: sqlite3.Connection, upload: Upload) -> list[Part]:
    """Return the parts that arrived whole, by number.

    Raises:
        UploadNotFound: the upload has ended.
    """
    find(connection, upload.key, upload.upload_id)
    rows = connection.execute(
        "SELECT part_number, etag, size, file FROM parts"
        " WHERE upload_id = ? AND etag IS NOT NULL ORDER BY part_number",
        (upload.upload_id,),
    )
    return [Part(*row) for row in rows]


def claim_slot(connection: sqlite3.Connection, upload: Upload, part_number: int) -> bool:
    """Whether the caller is now the one who writes into the part's slot."""
    find(connection, upload.key, upload.upload_id)
    cursor = connection.execute(
        "INSERT INTO parts (upload_id, part_number, size) VALUES (?, ?, 0) ON CONFLICT DO NOTHING",
        (upload.upload_id, part_number),
    )
    return cursor.rowcount == 1


def release_slot(connection: sqlite3.Connection, upload: Upload, part_number: int) -> None:
    """Let somebody else write into the slot, unless the part arrived in another way."""
    connection.execute(
        "DELETE FROM parts WHERE upload_id = ? AND part_number = ? AND etag IS NULL",
        (upload.upload_id, part_number),
    )


def register(connection: sqlite3.Connection, upload: Upload, part: Part, now: int) -> str | None:
    """Let ``part`` be the one that arrived; return the file of the one it replaces, if any.

    Raises:
        UploadNotFound: the upload has ended.
    """
    find(connection, upload.key, upload.upload_id)
    where = (upload.upload_id, part.part_number)
    replaced = connection.execute(
        "SELECT file FROM parts WHERE upload_id = ? AND part_number = ?", where
    ).fetchone()
    connection.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?)", (*where, *part[1:]))
    connection.execute(
        "UPDATE uploads SET last_activity = max(last_activity, ?) WHERE upload_id = ?",
        (now, upload.upload_id),
    )
    return replaced[0] if replaced else None


def choose(parts: Sequence[Part], wanted: Sequence[tuple[int, str]]) -> list[Part]:
    """Return the ``wanted`` of the parts that arrived, by number.

    Raises:
        InvalidPart: none is wanted, or one is not there, differs, comes twice or is too small.
    """
    if not wanted:
        raise InvalidPart("No parts were given. Name each part with its ETag.")
    there = {part.part_number: part for part in parts}
    numbers = sorted(number for number, _ in wanted)
    for number, etag in wanted:
        part = there.get(number)
        if part is None:
            raise InvalidPart(f"Part {number} has not arrived. Send it, then complete again.")
        if part.etag != etag.strip('"'):
            raise InvalidPart(f"Part {number} has another ETag. Send it again.")
        if part.size < MIN_PART_SIZE and number != numbers[-1]:
            raise InvalidPart(
                f"Part {number} is under {MIN_PART_SIZE} bytes; only the last may be."
            )
    if len(set(numbers)) < len(numbers):
        raise InvalidPart("A part was given twice. Name each part once.")
    return [there[number] for number in numbers]
