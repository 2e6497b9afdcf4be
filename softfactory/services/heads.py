"""What storage knows of many objects, asked of it several at a time."""

from collections.abc import Sequence
from concurrent.futures import Executor

from softfactory.errors import ObjectNotFound
from softfactory.storage.base import ObjectInfo, Storage
from softfactory.storage.keys import Key

HEADS_AT_ONCE = 8
"""Connections of one request to storage; a page of 100 then costs some 13 round trips."""


def head_each(pool: Executor, storage: Storage, keys: Sequence[Key]) -> dict[str, ObjectInfo]:
    """Return what is known of each object that is there, by its key, in the order of ``keys``.

    Args:
        pool: threads to ask with; keep it for several calls, for each thread connects anew.

    Raises:
        StorageError: storage failed for one of them.
    """

    def head(key: Key) -> ObjectInfo | None:
        try:
            return storage.head(key)
        except ObjectNotFound:
            return None

    found = pool.map(head, keys)
    return {key: info for key, info in zip(keys, found, strict=True) if info is not None}
