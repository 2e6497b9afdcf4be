"""What the holder of a signed URL gets; the URL was checked before."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Engine

from softfactory.clock import Clock
from softfactory.errors import Conflict
from softfactory.models import FileUpload, UploadStatus, User
from softfactory.services.access import is_let_in, refuse_expired
from softfactory.services.archive import open_object
from softfactory.services.look_up import look_up
from softfactory.storage.base import ObjectInfo, Storage, StoredObject
from softfactory.storage.keys import Key, StoredKey, is_staging

_UPLOAD_TO = (
    select(FileUpload.status)
    .join(User, User.id == FileUpload.user_id)
    .where(
        FileUpload.staging_key == bindparam("key"),
        is_let_in(),
    )
)


@dataclass(frozen=True, slots=True)
class SignedObjects:
    """Objects for whoever has their URL: no user, and so no session."""

    engine: Engine
    storage: Storage
    clock: Clock
    restore_days: int

    def open(self, key: StoredKey, *, version_id: str | None = None) -> StoredObject:
        """Open the object, or one version of it; the caller closes it.

        Raises:
            NotFound: there is no such object, or its file has expired.
            RestoreInProgress: it is archived.
        """
        refuse_expired(self.engine, key, now=self.clock())
        return open_object(self.storage, key, version_id=version_id, restore_days=self.restore_days)

    def put(
        self,
        key: Key,
        chunks: Iterable[bytes],
        *,
        content_type: str,
        content_encoding: str | None = None,
    ) -> ObjectInfo:
        """Store the bytes, of which those that wait to be confirmed keep no earlier version.

        Raises:
            Conflict: their upload is open no more, and reserves nothing; nothing of them is left.
        """
        if not is_staging(key):
            return self.storage.put(
                key, chunks, content_type=content_type, content_encoding=content_encoding
            )
        self._require_open(key)
        stored = self.storage.put(
            key, chunks, content_type=content_type, content_encoding=content_encoding
        )
        try:
            self._require_open(key)
        except Conflict:
            # What was sent before went with the upload.
            self.storage.purge(key)
            raise
        if stored.version_id is not None:
            self._drop_earlier(key, stored.version_id)
        return stored

    def _require_open(self, key: Key) -> None:
        """Return if an upload waits for bytes at this key, and its user may still send them."""
        found = look_up(self.engine, _UPLOAD_TO, {"key": key})
        if not any(status == UploadStatus.PENDING.value for (status,) in found):
            raise Conflict(
                "No upload waits for these bytes: it was confirmed or given up, or its account was "
                "disabled. Ask for a new URL."
            )

    def _drop_earlier(self, key: Key, version_id: str) -> None:
        for version in self.storage.list_versions(key):
            if not version.is_latest and version.version_id != version_id:
                self.storage.delete(key, version_id=version.version_id)
