"""What the storage tests store and how they read it back, in a few words each."""

import random
from collections.abc import Iterator
from functools import lru_cache

from softfactory.storage.base import MIN_PART_SIZE, ObjectInfo, Storage
from softfactory.storage.keys import FolderKey, Key

MIB = 1024 * 1024

SPECIAL_KEYS = [
    Key(name)
    for name in (
        "a",
        "A",
        "a/b",
        "a/b/c",
        "a.b",
        "a b",
        "a+b",
        "a%2Fb",
        "a%20b",
        "a%b",
        "a?b=c&d",
        "a#b",
        "a'b",
        'a"b',
        "a\\b",
        "a;b:c,d",
        "a<b>|*",
        "a~b!$(b)[c]{d}^`=@",
        " leading",
        "trailing ",
        ".hidden",
        "...",
        "-rf",
        "CON",
        "nul.txt",
        "index.sqlite3",
        "files/x",
        "temp_uploads/x",
        "héllo/wörld",
        "he\u0301llo/wo\u0308rld",
        "日本語/ファイル.txt",
        "\ufb01le",
        "\uffee",
        "\U0001f600/\U00010000",
        "n" * 300,
        "deep/" * 100 + "x",
        "é" * 512,
    )
] + [FolderKey("a"), FolderKey("empty folder")]
"""Keys that a file system, a URL, XML or SQL would like to take for something else."""


class Cut(Exception):
    """A client that goes away while it sends."""


class Killed(BaseException):
    """A worker that is told to stop while it receives; no ``Exception``, like SystemExit."""


@lru_cache(maxsize=32)
def payload(size: int, seed: int = 0) -> bytes:
    """Return ``size`` bytes that no other seed or offset repeats."""
    return random.Random(f"{size} {seed}").randbytes(size)


def pieces(data: bytes, *sizes: int) -> Iterator[bytes]:
    """Yield ``data`` in pieces of these sizes, over and over until it ends."""
    position = 0
    while position < len(data):
        for size in sizes:
            yield data[position : position + size]
            position += size


def broken_off(data: bytes, error: BaseException) -> Iterator[bytes]:
    """Yield ``data`` in pieces, then raise ``error``."""
    yield from pieces(data, 100_000)
    raise error


def store(storage: Storage, key: str, data: bytes = b"content") -> ObjectInfo:
    """Put ``data`` under ``key`` with everything else left out."""
    return storage.put(Key(key), [data])


def read(storage: Storage, key: str, *, version_id: str | None = None) -> bytes:
    """Return all bytes of the object."""
    with storage.open(
        FolderKey(key) if key.endswith("/") else Key(key), version_id=version_id
    ) as stored:
        return b"".join(stored.chunks())


def names(storage: Storage, prefix: str = "") -> list[str]:
    """Return all keys below ``prefix``, in the order of the list, in one page."""
    return [summary.key for summary in storage.list_objects(prefix).objects]


def begin(storage: Storage, key: str, *parts: bytes) -> tuple[str, list[tuple[int, str]]]:
    """Begin a multipart upload and send ``parts``; return its id and what completes it."""
    upload_id = storage.create_multipart(Key(key))
    return upload_id, [send(storage, key, upload_id, n, part) for n, part in enumerate(parts, 1)]


def send(storage: Storage, key: str, upload_id: str, number: int, data: bytes) -> tuple[int, str]:
    """Send one part; return the number and ETag that complete it."""
    part = storage.put_part(Key(key), upload_id, number, [data], size=len(data))
    return part.part_number, part.etag


WHOLE_PART = payload(MIN_PART_SIZE, seed=1)
"""The smallest part that need not be the last."""
