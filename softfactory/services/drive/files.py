"""What is done with one file of the drive: read, described, renamed, moved between tiers, deleted."""

from dataclasses import dataclass
from datetime import timedelta
from unicodedata import normalize

from sqlalchemy import select
from sqlalchemy.orm import Session

from softfactory.errors import InvalidInput, NotFound, ObjectNotFound
from softfactory.models import FileUpload, User
from softfactory.services.access import holds_its_key, is_alive, owner_of
from softfactory.services.archive import open_object, refuse_archived
from softfactory.services.catalog import Catalog, note
from softfactory.services.drive.entries import NO_FILE, Entry, tier_of
from softfactory.services.drive.identifiers import Finder, Located
from softfactory.services.drive.open_uploads import OpenUploads
from softfactory.services.generations import touch
from softfactory.services.links import Links
from softfactory.services.unit_of_work import write
from softfactory.storage.base import ObjectInfo, Storage, StorageClass, StoredObject
from softfactory.storage.filenames import clean_filename
from softfactory.storage.keys import Key, StoredKey, forms

RESTORING = "File restoration initiated. Try changing the tier again after restoration is complete."


@dataclass(frozen=True, slots=True)
class TierChange:
    """What a change of tier came to; ``entry`` is None while the file is being restored."""

    message: str
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class DriveFiles:
    """One user's dealings with one file; ``identifier`` is any that the contract knows."""

    session: Session
    storage: Storage
    catalog: Catalog
    finder: Finder
    links: Links
    url_lifetime: timedelta
    restore_days: int

    def open(self, user: User, identifier: str) -> tuple[FileUpload, StoredObject]:
        """Return the file and its opened object, which the caller closes.

        Raises:
            NotFound: no such file of this user's.
            RestoreInProgress: it is archived; its restoration runs now.
        """
        located = self.finder.find(user, identifier)
        try:
            stored = open_object(self.storage, located.key, restore_days=self.restore_days)
        except ObjectNotFound as error:
            raise NotFound(NO_FILE) from error
        return located.file, stored

    def presign(self, user: User, identifier: str) -> tuple[FileUpload, str]:
        """Return the file and a URL that gives its bytes for a while.

        Raises:
            NotFound, RestoreInProgress: as ``open``.
        """
        located = self.finder.find(user, identifier)
        if located.file.storage_tier != StorageClass.STANDARD:
            info = self._head(located)
            refuse_archived(self.storage, located.key, info, restore_days=self.restore_days)
        return located.file, self.links.download(located.file, self.url_lifetime).url

    def details(self, user: User, identifier: str) -> Entry:
        """Return what storage and database know of the file.

        Raises:
            NotFound: no such file of this user's, or no such object.
        """
        located = self.finder.find(user, identifier)
        return self._entry(located, self._head(located))

    def refresh(self, user: User, identifier: str) -> Entry:
        """Write into the file's row what storage says of it.

        Raises:
            NotFound: no such file of this user's, or no such object.
        """
        located = self.finder.find(user, identifier)
        if not located.has_row:
            return self._entry(located, self._head(located))
        file_id = located.file.id
        with write(self.session):
            file = self._lock(file_id, located.key)
            # With the row held, so that nobody puts other bytes there in between.
            info = self._head(located)
            note(file, info)
        return self._entry(located, info)

    def change_tier(self, user: User, identifier: str, storage_class: StorageClass) -> TierChange:
        """Move the file to the tier, or start to bring it back from the archive.

        Raises:
            NotFound: no such file of this user's, or no such object.
        """
        located = self.finder.find(user, identifier, to_write=True)
        info, tier = self._head(located), tier_of(storage_class)
        if info.storage_class == storage_class:
            message = f"File is already in {tier} tier"
            return TierChange(message, self._entry(located, info))
        if info.is_archived:
            self.storage.restore(located.key, days=self.restore_days)
            return TierChange(RESTORING, None)
        file_id, user_id = located.file.id, user.id
        with write(self.session):
            file = self._lock(file_id, located.key) if located.has_row else None
            info = self.storage.set_storage_class(located.key, storage_class)
            if file is not None:
                note(file, info)
            else:
                touch(self.session, user_id)
        message = f"File successfully changed to {tier} tier"
        return TierChange(message, self._entry(located, info))

    def rename(self, user: User, key: str, filename: str) -> Key:
        """Give the file another name in its folder; return its new key. Its ids stay.

        Safe to repeat, as long as nothing else came to the old key and the new name stays.

        Raises:
            InvalidInput: it is no name for a file.
            NotFound: no such file of this user's.
            Conflict: the name is taken, or the file archived.
        """
        if "/" in filename:
            raise InvalidInput.of("new_filename", "new_filename must not have a / in it.")
        try:
            name = clean_filename(filename)
            target = Key(f"{key.rpartition('/')[0]}/{name}")
        except InvalidInput as error:
            message = f"new_filename is not usable: {error.message}"
            raise InvalidInput.of("new_filename", message) from error
        try:
            return self._rename(user, key, name)
        except NotFound:
            # An answer that got lost is asked for again, or somebody else's was a moment earlier.
            if self._was_renamed(user, key, target):
                return target
            raise

    def _rename(self, user: User, key: str, name: str) -> Key:
        located = self.finder.find_key(user, key, to_write=True)
        target = Key(located.key.folder + name)
        if target == located.key:
            return target
        try:
            file = located.file if located.has_row else self.catalog.adopt(user.id, located.key)
            self.catalog.rename(file, target, filename=name)
        except ObjectNotFound as error:
            raise NotFound(NO_FILE) from error
        return target

    def _was_renamed(self, user: User, key: str, target: Key) -> bool:
        """Whether the user's file at ``target`` had ``key`` until its last renaming."""
        renamed_from = self.session.scalar(
            select(FileUpload.renamed_from).where(
                FileUpload.user_id == user.id,
                FileUpload.file_key == target,
                holds_its_key(),
                is_alive(self.catalog.clock()),
            )
        )
        return renamed_from is not None and normalize("NFC", renamed_from) == normalize("NFC", key)

    def delete(self, user: User, key: str) -> None:
        """Delete the file, row and object; of two at once one succeeds.

        Where there is no file, an upload of this key that is not confirmed yet is given up.

        Raises:
            NotFound: no such file of this user's.
            StorageError: the object could not be deleted; the file is still there.
        """
        try:
            located = self.finder.find_key(user, key)
        except NotFound:
            if self._give_up(user, key):
                return
            raise
        if located.has_row:
            if not self.catalog.delete(located.file, key=located.key):
                raise NotFound(NO_FILE)
            return
        with write(self.session):
            if located.file.user_id is not None:
                touch(self.session, located.file.user_id)
            self.storage.delete(located.key)

    def _give_up(self, user: User, key: str) -> bool:
        """Drop the open uploads of this key, with what was sent; False where there are none."""
        owner = (owner_of(self.session, key) if user.is_admin else None) or user
        waiting = OpenUploads(self.session).known_as(owner.id, forms(key))
        return sum(self.catalog.delete(upload) for upload in waiting) > 0

    def _head(self, located: Located) -> ObjectInfo:
        try:
            return self.storage.head(located.key)
        except ObjectNotFound as error:
            raise NotFound(NO_FILE) from error

    def _lock(self, file_id: int, key: StoredKey) -> FileUpload:
        """Return the row, held until the transaction ends, of a file found by this key before."""
        query = select(FileUpload).where(FileUpload.id == file_id, FileUpload.file_key == key)
        locked = self.session.scalar(query.with_for_update())
        if locked is None:
            raise NotFound(NO_FILE)
        return locked

    def _entry(self, located: Located, info: ObjectInfo) -> Entry:
        return Entry.of(
            located.file,
            last_modified=info.last_modified,
            size=info.size,
            storage_class=info.storage_class,
            content_type=info.content_type,
        )
