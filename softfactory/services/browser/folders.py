"""Folders: markers that clients make, and everything that lies below a prefix."""

from dataclasses import dataclass

import structlog

from softfactory.errors import Conflict, ObjectNotFound
from softfactory.models import User
from softfactory.services.access import require_key
from softfactory.services.browser.names import folder_key
from softfactory.services.catalog import Catalog
from softfactory.services.visible import VisibleObjects
from softfactory.storage.base import Storage
from softfactory.storage.keys import StoredKey

MARKER_TYPE = "application/x-directory"
"""What S3 clients give the empty object that stands for a folder."""

A_FEW = 10
"""Objects asked for where one is enough to know; some of them may be hidden."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Folders:
    """Folders are no files: a marker has no row, and a folder needs none to hold something."""

    storage: Storage
    catalog: Catalog
    visible: VisibleObjects

    def create(self, user: User, prefix: str) -> None:
        """Make the folder, which may be there already.

        Raises:
            InvalidKey: no folder can have this name.
            PermissionDenied: it lies outside the user's roots.
        """
        folder = folder_key(prefix)
        require_key(user, folder, to_write=True)
        try:
            self.storage.head(folder)
        except ObjectNotFound:
            self.storage.put(folder, (), content_type=MARKER_TYPE)

    def exists(self, folder: StoredKey) -> bool:
        """Whether there is a marker, or something below."""
        return any(self.visible.pages(folder, limit=A_FEW))

    def require_empty(self, folder: StoredKey) -> None:
        """Return if nothing but the marker is there.

        Raises:
            Conflict: something lies in the folder.
        """
        if any(self.visible.pages(folder, start_after=folder, limit=A_FEW)):
            raise Conflict('The folder is not empty. Send "recursive": true to delete all of it.')

    def delete(self, folder: StoredKey, *, recursive: bool) -> None:
        """Delete the folder: its marker alone, or with all that lies below, rows too.

        Raises:
            Conflict: it is not empty, and ``recursive`` is False.
            StorageError: something could not be deleted; that is still there.
        """
        if not recursive:
            self.require_empty(folder)
            self._delete([folder])
            return
        for page in self.visible.pages(folder):
            if page:
                self._delete([StoredKey(found.key) for found in page])

    def _delete(self, keys: list[StoredKey]) -> None:
        if failures := self.catalog.delete_many(keys):
            log.error("folder.delete_failed", failed=len(failures))
            raise failures[0].error
