"""Rows and objects, kept together: every change that touches both happens here.

Row first: the row is committed before the first byte moves and completed after the last. What a
crash leaves is a pending row that ``files cleanup`` finds. Deleting goes the other way round: the
row is locked, the object deleted, and only then the row's end committed.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import Conflict, NotFound, ObjectNotFound, StorageError
from softfactory.models import FileUpload, MultipartUpload, UploadStatus
from softfactory.services.access import holds_its_key, owner_of
from softfactory.services.content_types import category_of
from softfactory.services.generations import touch
from softfactory.services.unit_of_work import write
from softfactory.storage.base import DeleteFailure, ObjectInfo, Storage
from softfactory.storage.keys import Key, is_staging, upload_key

RACES = 5
"""How often a change is tried again after another one took the key in between."""

KEY_ATTEMPTS = 5
"""How many keys are tried for files of one name in one second; the second is random already."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The files of all users: whose they are is decided before (``access``)."""

    session: Session
    storage: Storage
    clock: Clock

    def holder(self, key: str, *, lock: bool = False) -> FileUpload | None:
        """Return the row that holds ``key``, finished or on its way; None where it is free.

        Args:
            lock: hold the row until the transaction ends; what is returned is then current.
        """
        query = select(FileUpload).where(FileUpload.file_key == key, holds_its_key())
        return self.session.scalar(query.with_for_update() if lock else query)

    def reserve(
        self, user_id: int, key: Key, *, filename: str, content_type: str
    ) -> FileUpload | None:
        """Commit a pending row that holds ``key``; None where another row holds it already."""
        now = self.clock()
        file = FileUpload(
            user_id=user_id,
            file_key=key,
            original_filename=filename,
            content_type=content_type,
            category=category_of(content_type),
            status=UploadStatus.PENDING.value,
            uploaded_at=now,
            last_activity_at=now,
        )
        try:
            with write(self.session):
                self.session.add(file)
        except IntegrityError:
            return None
        return file

    def reserve_upload(self, user_id: int, *, filename: str, content_type: str) -> FileUpload:
        """Commit a pending row under a new key of the user's uploads root (``upload_key``).

        Raises:
            Conflict: every key that was tried is taken.
        """
        now = self.clock()
        for attempt in range(KEY_ATTEMPTS):
            unique = secrets.token_hex(4) if attempt else ""
            key = upload_key(user_id=user_id, now=now, filename=filename, unique=unique)
            file = self.reserve(user_id, key, filename=filename, content_type=content_type)
            if file is not None:
                return file
        raise Conflict("Too many files of this name at once. Try again.")

    def fill(
        self,
        file: FileUpload,
        chunks: Iterable[bytes],
        *,
        content_type: Callable[[], str],
        expires_at: Callable[[], datetime | None] = lambda: None,
    ) -> FileUpload:
        """Store the bytes of a reserved or an existing file; return its completed row.

        An existing file keeps its ids, and its older bytes as a version. Where anything raises,
        an existing file stays as it was and a reserved one leaves nothing.

        Args:
            content_type: as for ``Storage.put``: called after the last chunk.
            expires_at: likewise; it may raise to refuse the file.
        """
        seen = _Seen.of(file)
        sha256 = hashlib.sha256()
        expiry: list[datetime | None] = []

        def finish() -> str:
            detected = content_type()
            expiry.append(expires_at())
            return detected

        stored: ObjectInfo | None = None
        try:
            chunks = _digested(chunks, sha256.update)
            stored = self.storage.put(seen.key, chunks, content_type=finish)
            return self._complete(seen, stored, sha256.hexdigest(), expiry[0])
        except BaseException as error:
            # After storage trouble nobody knows what storage has; cleanup finds the pending row.
            if seen.status == UploadStatus.PENDING.value and not isinstance(error, StorageError):
                self._discard(seen, stored)
            raise

    def adopt(self, user_id: int, key: Key, *, filename: str | None = None) -> FileUpload:
        """Make the row of ``key`` say what storage says, inserting it where there is none.

        Raises:
            ObjectNotFound: there is no such object.
        """
        for _ in range(RACES):
            try:
                with write(self.session):
                    file = self.holder(key, lock=True)
                    if file is None:
                        file = self._new(user_id, key, filename or key.filename)
                    self._describe(file, self.storage.head(key))
                    self.session.flush()
            except IntegrityError:
                continue
            else:
                return file
        raise Conflict("Too many changes to this key at once. Try again.")

    def adopt_unknown(self, user_id: int, key: Key, *, dry_run: bool = False) -> bool:
        """Give an object that no row knows its row; False where a row has the key, or nothing is there.

        Args:
            dry_run: only say whether it would.
        """
        try:
            with write(self.session):
                file = self._new(user_id, key, key.filename)
                self._describe(file, self.storage.head(key))
                # Whoever is just taking the key is waited for here; only then is the object looked
                # at that counts.
                self.session.flush()
                info = self.storage.head(key)
                self._describe(file, info)
                file.uploaded_at = info.last_modified
                if dry_run:
                    self.session.rollback()
        except (IntegrityError, ObjectNotFound):
            return False
        return True

    def delete(self, file: FileUpload) -> bool:
        """Delete the file, row and object; False where somebody else just did.

        Raises:
            StorageError: the object could not be deleted; the file is still there.
        """
        object_id = file.object_id
        with write(self.session):
            locked = self._lock_same(object_id)
            if locked is None:
                return False
            is_completed = locked.status == UploadStatus.COMPLETED.value
            if not is_completed:
                self.drop_unfinished(locked)
            self.session.delete(locked)
            self.session.flush()
            if is_completed:
                self.storage.delete(Key(locked.file_key))
            return True

    def finish(self, file_id: int, info: ObjectInfo) -> FileUpload | None:
        """Complete the row of an upload that holds its key and whose object is there now.

        Returns:
            The completed row; None where there is no such row any more.
        """
        with write(self.session):
            file = self._lock(file_id)
            if file is not None and file.status != UploadStatus.COMPLETED.value:
                self._describe(file, info)
            return file

    def drop_unfinished(self, file: FileUpload) -> None:
        """Drop what an unfinished upload left in storage, and no older version of its key.

        Its row is locked by the caller's transaction, and stays.
        """
        if is_staging(file.staging_key or ""):
            self.storage.purge(Key(file.staging_key or ""))
            return
        upload_id = self.session.scalar(
            select(MultipartUpload.upload_id).where(MultipartUpload.file_id == file.id)
        )
        if upload_id is not None:
            self.storage.abort_multipart(Key(file.file_key), upload_id)
        if file.status in (UploadStatus.PENDING.value, UploadStatus.UPLOADING.value):
            key = Key(file.staging_key or file.file_key)
            versions = self.storage.list_versions(key)
            if versions and versions[0].is_latest:
                self.storage.delete(key, version_id=versions[0].version_id)

    def delete_many(self, keys: Sequence[Key]) -> list[DeleteFailure]:
        """Delete any number of objects and the rows of those that are files; return failures.

        Missing ones count as deleted. What could not be deleted keeps its row; multipart uploads
        on their way to a key go on.
        """
        with write(self.session):
            # In one order, so that two of these at once never wait for each other.
            query = select(FileUpload).where(FileUpload.file_key.in_(keys), holds_its_key())
            query = query.where(FileUpload.status != UploadStatus.UPLOADING.value)
            rows = self.session.scalars(query.order_by(FileUpload.id).with_for_update()).all()
            failures = self.storage.delete_many(keys)
            failed = {failure.key for failure in failures}
            for file in rows:
                if file.file_key not in failed:
                    self.session.delete(file)
            # Objects that have no row show in lists too.
            for key in {_root(key): key for key in keys}.values():
                if (owner := owner_of(self.session, key)) is not None:
                    touch(self.session, owner.id)
        return failures

    def evict_expired(self, key: Key) -> None:
        """Remove for good, with all its versions, a file at ``key`` that has expired."""
        with write(self.session):
            file = self.holder(key, lock=True)
            if file is not None and file.expires_at and file.expires_at <= self.clock():
                self.session.delete(file)
                self.session.flush()
                self.storage.purge(key)

    def rename(self, file: FileUpload, key: Key, *, filename: str) -> None:
        """Give the file another key and name; its ids stay, and so do its bytes.

        Raises:
            Conflict: the key is taken.
            NotFound: the file has just been deleted.
            ObjectArchived: its bytes are archived and not restored.
        """
        taken = Conflict(f"There is already a file named {filename}. Choose another name.")
        object_id = file.object_id
        try:
            with write(self.session):
                locked = self._lock_same(object_id)
                if locked is None:
                    raise NotFound("File not found.")
                source, locked.file_key = Key(locked.file_key), key
                locked.original_filename = filename
                locked.last_activity_at = self.clock()
                self.session.flush()
                if self._exists(key):
                    raise taken
                self.storage.rename(source, key)
        except IntegrityError as error:
            raise taken from error

    def _complete(
        self, seen: "_Seen", stored: ObjectInfo, sha256: str, expires_at: datetime | None
    ) -> FileUpload:
        """Commit the row of bytes that were just put."""
        for _ in range(RACES):
            try:
                with write(self.session):
                    file = self.holder(seen.key, lock=True)
                    info = stored
                    if not seen.is_still(file):
                        # Another writer, or a delete, came in between; only storage knows whose
                        # bytes came last.
                        info = self.storage.head(seen.key)
                    file = file or self._new(seen.user_id, seen.key, seen.filename)
                    self._describe(file, info)
                    if info.etag == stored.etag:
                        file.sha256, file.expires_at = sha256, expires_at
                    self.session.flush()
            except IntegrityError:
                continue
            except ObjectNotFound as error:
                raise Conflict("The file was deleted while it was sent. Send it again.") from error
            else:
                return file
        raise Conflict("Too many changes to this key at once. Try again.")

    def _describe(self, file: FileUpload, info: ObjectInfo) -> None:
        """Write what storage says into a row, which is a completed file's from now on."""
        if file.etag != info.etag:
            file.sha256 = None
        file.status = UploadStatus.COMPLETED.value
        file.file_size = info.size
        file.content_type = info.content_type
        file.category = category_of(info.content_type)
        file.etag = info.etag
        file.storage_tier = info.storage_class
        file.uploaded_at = file.last_activity_at = self.clock()

    def _new(self, user_id: int, key: Key, filename: str) -> FileUpload:
        file = FileUpload(user_id=user_id, file_key=key, original_filename=filename)
        self.session.add(file)
        return file

    def _lock_same(self, object_id: str) -> FileUpload | None:
        """Lock the very file that was found before; object ids, unlike keys, are never reused."""
        query = select(FileUpload).where(FileUpload.object_id == object_id)
        return self.session.scalar(query.with_for_update())

    def _lock(self, file_id: int) -> FileUpload | None:
        query = select(FileUpload).where(FileUpload.id == file_id)
        return self.session.scalar(query.with_for_update())

    def _exists(self, key: Key) -> bool:
        try:
            self.storage.head(key)
        except ObjectNotFound:
            return False
        return True

    def _discard(self, seen: "_Seen", stored: ObjectInfo | None) -> None:
        """Leave nothing of an upload that failed; what cannot go now is cleanup's to find."""
        try:
            if stored is not None:
                self.storage.delete(seen.key, version_id=stored.version_id)
            with write(self.session):
                unfinished = FileUpload.status == UploadStatus.PENDING.value
                self.session.execute(
                    delete(FileUpload).where(FileUpload.id == seen.file_id, unfinished)
                )
        except Exception as error:  # the upload's own error is the one to report
            log.warning("upload.discard_failed", file_id=seen.file_id, exc_info=error)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A row as it was before its bytes began to come."""

    file_id: int
    key: Key
    user_id: int
    filename: str
    status: str
    etag: str | None
    uploaded_at: datetime

    def is_still(self, file: FileUpload | None) -> bool:
        """Whether the row is there and nobody has put other bytes to its key since."""
        if file is None:
            return False
        now = (file.id, file.status, file.etag, file.uploaded_at)
        return now == (self.file_id, self.status, self.etag, self.uploaded_at)

    @classmethod
    def of(cls, file: FileUpload) -> Self:
        return cls(
            file_id=file.id,
            key=Key(file.file_key),
            user_id=file.user_id,
            filename=file.original_filename,
            status=file.status,
            etag=file.etag,
            uploaded_at=file.uploaded_at,
        )


def _root(key: str) -> str:
    """Return the part of ``key`` that says whose it is."""
    first, _, rest = key.partition("/")
    return f"{first}/{rest.partition('/')[0]}" if first in ("users", "uploads") else first


def _digested(chunks: Iterable[bytes], update: Callable[[bytes], None]) -> Iterator[bytes]:
    for chunk in chunks:
        update(chunk)
        yield chunk
