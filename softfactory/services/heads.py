"""What storage knows of objects that may not be there, of one or of several at a time."""

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial

from softfactory.errors import ObjectNotFound
from softfactory.storage.base import ObjectInfo, Storage
from softfactory.storage.keys import Key

HEADS_AT_ONCE = 8
"""Connections of one request to storage; a page of 100 then costs some 13 round trips."""


def find_object(storage: Storage, key: Key) -> ObjectInfo | None:
    """Return what is known of the object, None where there is none.

    Raises:
        StorageError: storage failed.
    """
    try:
        return storage.head(key)
    except ObjectNotFound:
        return None


def head_each(pool: Executor, storage: Storage, keys: Sequence[Key]) -> dict[str, ObjectInfo]:
    """Return what is known of each object that is there, by its key, in the order of ``keys``.

    Args:
        pool: threads to ask with; keep it for several calls, for each thread connects anew.

    Raises:
        StorageError: storage failed for one of them.
    """
    found = pool.map(partial(find_object, storage), keys)
    return {key: info for key, info in zip(keys, found, strict=True) if info is not None}
