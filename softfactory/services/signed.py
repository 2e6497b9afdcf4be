"""What the holder of a signed URL gets; the URL was checked before."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.engine import Engine

from softfactory.clock import Clock
from softfactory.services.access import refuse_expired
from softfactory.services.archive import open_object
from softfactory.storage.base import ObjectInfo, Storage, StoredObject
from softfactory.storage.keys import Key, StoredKey, is_staging


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
        """Store the bytes, of which those that wait to be confirmed keep no earlier version."""
        stored = self.storage.put(
            key, chunks, content_type=content_type, content_encoding=content_encoding
        )
        if is_staging(key) and stored.version_id is not None:
            self._drop_earlier(key, stored.version_id)
        return stored

    def _drop_earlier(self, key: Key, version_id: str) -> None:
        for version in self.storage.list_versions(key):
            if not version.is_latest and version.version_id != version_id:
                self.storage.delete(key, version_id=version.version_id)
