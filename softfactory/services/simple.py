"""Files for scripts and curl: a random name each, and keys that leave the user's root out."""

import heapq
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from operator import itemgetter

from softfactory.errors import Conflict, InvalidKey, NotFound
from softfactory.models import FileUpload, User
from softfactory.services.archive import open_object
from softfactory.services.arrival import MAX_FORM_SIZE, Arrival
from softfactory.services.catalog import RACES, Catalog
from softfactory.services.heads import find_object, is_listed
from softfactory.services.storage_use import Expected
from softfactory.services.visible import VisibleObjects
from softfactory.storage.base import MAX_LIST_LIMIT, ObjectSummary, Storage, StoredObject
from softfactory.storage.disposition import OCTET_STREAM
from softfactory.storage.filenames import clean_filename
from softfactory.storage.keys import (
    StoredKey,
    check_prefix,
    forms,
    is_staging,
    shown_filename,
    simple_key,
)

UNIQUE_BYTES = 6
"""Random bytes before each name: enough that two never meet and nobody guesses one."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An object of a list, under the key that it is shown with."""

    shown_key: str
    found: ObjectSummary


@dataclass(frozen=True, slots=True)
class Simple:
    """The use cases of the simple contract.

    A client's key is relative to ``<username>/``, or a whole one below any of the user's roots;
    the first of the two that exists is meant. Anyone else's file does not exist, but to
    administrators, who read and delete everywhere.
    """

    storage: Storage
    catalog: Catalog
    visible: VisibleObjects
    restore_days: int

    def upload(
        self, user: User, filename: str, chunks: Iterable[bytes], *, expected: Expected
    ) -> FileUpload:
        """Store a file under a new key of the user's and return its row.

        Raises:
            InvalidInput: the name is none.
            FileTooLarge: over 100 MB; nothing of it is left.
            QuotaExceeded, TooManyUploads: there is no room for it.
        """
        filename = clean_filename(filename)
        arrival = Arrival(chunks)
        expected = expected.within(MAX_FORM_SIZE)
        file = self._reserve(user, filename, expected)
        return self.catalog.fill(
            file, arrival.chunks(), expected=expected, content_type=arrival.content_type
        )

    def open(self, user: User, name: str) -> tuple[StoredObject, str]:
        """Open a file for reading, which the caller closes; return it with its filename.

        Raises:
            InvalidKey: no file can have this name.
            NotFound: there is none, for this user.
            RestoreInProgress: it is archived; its restoration runs now.
        """
        key = self._find(user, name, self._is_there)
        file = self.catalog.holder(key)
        filename = file.original_filename if file is not None else shown_filename(key)
        return open_object(self.storage, key, restore_days=self.restore_days), filename

    def delete(self, user: User, name: str) -> str:
        """Delete a file and return the key that it was shown with.

        Raises:
            InvalidKey: no file can have this name.
            NotFound: there is none, for this user.
            StorageError: it could not be deleted; it is still there.
        """
        # What storage lists can be deleted, also where it can't give the bytes.
        key = self._find(user, name, partial(is_listed, self.storage))
        self.catalog.delete_one(key)
        return shown_key(user, key)

    def list(self, user: User, *, prefix: str, limit: int) -> list[Listed]:
        """Return the first ``limit`` files whose shown key begins with ``prefix``, in its order.

        Raises:
            InvalidKey: no key can begin with it.
        """
        meant = forms(prefix)
        for form in meant:
            check_prefix(form)
        streams = [
            self._walk(user, start, limit, hidden)
            for form in meant
            for start, hidden in _ranges(user, form)
        ]
        merged = heapq.merge(*streams, key=itemgetter(0))
        return [*islice((Listed(key, found) for key, found in merged if found is not None), limit)]

    def _walk(
        self, user: User, start: str, limit: int, hidden: str
    ) -> Iterator[tuple[str, ObjectSummary | None]]:
        """Yield the files below the prefix ``start``, but for those below ``hidden``.

        Before them ``start`` itself, which comes before them all: storage is asked only for what a
        merge gets to.
        """
        yield shown_key(user, start), None
        for page in self.visible.pages(start, limit=min(limit, MAX_LIST_LIMIT)):
            for found in page:
                if not found.key.endswith("/") and not (hidden and found.key.startswith(hidden)):
                    yield shown_key(user, found.key), found

    def _find(self, user: User, name: str, is_there: Callable[[StoredKey], bool]) -> StoredKey:
        """Return the key of the file that ``name`` stands for."""
        for key in _candidates(user, name):
            is_hidden = key.is_folder or is_staging(key)
            if not is_hidden and is_there(key) and not self.visible.expired([key]):
                return key
        raise NotFound("File not found.")

    def _is_there(self, key: StoredKey) -> bool:
        return find_object(self.storage, key) is not None

    def _reserve(self, user: User, filename: str, expected: Expected) -> FileUpload:
        for _ in range(RACES):
            unique = secrets.token_hex(UNIQUE_BYTES)
            key = simple_key(username=user.username, unique=unique, filename=filename)
            file = self.catalog.reserve(
                user.id, key, filename=filename, content_type=OCTET_STREAM, expected=expected
            )
            if file is not None:
                return file
        raise Conflict("Too many files of this name at once. Try again.")


def _candidates(user: User, name: str) -> Iterator[StoredKey]:
    """Yield the keys that a client may mean by ``name``, the likeliest first.

    Raises:
        InvalidKey: no file can have this name.
    """
    for form in forms(name):
        whole = StoredKey(form)
        with suppress(InvalidKey):  # Too long behind the root: only the whole key is left.
            yield StoredKey(user.roots.home + form)
        if user.roots.owns(whole) or user.is_admin:
            yield whole


def shown_key(user: User, key: str) -> str:
    """Return ``key`` as the user sees it: relative to ``<username>/``, whole elsewhere."""
    return key.removeprefix(user.roots.home)


def _ranges(user: User, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the prefixes that a client's ``prefix`` covers, each with one that is left out of it.

    Each range is in the order of the keys that it is shown with.
    """
    roots = user.roots
    relative = roots.home + prefix
    yield relative, ""
    for root in (roots.uploads, roots.browser):
        if root.startswith(prefix):
            yield root, ""
        elif prefix.startswith(root):
            yield prefix, ""
    if prefix.startswith(roots.home):
        yield prefix, relative
    elif prefix and user.is_admin and not roots.owns(prefix):
        yield prefix, ""
