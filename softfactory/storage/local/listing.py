"""Pages of a list: scans of one range of one index, which cost what they return."""

import sqlite3
from collections.abc import Generator
from contextlib import closing
from itertools import islice

from softfactory.errors import InvalidInput
from softfactory.storage.base import MAX_LIST_LIMIT, ObjectPage, ObjectSummary, Skipped
from softfactory.storage.keys import LAST_CHARACTER
from softfactory.storage.local.times import from_ticks

_SURROGATES, _BEHIND_SURROGATES = 0xD800, 0xE000
"""Where the code points begin that no text may have, and where they end."""

_SCAN = """
SELECT key, size, etag, modified, storage_class FROM versions INDEXED BY listing
WHERE noncurrent_since IS NULL AND file <> '' AND key >= ? AND key < ? ORDER BY key
"""


_FILES = """
FROM versions INDEXED BY listing
WHERE noncurrent_since IS NULL AND file <> '' AND key >= ? AND key < ? AND substr(key, -1) <> '/'
"""
_SKIP = f"SELECT key {_FILES} ORDER BY key LIMIT 1 OFFSET ?"  # constants of ours
_COUNT = f"SELECT count(*), max(key) {_FILES}"  # constants of ours

_ANYTHING = (
    "SELECT 1 FROM versions WHERE key >= ? AND key < ? LIMIT 1",
    "SELECT 1 FROM uploads WHERE key >= ? AND key < ? LIMIT 1",
)


def page(
    connection: sqlite3.Connection, prefix: str, delimiter: str, start_after: str, limit: int
) -> ObjectPage:
    """Return one page, as ``Storage.list_objects`` promises it.

    Raises:
        InvalidInput: ``limit`` is below 1, or a string is not valid UTF-8.
    """
    if limit < 1:
        raise InvalidInput.of("limit", "The limit must be a positive whole number.")
    limit = min(limit, MAX_LIST_LIMIT)
    with closing(_entries(connection, prefix, delimiter, start_after)) as entries:
        found = list(islice(entries, limit + 1))
    shown = found[:limit]
    return ObjectPage(
        objects=[entry for entry in shown if isinstance(entry, ObjectSummary)],
        prefixes=[entry for entry in shown if isinstance(entry, str)],
        next_start_after=_position(shown[-1]) if len(found) > limit else None,
    )


def skip(
    connection: sqlite3.Connection, prefix: str, start_after: str, before: str | None, limit: int
) -> Skipped:
    """Pass over objects, as ``Skipping.skip_objects`` promises it."""
    ends = [end for end in (first_after(prefix), before) if end is not None]
    low = max(prefix, _behind(start_after, prefix, "") or "")
    between = (low, min(ends, default=b""))
    last = connection.execute(_SKIP, (*between, limit - 1)).fetchone()
    if last is not None:
        return Skipped(limit, *last)
    return Skipped(*connection.execute(_COUNT, between).fetchone())


def holds_anything(connection: sqlite3.Connection, prefix: str) -> bool:
    """Whether a version, a marker or an open upload has a key that begins with ``prefix``.

    Raises:
        InvalidInput: ``prefix`` is not valid UTF-8.
    """
    between = (prefix, first_after(prefix) or b"")
    return any(connection.execute(query, between).fetchone() for query in _ANYTHING)


def current_files(connection: sqlite3.Connection, after: str) -> list[tuple[str, str, int]]:
    """Return key, file and size of some objects, those that come first behind ``after``."""
    query = (
        "SELECT key, file, size FROM versions INDEXED BY listing"
        " WHERE noncurrent_since IS NULL AND file <> '' AND key > ? ORDER BY key LIMIT ?"
    )
    return connection.execute(query, (after, MAX_LIST_LIMIT)).fetchall()


def first_after(prefix: str) -> str | None:
    """Return the first string in key order behind all that begin with ``prefix``; None: none is.

    Raises:
        InvalidInput: ``prefix`` is not valid UTF-8.
    """
    _check(prefix)
    kept = prefix.rstrip(LAST_CHARACTER)
    if not kept:
        return None
    code = ord(kept[-1]) + 1
    return kept[:-1] + chr(_BEHIND_SURROGATES if code == _SURROGATES else code)


def _entries(
    connection: sqlite3.Connection, prefix: str, delimiter: str, start_after: str
) -> Generator[ObjectSummary | str, None, None]:
    """Yield objects and common prefixes in key order, passing over a prefix with one seek."""
    # Behind every text comes, in SQLite's order, every blob.
    end = first_after(prefix) or b""
    low: str | None = max(prefix, _behind(start_after, prefix, delimiter) or "")
    while low is not None:
        for key, size, etag, modified, storage_class in connection.execute(_SCAN, (low, end)):
            rolled_up = _common_prefix(key, prefix, delimiter)
            if rolled_up:
                yield rolled_up
                low = first_after(rolled_up)
                break
            yield ObjectSummary(key, size, etag, from_ticks(modified), storage_class)
        else:
            return


def _common_prefix(key: str, prefix: str, delimiter: str) -> str:
    """Return the common prefix that ``key`` is rolled up into; empty where it is not."""
    at = key.find(delimiter, len(prefix)) if delimiter else -1
    return key[: at + len(delimiter)] if at >= 0 else ""


def _position(entry: ObjectSummary | str) -> str:
    return entry + LAST_CHARACTER if isinstance(entry, str) else entry.key


def _behind(start_after: str, prefix: str, delimiter: str) -> str | None:
    """Return the first string behind ``start_after``, or behind the common prefix it stands for."""
    _check(start_after)
    if not start_after:
        return None
    rolled_up = start_after.removesuffix(LAST_CHARACTER)
    if rolled_up != start_after and rolled_up == _common_prefix(rolled_up, prefix, delimiter):
        return first_after(rolled_up)
    return start_after + "\0"


def _check(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("The prefix or position is not valid UTF-8.") from error
