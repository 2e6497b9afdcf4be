"""What storage knows of objects that may not be there, of one or of several at a time."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial

import structlog

from softfactory.errors import ObjectNotFound, StorageError
from softfactory.storage.base import ObjectInfo, Storage
from softfactory.storage.keys import StoredKey

HEADS_AT_ONCE = 8
"""Connections of one request to storage; a page of 100 then costs some 13 round trips."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Heads:
    """What is known of several objects, by key; of what is in neither, there is no object.

    Attributes:
        infos: of the objects that are there, in the order they were asked for.
        unreadable: those that storage failed to answer for, such as one that a client has
            encrypted with a key of its own, which S3 wants to see first.
    """

    infos: dict[str, ObjectInfo] = field(default_factory=dict)
    unreadable: dict[str, StorageError] = field(default_factory=dict)


def find_object(storage: Storage, key: StoredKey) -> ObjectInfo | None:
    """Return what is known of the object, None where there is none.

    Raises:
        StorageError: storage failed.
    """
    try:
        return storage.head(key)
    except ObjectNotFound:
        return None


def is_listed(storage: Storage, key: str) -> bool:
    """Whether storage lists the object; it need not be able to tell or give more of it.

    Raises:
        StorageError: storage failed.
    """
    listed = storage.list_objects(key, limit=1).objects
    return bool(listed) and listed[0].key == key


def head_each(pool: Executor, storage: Storage, keys: Sequence[StoredKey]) -> Heads:
    """Return what is known of each object; one that storage cannot answer for stops no other.

    Args:
        pool: threads to ask with; keep it for several calls, for each thread connects anew.
    """
    heads = Heads()
    for key, found in zip(keys, pool.map(partial(_attempt, storage), keys), strict=True):
        if isinstance(found, StorageError):
            heads.unreadable[key] = found
            log.warning("storage.unreadable", key=key, exc_info=found)
        elif found is not None:
            heads.infos[key] = found
    return heads


def _attempt(storage: Storage, key: StoredKey) -> ObjectInfo | StorageError | None:
    try:
        return find_object(storage, key)
    except StorageError as error:
        return error
