"""The index's rows of the sizes of parts; all inside one of its transactions."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import groupby


def keep(connection: sqlite3.Connection, file: str, sizes: Sequence[int]) -> None:
    """Remember how large the parts of a new file are, in their order."""
    if len(sizes) > 1:
        runs = [(len([*same]), size) for size, same in groupby(sizes)]
        connection.execute("INSERT INTO part_sizes VALUES (?, ?)", (file, json.dumps(runs)))


def of(connection: sqlite3.Connection, file: str) -> list[int]:
    """Return the sizes of the file's parts; nothing where they are not known."""
    row = connection.execute("SELECT sizes FROM part_sizes WHERE file = ?", (file,)).fetchone()
    return [size for count, size in json.loads(row[0]) for _ in range(count)] if row else []


def forget(connection: sqlite3.Connection, files: Iterable[str]) -> None:
    """Forget files that nothing refers to any more."""
    connection.executemany("DELETE FROM part_sizes WHERE file = ?", [(file,) for file in files])
