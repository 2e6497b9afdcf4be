"""Taking uploads over: the bytes that were checked go to their key, with all that is their file's."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import Conflict, NotFound, ObjectNotFound, SoftFactoryError, StorageError
from softfactory.models import FileUpload, UploadStatus
from softfactory.services.catalog import RACES, Catalog, note
from softfactory.services.drive.open_uploads import is_spent
from softfactory.services.unit_of_work import write
from softfactory.storage.base import ObjectInfo, Storage, StorageClass
from softfactory.storage.keys import Key

NOT_ARRIVED = "File not found in S3: its bytes have not arrived. PUT them to the presigned URL."

UNKNOWN = "File not found: no upload of this s3_key is open. Ask for a new URL."


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Ends an upload whose bytes are what was declared."""

    session: Session
    storage: Storage
    catalog: Catalog
    clock: Clock

    def put_in_place(self, upload: FileUpload, staged: Key, version_id: str | None) -> None:
        """Make this version of the staged bytes the file's, and the upload a spent one.

        Row first: a crash in between leaves a pending row that cleanup finds.

        Raises:
            NotFound: the upload was given up meanwhile, or its bytes are gone.
            StorageError: the file that was there is as before, and the upload still open.
        """
        upload_id, user_id, target = upload.id, upload.user_id, Key(upload.file_key)
        content_type = upload.content_type
        self.catalog.evict_expired(target)
        reserved = self.catalog.reserve(
            user_id,
            target,
            filename=target.filename,
            content_type=content_type,
            expected=None,  # The bytes are reserved by the upload's own row.
        )
        reserved_id = reserved.id if reserved is not None else None
        try:
            self._settle(upload_id, staged, version_id)
        except SoftFactoryError as error:
            # After storage trouble nobody knows what storage has.
            if reserved_id is not None and not isinstance(error, StorageError):
                self.catalog.release(reserved_id)
            raise

    def _settle(self, upload_id: int, staged: Key, version_id: str | None) -> None:
        """Make the bytes the file's, in one transaction; its ids and earlier version stay."""
        for _ in range(RACES):
            try:
                with write(self.session):
                    upload = self._lock(upload_id)
                    if upload is None:
                        raise NotFound(UNKNOWN)
                    if not is_spent(upload):
                        self._take_over(upload, staged, version_id)
            except IntegrityError:
                continue  # another upload took the free key; it is that file now
            else:
                return
        raise Conflict("Too many changes to this file at once. Try again.")

    def _take_over(self, upload: FileUpload, staged: Key, version_id: str | None) -> None:
        now, key = self.clock(), Key(upload.file_key)
        file = self.catalog.holder(key, lock=True)
        if file is None:
            file = FileUpload(
                user_id=upload.user_id,
                file_key=key,
                content_type=upload.content_type,
                category=upload.category,
            )
            self.session.add(file)
        file.original_filename = upload.original_filename
        file.status = UploadStatus.COMPLETED.value
        file.uploaded_at = file.last_activity_at = upload.last_activity_at = now
        file.expires_at = None
        self.session.flush()
        try:
            # This version, whatever was sent to the URL since it was checked.
            stored = self.storage.copy(
                staged,
                key,
                version_id=version_id,
                content_type=upload.content_type,
                as_new=True,
            )
        except ObjectNotFound as error:
            raise NotFound(NOT_ARRIVED) from error
        if upload.storage_tier == StorageClass.GLACIER:
            stored = self._archive(stored)
        note(file, stored)
        upload.status, upload.etag = UploadStatus.ABORTED.value, stored.etag

    def _archive(self, copied: ObjectInfo) -> ObjectInfo:
        """Archive the file that was just copied; where that fails, the earlier one is back."""
        key = Key(copied.key)
        try:
            return self.storage.set_storage_class(key, StorageClass.GLACIER)
        except StorageError:
            if copied.version_id is not None:
                self.storage.delete(key, version_id=copied.version_id)
            raise

    def _lock(self, upload_id: int) -> FileUpload | None:
        query = select(FileUpload).where(FileUpload.id == upload_id)
        return self.session.scalar(query.with_for_update())
