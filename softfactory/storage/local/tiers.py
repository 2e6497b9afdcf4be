"""The verbs on an object's storage class: archiving and restoring."""

from datetime import timedelta
from sqlite3 import Connection

from softfactory.errors import Conflict, InvalidInput
from softfactory.storage.base import ObjectInfo, Restoration, StorageClass
from softfactory.storage.keys import StoredKey
from softfactory.storage.local import versions
from softfactory.storage.local.base import LocalBase
from softfactory.storage.local.times import to_span, to_ticks
from softfactory.storage.local.versions import Version


class Tiers(LocalBase):
    """S3's archive states without an archive: the bytes stay, the waiting is the same."""

    def set_storage_class(self, key: StoredKey, storage_class: StorageClass) -> ObjectInfo:
        """Move the current version to another class; a restored copy ends with that."""

        def change(connection: Connection) -> tuple[Version, list[str]]:
            found = self._find_whole(connection, key)
            found.must_be_readable(self._clock())
            moved = found._replace(
                storage_class=storage_class, restored_from=None, restored_until=None
            )
            versions.update(connection, moved)
            return moved, []

        return self._write(change)

    def restore(self, key: StoredKey, *, version_id: str | None = None, days: int) -> Restoration:
        """Start bringing an archived object back for ``days`` days; return how it stands.

        Raises:
            InvalidInput: ``days`` is not 1 or more.
        """
        if days < 1:
            raise InvalidInput.of("days", "An object is restored for 1 day or more.")

        def change(connection: Connection) -> Restoration:
            found = self._find_whole(connection, key, version_id)
            if found.storage_class != StorageClass.GLACIER:
                raise Conflict("The file is not archived; there is nothing to restore.")
            now = self._clock()
            stands = found.restoration(now)
            if stands is not None:
                return stands
            ready = to_ticks(now) + to_span(self._restore_delay)
            until = ready + to_span(timedelta(days=days))
            started = found._replace(restored_from=ready, restored_until=until)
            versions.update(connection, started)
            return started.restoration(now) or Restoration(ongoing=True)

        return self._index.write(change)
