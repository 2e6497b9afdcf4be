"""Deleting what the browser shows: one object, a folder, or many at once."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from softfactory.errors import NotFound, ObjectNotFound, SoftFactoryError
from softfactory.models import User
from softfactory.services.access import require_key
from softfactory.services.browser.folders import Folders
from softfactory.services.browser.names import object_key
from softfactory.services.catalog import Catalog
from softfactory.services.visible import VisibleObjects
from softfactory.storage.base import DeleteFailure, Storage
from softfactory.storage.keys import MAX_KEY_BYTES, FolderKey, Key


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of each key of a batch."""

    deleted: list[str] = field(default_factory=list)
    errors: list[DeleteFailure] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Deletion:
    """Deletes objects with their rows; older versions stay, as storage promises."""

    storage: Storage
    catalog: Catalog
    visible: VisibleObjects
    folders: Folders

    def delete(self, user: User, name: str, *, recursive: bool) -> None:
        """Delete the object of this name or, where there is none, the folder.

        Raises:
            InvalidKey: nothing can have this name.
            PermissionDenied: it lies outside the user's roots; administrators delete everywhere.
            NotFound: there is neither.
            Conflict, StorageError: as ``Folders.delete``.
        """
        key = object_key(name)
        require_key(user, key)
        if not isinstance(key, FolderKey):
            if self._is_there(key):
                self.catalog.delete_one(key)
                return
            if len(key.encode()) == MAX_KEY_BYTES:  # no room for a folder's slash
                raise NotFound("Object not found.")
            key = FolderKey(key)
        if not self.folders.exists(key):
            raise NotFound("Object not found.")
        self.folders.delete(key, recursive=recursive)

    def delete_many(self, user: User, names: Iterable[str]) -> BatchReport:
        """Delete the objects, and report key by key; missing ones count as deleted."""
        report = BatchReport()
        keys: list[Key] = []
        for name in dict.fromkeys(names):
            try:
                keys.append(self._deletable(user, name))
            except SoftFactoryError as error:
                report.errors.append(DeleteFailure(name, error.code, error.message))
        expired = self.visible.expired(keys)
        # What has expired is missing to its clients; cleanup takes it, versions and all.
        failures = self.catalog.delete_many([key for key in keys if key not in expired])
        report.errors.extend(failures)
        failed = {failure.key for failure in failures}
        report.deleted.extend(key for key in keys if key not in failed)
        return report

    def _deletable(self, user: User, name: str) -> Key:
        key = object_key(name)
        require_key(user, key)
        if isinstance(key, FolderKey):
            self.folders.require_empty(key)
        return key

    def _is_there(self, key: Key) -> bool:
        try:
            self.storage.head(key)
        except ObjectNotFound:
            return False
        return key not in self.visible.expired([key])
