"""Files for scripts and curl: a random name each, and keys that leave the user's root out."""

import heapq
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter

from softfactory.errors import Conflict, InvalidKey, NotFound, ObjectNotFound
from softfactory.models import FileUpload, User
from softfactory.services.archive import open_object
from softfactory.services.arrival import MAX_FORM_SIZE, Arrival
from softfactory.services.catalog import RACES, Catalog
from softfactory.services.quotas import Expected
from softfactory.services.visible import VisibleObjects
from softfactory.storage.base import MAX_LIST_LIMIT, ObjectSummary, Storage, StoredObject
from softfactory.storage.disposition import OCTET_STREAM
from softfactory.storage.keys import Key, check_prefix, clean_filename, is_staging, simple_key

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
        key = self._find(user, name)
        file = self.catalog.holder(key)
        filename = file.original_filename if file is not None else key.filename
        return open_object(self.storage, key, restore_days=self.restore_days), filename

    def delete(self, user: User, name: str) -> str:
        """Delete a file and return the key that it was shown with.

        Raises:
            InvalidKey: no file can have this name.
            NotFound: there is none, for this user.
            StorageError: it could not be deleted; it is still there.
        """
        key = self._find(user, name)
        self.catalog.delete_one(key)
        return shown_key(user, key)

    def list(self, user: User, *, prefix: str, limit: int) -> list[Listed]:
        """Return the first ``limit`` files whose shown key begins with ``prefix``, in its order.

        Raises:
            InvalidKey: no key can begin with it.
        """
        check_prefix(prefix)
        streams = [
            self._walk(user, start, limit, hidden) for start, hidden in _ranges(user, prefix)
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

    def _find(self, user: User, name: str) -> Key:
        """Return the key of the file that ``name`` stands for."""
        whole = Key(name)
        candidates = [whole] if user.roots.owns(name) or user.is_admin else []
        with suppress(InvalidKey):  # Too long behind the root: only the whole key is left.
            candidates.insert(0, Key(user.roots.home + name))
        for key in candidates:
            if not is_staging(key) and self._is_there(key):
                return key
        raise NotFound("File not found.")

    def _is_there(self, key: Key) -> bool:
        try:
            self.storage.head(key)
        except ObjectNotFound:
            return False
        return not self.visible.expired([key])

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
