"""Archived files: whoever asks for their bytes starts their restoration."""

from softfactory.errors import ObjectArchived, RestoreInProgress
from softfactory.models import FileUpload
from softfactory.storage.base import ObjectInfo, Storage, StorageClass, StoredObject
from softfactory.storage.keys import StoredKey


def require_readable(storage: Storage, file: FileUpload, *, restore_days: int) -> None:
    """Return if the file's bytes can be read now; else see to it that they can be later.

    Raises:
        RestoreInProgress: the file is archived; its restoration runs now, if it did not before.
    """
    if file.storage_tier == StorageClass.STANDARD:
        return
    key = StoredKey(file.file_key)
    refuse_archived(storage, key, storage.head(key), restore_days=restore_days)


def refuse_archived(
    storage: Storage, key: StoredKey, info: ObjectInfo, *, restore_days: int
) -> None:
    """Return if the bytes of the object that ``info`` tells of can be read now.

    Raises:
        RestoreInProgress: it is archived; its restoration runs now, if it did not before.
    """
    if info.is_archived:
        storage.restore(key, days=restore_days, version_id=info.version_id)
        raise RestoreInProgress


def open_object(
    storage: Storage, key: StoredKey, *, version_id: str | None = None, restore_days: int
) -> StoredObject:
    """Open an object for reading; the caller closes it.

    Raises:
        ObjectNotFound: no such object or version.
        RestoreInProgress: it is archived; its restoration runs now, if it did not before.
    """
    try:
        return storage.open(key, version_id=version_id)
    except ObjectArchived as error:
        storage.restore(key, version_id=version_id, days=restore_days)
        raise RestoreInProgress from error
