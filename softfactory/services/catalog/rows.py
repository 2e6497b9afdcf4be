"""The rows of files: found, begun, and told what storage says."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.models import FileUpload, UploadStatus
from softfactory.models.file_upload import new_object_id
from softfactory.services.access import holds_its_key
from softfactory.services.content_types import category_of
from softfactory.services.quotas import Quotas
from softfactory.storage.base import ObjectInfo, Storage, StorageClass
from softfactory.storage.keys import StoredKey

RACES = 5
"""How often a change is tried again after another one took the key in between."""

_HOLDER = select(FileUpload).where(FileUpload.file_key == bindparam("key"), holds_its_key())
_LOCKED_HOLDER = _HOLDER.with_for_update()

FILES = FileUpload.metadata.tables[FileUpload.__tablename__]
"""The table, for statements that no object takes part in."""

_UNKNOWN = dict.fromkeys(
    ("staging_key", "etag", "sha256", "parent_content_type", "parent_object_id", "expires_at")
)
"""The columns that a pending row says nothing in."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What every part of the catalog begins with."""

    session: Session
    storage: Storage
    clock: Clock
    quotas: Quotas

    def holder(self, key: str, *, lock: bool = False) -> FileUpload | None:
        """Return the row that holds ``key``, finished or on its way; None where it is free.

        Args:
            lock: hold the row until the transaction ends; what is returned is then current.
        """
        return self.session.scalar(_LOCKED_HOLDER if lock else _HOLDER, {"key": key})

    def describe(self, file: FileUpload, info: ObjectInfo) -> None:
        """Write what storage says into a row, which is a completed file's from now on."""
        note(file, info)
        for name, value in self._completed().items():
            setattr(file, name, value)

    def _completed(self) -> dict[str, Any]:
        """Return what makes a row that of a completed file, by column."""
        now = self.clock()
        return {
            "status": UploadStatus.COMPLETED.value,
            "uploaded_at": now,
            "last_activity_at": now,
        }

    def _pending(
        self, user_id: int, key: StoredKey, *, filename: str, content_type: str
    ) -> dict[str, Any]:
        """Return a row that will hold ``key`` while its object is not known yet, by column."""
        now = self.clock()
        return _UNKNOWN | {
            "object_id": new_object_id(),
            "user_id": user_id,
            "file_key": key,
            "original_filename": filename,
            "file_size": 0,
            "content_type": content_type,
            "category": category_of(content_type),
            "storage_tier": StorageClass.STANDARD.value,
            "status": UploadStatus.PENDING.value,
            "uploaded_at": now,
            "last_activity_at": now,
        }

    def _new(self, user_id: int, key: StoredKey, filename: str) -> FileUpload:
        file = FileUpload(user_id=user_id, file_key=key, original_filename=filename)
        self.session.add(file)
        return file

    def _lock_same(self, object_id: str) -> FileUpload | None:
        """Lock the very file that was found before; object ids, unlike keys, are never reused."""
        query = select(FileUpload).where(FileUpload.object_id == object_id)
        return self.session.scalar(query.with_for_update())

    def _evict_expired(self, key: StoredKey) -> None:
        """Remove for good what has expired at ``key``, which is free from then on."""
        file = self.holder(key, lock=True)
        if file is not None and file.expires_at and file.expires_at <= self.clock():
            self.session.delete(file)
            self.session.flush()
            self.storage.purge(key)


def note(file: FileUpload, info: ObjectInfo) -> None:
    """Write what storage says of a file's object into its row; its status and times stay."""
    if file.etag != info.etag:
        file.sha256 = None
    for name, value in told_by(info).items():
        setattr(file, name, value)


def told_by(info: ObjectInfo) -> dict[str, Any]:
    """Return what storage says of a file's object, by column."""
    return {
        "etag": info.etag,
        "file_size": info.size,
        "content_type": info.content_type,
        "category": category_of(info.content_type),
        "storage_tier": info.storage_class,
    }
