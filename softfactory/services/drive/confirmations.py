"""Confirming uploads: what was sent is compared with what was declared, and becomes the file."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import (
    InvalidInput,
    NotFound,
    SoftFactoryError,
    StorageError,
)
from softfactory.models import FileUpload, UploadStatus, User
from softfactory.services.access import holds_its_key, is_alive
from softfactory.services.catalog import Catalog
from softfactory.services.drive.open_uploads import OpenUploads, is_spent
from softfactory.services.drive.taking_over import NOT_ARRIVED, UNKNOWN, TakeOver
from softfactory.services.heads import find_object
from softfactory.services.unit_of_work import write
from softfactory.storage.base import Storage
from softfactory.storage.keys import Key, forms, is_staging

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What became of one key; ``error`` is None where it is confirmed."""

    s3_key: str
    error: SoftFactoryError | None


@dataclass(frozen=True, slots=True)
class Confirmations:
    """Makes files of what was sent.

    The row of the upload stays beside the file's until cleanup, ``aborted`` with the ETag of the
    bytes that went over, so that confirming again is answered as the first time.
    """

    session: Session
    storage: Storage
    catalog: Catalog
    clock: Clock

    def confirm_each(self, user: User, keys: Sequence[str]) -> list[Confirmation]:
        """Confirm several uploads; one that fails stops no other."""
        return [Confirmation(key, self._attempt(user, key)) for key in keys]

    def confirm(self, user: User, key: str) -> None:
        """Put the bytes that were sent for ``key`` in their place. Safe to repeat.

        Args:
            key: the ``s3_key`` of the upload's answer, or the key of the file it is to become.

        Raises:
            NotFound: no such upload of this user's, or its bytes have not arrived.
            InvalidInput: what arrived has another size than declared; it is removed, and the
                upload stays open.
        """
        upload = self._find(user, key)
        if upload is None:
            return
        # Kept apart from the row, which somebody else may delete at any moment.
        upload_id, staged = upload.id, Key(upload.staging_key or "")
        try:
            version_id = self._check(upload, staged)
        except NotFound:
            if self._was_confirmed(upload_id):
                return
            raise
        take_over = TakeOver(self.session, self.storage, self.catalog, self.clock)
        take_over.put_in_place(upload, staged, version_id)
        try:
            self.storage.purge(staged)
        except StorageError as error:
            log.warning("drive.staged_bytes_left", key=staged, exc_info=error)

    def _attempt(self, user: User, key: str) -> SoftFactoryError | None:
        try:
            self.confirm(user, key)
        except SoftFactoryError as error:
            if isinstance(error, StorageError):
                log.warning("drive.confirm_failed", key=key, exc_info=error)
            return error
        return None

    def _find(self, user: User, key: str) -> FileUpload | None:
        """Return the upload that ``key`` means; None where it was confirmed before."""
        *others, last = forms(key)
        for form in others:
            with suppress(NotFound):
                return self._find_exactly(user, form)
        return self._find_exactly(user, last)

    def _find_exactly(self, user: User, key: str) -> FileUpload | None:
        mine = select(FileUpload).where(FileUpload.user_id == user.id)
        if is_staging(key):
            upload = self.session.scalar(mine.where(FileUpload.staging_key == key))
            if upload is not None and is_spent(upload):
                return None
            if upload is None or upload.status != UploadStatus.PENDING:
                raise NotFound(UNKNOWN)
            return upload
        waiting = OpenUploads(self.session).to_key(user.id, key)
        if len(waiting) == 1:
            return waiting[0]
        for upload in waiting:
            # The oldest is the one that was told this key; the others have one of their own.
            if find_object(self.storage, Key(upload.staging_key or "")) is not None:
                return upload
        if waiting:
            return waiting[0]
        alive = is_alive(self.clock())
        confirmed = mine.where(FileUpload.file_key == key, holds_its_key(), alive)
        if self.session.scalar(confirmed) is None:
            raise NotFound(UNKNOWN)
        return None

    def _check(self, upload: FileUpload, staged: Key) -> str | None:
        """Return the version that arrived, which has the size that was declared."""
        info = find_object(self.storage, staged)
        if info is None:
            raise NotFound(NOT_ARRIVED)
        if info.size != upload.file_size:
            self._refuse(
                upload,
                staged,
                f"The file has {info.size} bytes, not the {upload.file_size} that file_size "
                "declared. It was removed; send it again.",
            )
        if info.is_archived:
            self._refuse(
                upload,
                staged,
                "The file was sent into the archive, out of which it cannot be confirmed. It was "
                "removed; send it again, without a storage class.",
            )
        return info.version_id

    def _was_confirmed(self, upload_id: int) -> bool:
        """Whether somebody else confirmed the upload since it was found."""
        self.session.rollback()
        upload = self.session.get(FileUpload, upload_id, populate_existing=True)
        return upload is not None and is_spent(upload)

    def _refuse(self, upload: FileUpload, staged: Key, message: str) -> NoReturn:
        upload_id = upload.id
        self.storage.purge(staged)
        with write(self.session):
            alive = update(FileUpload).where(FileUpload.id == upload_id)
            self.session.execute(alive.values(last_activity_at=self.clock()))
        raise InvalidInput.of("file_size", message)
