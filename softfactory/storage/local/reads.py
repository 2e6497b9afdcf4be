"""The verbs that change nothing: head, open, and the lists."""

from functools import partial

from softfactory.errors import ObjectNotFound, StorageError
from softfactory.storage.base import (
    MAX_LIST_LIMIT,
    ObjectInfo,
    ObjectPage,
    ObjectVersion,
    Skipped,
)
from softfactory.storage.keys import StoredKey
from softfactory.storage.local import listing, versions
from softfactory.storage.local.base import NULL_VERSION, LocalBase
from softfactory.storage.local.failures import storage_error
from softfactory.storage.local.opened import OpenedFile


class Reads(LocalBase):
    """Looking at objects; promises as in ``Storage``."""

    def head(self, key: StoredKey, *, version_id: str | None = None) -> ObjectInfo:
        """Return what is known of the object (or of one version of it) without its bytes."""
        return self._info(self._index.look_up(partial(self._find, key=key, version_id=version_id)))

    def open(self, key: StoredKey, *, version_id: str | None = None) -> OpenedFile:
        """Open the object, or one version of it, for reading."""
        missing = ""
        while True:
            found = self._index.look_up(partial(self._find, key=key, version_id=version_id))
            found.must_be_readable(self._clock())
            try:
                return OpenedFile(self._info(found), self._files.open(found.file, found.size))
            except FileNotFoundError as error:
                # It was replaced since the index was read, unless the index says so again.
                if found.file == missing:
                    raise StorageError from error
                missing = found.file
            except OSError as error:
                raise storage_error(error) from error

    def list_objects(
        self,
        prefix: str = "",
        *,
        delimiter: str = "",
        start_after: str = "",
        limit: int = MAX_LIST_LIMIT,
    ) -> ObjectPage:
        """Return up to ``limit`` objects and common prefixes below ``prefix``, in key order."""
        return self._index.read(
            lambda connection: listing.page(connection, prefix, delimiter, start_after, limit)
        )

    def skip_objects(
        self, prefix: str, *, start_after: str, before: str | None, limit: int
    ) -> Skipped:
        """Pass over up to ``limit`` objects, as ``Skipping`` promises it."""
        return self._index.read(
            lambda connection: listing.skip(connection, prefix, start_after, before, limit)
        )

    def list_versions(self, key: StoredKey) -> list[ObjectVersion]:
        """Return the real versions of exactly this key, newest first."""
        if self._versioning:
            rows = self._index.look_up(partial(versions.history, key=key))
            return [row.listed(row.version_id) for row in rows]
        try:
            return [self._index.look_up(partial(versions.find, key=key)).listed(NULL_VERSION)]
        except ObjectNotFound:
            return []

    def holds_anything(self, prefix: str) -> bool:
        """Whether there is a version, a delete marker or an open upload below ``prefix``."""
        return self._index.read(partial(listing.holds_anything, prefix=prefix))
