"""Which file an identifier names: its key, its file id, its object id, its number or its name."""

import re
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import Conflict, InvalidKey, NotFound, ObjectNotFound, PermissionDenied
from softfactory.models import FileUpload, UploadStatus, User
from softfactory.services.access import (
    MAX_ID,
    holds_its_key,
    is_alive,
    owner_of,
    require_key,
    require_reach,
)
from softfactory.services.content_types import category_of
from softfactory.services.drive.entries import NO_FILE
from softfactory.storage.base import Storage
from softfactory.storage.keys import StoredKey, forms, is_staging, shown_filename

MAX_NAME = 65
"""Characters of a username and the dash behind it (docs/api/README.md, Keys)."""

_OBJECT_ID = re.compile("[0-9a-fA-F]{24}")
_NUMBER = re.compile("[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Located:
    """A file that an identifier names.

    Attributes:
        key: as it was when the file was found; the row may have another one since.
        file: its row or, where it has none, a stand-in that no session knows.
    """

    key: StoredKey
    file: FileUpload
    has_row: bool


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds files for their user; others find none (docs/api/README.md, Ownership)."""

    session: Session
    storage: Storage
    clock: Clock

    def find(self, user: User, identifier: str, *, to_write: bool = False) -> Located:
        """Return the first file that ``identifier`` names, in the contract's order.

        Args:
            to_write: an administrator reads and deletes everywhere, and writes only their own.

        Raises:
            NotFound: none that this user may reach.
            Conflict: to an administrator, a file id may be that of several users' files.
        """
        for find in (
            self._by_key,
            self._by_file_id,
            self._by_object_id,
            self._by_number,
            self._by_name,
        ):
            located = find(user, identifier)
            if located is not None and (not to_write or located.file.user_id == user.id):
                return located
        raise NotFound(NO_FILE)

    def find_key(self, user: User, key: str, *, to_write: bool = False) -> Located:
        """Return the file of this key.

        Raises:
            NotFound: none that this user may reach.
        """
        located = self._by_key(user, key)
        if located is None or (to_write and located.file.user_id != user.id):
            raise NotFound(NO_FILE)
        return located

    def _by_key(self, user: User, text: str) -> Located | None:
        """Return the file of this key, as it was sent or in another form of the same letters."""
        found = (self._by_exact_key(user, form) for form in forms(text))
        return next((located for located in found if located is not None), None)

    def _by_exact_key(self, user: User, text: str) -> Located | None:
        try:
            key = StoredKey(text)
            require_key(user, key)
        except (InvalidKey, PermissionDenied):
            return None
        if "/" not in key or key.is_folder or is_staging(key):
            return None
        file = self.session.scalar(
            select(FileUpload).where(FileUpload.file_key == key, holds_its_key())
        )
        if file is None:
            return self._without_row(user, key)
        if file.status != UploadStatus.COMPLETED:
            return None
        return self._row(user, FileUpload.id == file.id)

    def _by_file_id(self, user: User, text: str) -> Located | None:
        """Return the file of this ``<username>-<filename>``.

        Raises:
            Conflict: to an administrator it may be the file of several users.
        """
        dashes = (at for at, letter in enumerate(text[:MAX_NAME]) if letter == "-")
        rests = {text[:at]: text[at + 1 :] for at in dashes}
        if user.is_admin:
            known = select(User.username).where(User.username.in_(rests))
            names = [*self.session.scalars(known.order_by(User.username))]
        else:
            names = [name for name in rests if name == user.username]
        keys = (self._by_key(user, f"{name}/{rests[name]}") for name in names)
        found = [located for located in keys if located is not None]
        if len(found) > 1:
            both = " and ".join(located.key for located in found)
            raise Conflict(f"{text} may be either of {both}. Name the file by its s3_key.")
        return found[0] if found else None

    def _by_object_id(self, user: User, text: str) -> Located | None:
        if not _OBJECT_ID.fullmatch(text):
            return None
        return self._row(user, FileUpload.object_id == text.lower())

    def _by_number(self, user: User, text: str) -> Located | None:
        if not _NUMBER.fullmatch(text) or int(text) > MAX_ID:
            return None
        return self._row(user, FileUpload.id == int(text))

    def _by_name(self, user: User, text: str) -> Located | None:
        return self._by_key(user, f"{user.roots.home}{text}")

    def _row(self, user: User, condition: ColumnElement[bool]) -> Located | None:
        """Return the living file of this condition, unless it is someone else's."""
        file = self.session.scalar(select(FileUpload).where(condition, is_alive(self.clock())))
        try:
            if file is not None:
                require_reach(user, file)
        except PermissionDenied:
            return None
        return None if file is None else Located(StoredKey(file.file_key), file, has_row=True)

    def _without_row(self, user: User, key: StoredKey) -> Located | None:
        """Return the object that others put there, as a file that no session knows."""
        owner = user if user.roots.owns(key) else owner_of(self.session, key)
        try:
            info = self.storage.head(key)
        except ObjectNotFound:
            return None
        file = FileUpload(
            user_id=owner.id if owner else None,
            file_key=key,
            original_filename=shown_filename(key),
            file_size=info.size,
            content_type=info.content_type,
            category=category_of(info.content_type),
            etag=info.etag,
            storage_tier=info.storage_class,
            status=UploadStatus.COMPLETED.value,
            uploaded_at=info.last_modified,
            last_activity_at=info.last_modified,
        )
        return Located(key, file, has_row=False)
