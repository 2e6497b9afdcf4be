"""What the holder of a signed URL gets; the URL was checked before."""

from dataclasses import dataclass

from sqlalchemy.engine import Engine

from softfactory.clock import Clock
from softfactory.services.access import refuse_expired
from softfactory.services.archive import open_object
from softfactory.storage.base import Storage, StoredObject
from softfactory.storage.keys import Key


@dataclass(frozen=True, slots=True)
class SignedObjects:
    """Objects for whoever has their URL: no user, and so no session."""

    engine: Engine
    storage: Storage
    clock: Clock
    restore_days: int

    def open(self, key: Key, *, version_id: str | None = None) -> StoredObject:
        """Open the object, or one version of it; the caller closes it.

        Raises:
            NotFound: there is no such object, or its file has expired.
            RestoreInProgress: it is archived.
        """
        refuse_expired(self.engine, key, now=self.clock())
        return open_object(self.storage, key, version_id=version_id, restore_days=self.restore_days)
