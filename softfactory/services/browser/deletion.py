"""Deleting what the browser shows: one object, a folder, or many at once."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from softfactory.errors import NotFound, SoftFactoryError
from softfactory.models import User
from softfactory.services.access import require_key
from softfactory.services.browser.folders import Folders
from softfactory.services.browser.names import stored_key
from softfactory.services.catalog import Catalog
from softfactory.services.heads import HEADS_AT_ONCE, is_listed
from softfactory.services.visible import VisibleObjects
from softfactory.storage.base import DeleteFailure, Storage
from softfactory.storage.keys import MAX_KEY_BYTES, StoredKey, forms


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
        keys = _allowed(user, name)
        for key in keys:
            if not key.is_folder and self._is_there(key):
                self.catalog.delete_one(key)
                return
        for key in keys:
            folder = key if key.is_folder else key + "/"
            if len(folder.encode()) <= MAX_KEY_BYTES and self.folders.exists(StoredKey(folder)):
                self.folders.delete(StoredKey(folder), recursive=recursive)
                return
        raise NotFound("Object not found.")

    def delete_many(self, user: User, names: Iterable[str]) -> BatchReport:
        """Delete the objects, and report key by key; missing ones count as deleted."""
        report = BatchReport()
        meant: dict[str, list[StoredKey]] = {}
        for name in dict.fromkeys(names):
            try:
                meant[name] = _allowed(user, name)
            except SoftFactoryError as error:
                report.errors.append(DeleteFailure(name, error.code, error.message))
        keys: dict[StoredKey, str] = {}
        for name, key in self._in_forms_that_are_there(meant):
            try:
                if key.is_folder:
                    self.folders.require_empty(key)
                keys.setdefault(key, name)
            except SoftFactoryError as error:
                report.errors.append(DeleteFailure(name, error.code, error.message))
        expired = self.visible.expired(keys)
        # What has expired is missing to its clients; cleanup takes it, versions and all.
        failures = self.catalog.delete_many([key for key in keys if key not in expired])
        failed = {failure.key: failure for failure in failures}
        report.errors.extend(
            replace(failed[key], key=name) for key, name in keys.items() if key in failed
        )
        report.deleted.extend(name for key, name in keys.items() if key not in failed)
        return report

    def _in_forms_that_are_there(
        self, meant: Mapping[str, list[StoredKey]]
    ) -> Iterator[tuple[str, StoredKey]]:
        """Yield each name with the one of its keys that storage lists; the first where none is."""

        def choose(keys: list[StoredKey]) -> StoredKey:
            return next((key for key in keys if is_listed(self.storage, key)), keys[0])

        several = {name: keys for name, keys in meant.items() if len(keys) > 1}
        with ThreadPoolExecutor(HEADS_AT_ONCE) as pool:
            chosen = dict(zip(several, pool.map(choose, several.values()), strict=True))
        for name, keys in meant.items():
            yield name, chosen.get(name, keys[0])

    def _is_there(self, key: StoredKey) -> bool:
        """Whether lists show the object; storage need not be able to give it."""
        return is_listed(self.storage, key) and key not in self.visible.expired([key])


def _allowed(user: User, name: str) -> list[StoredKey]:
    """Return the keys that ``name`` may mean, the likeliest first.

    Raises:
        InvalidKey: nothing can have this name.
        PermissionDenied: one lies outside the user's roots; administrators delete everywhere.
    """
    keys = [*map(stored_key, forms(name))]
    for key in keys:
        require_key(user, key)
    return keys
