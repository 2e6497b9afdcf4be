"""The verbs that change nothing: head, open, and the lists."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from softfactory.errors import ObjectNotFound
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
from softfactory.storage.local.versions import Version

T = TypeVar("T")


class Reads(LocalBase):
    """Looking at objects; promises as in ``Storage``."""

    def head(self, key: StoredKey, *, version_id: str | None = None) -> ObjectInfo:
        """Return what is known of the object (or of one version of it) without its bytes."""

        def describe(found: Version) -> ObjectInfo:
            self._files.require(found.file, found.size)
            return self._info(found)

        return self._with_bytes(key, version_id, describe)

    def open(self, key: StoredKey, *, version_id: str | None = None) -> OpenedFile:
        """Open the object, or one version of it, for reading."""

        def opened(found: Version) -> OpenedFile:
            found.must_be_readable(self._clock())
            return OpenedFile(self._info(found), self._files.open(found.file, found.size))

        return self._with_bytes(key, version_id, opened)

    def _with_bytes(self, key: StoredKey, version_id: str | None, use: Callable[[Version], T]) -> T:
        """Return what ``use`` makes of the version, whose file it looks for.

        Raises:
            ObjectNotFound: no such object or version, or its bytes are lost.
        """
        missing = ""
        while True:
            found = self._index.look_up(partial(self._find, key=key, version_id=version_id))
            try:
                return use(found)
            except FileNotFoundError as error:
                # It was replaced since the index was read, unless the index says so again.
                if found.file == missing:
                    raise self._lost(found) from error
                missing = found.file
            except OSError as error:
                raise storage_error(error) from error

    def lost_objects(self) -> Iterator[str]:
        """Yield the keys of the objects whose bytes are not where they should be."""
        after = ""
        while page := self._index.look_up(partial(listing.current_files, after=after)):
            for key, file, size in page:
                try:
                    self._files.require(file, size)
                except OSError:
                    yield key
            after = page[-1][0]

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
