"""Deleting: the row is locked, the object deleted, and only then the row's end committed."""

from collections.abc import Sequence

from sqlalchemy import select

from softfactory.models import FileUpload, MultipartUpload, UploadStatus
from softfactory.services.access import askable, holds_its_key, owner_of
from softfactory.services.catalog.rows import Rows
from softfactory.services.generations import touch
from softfactory.services.unit_of_work import write
from softfactory.storage.base import DeleteFailure
from softfactory.storage.keys import StoredKey, is_staging, root_of


class Deleting(Rows):
    """Removes files, finished or not."""

    __slots__ = ()

    def delete(self, file: FileUpload, *, key: StoredKey | None = None) -> bool:
        """Delete the file, row and object; False where somebody else just did.

        Args:
            key: delete it only as long as it has this one; for those who know it by no other name.

        Raises:
            StorageError: the object could not be deleted; the file is still there.
        """
        object_id = file.object_id
        with write(self.session):
            locked = self._lock_same(object_id)
            if locked is None or key not in (None, locked.file_key):
                return False
            is_completed = locked.status == UploadStatus.COMPLETED.value
            if not is_completed:
                self.drop_unfinished(locked)
            self.session.delete(locked)
            self.session.flush()
            if is_completed:
                self.storage.delete(StoredKey(locked.file_key))
            return True

    def delete_one(self, key: StoredKey) -> None:
        """Delete one object, and its row where it is a file; as ``delete_many``.

        Raises:
            StorageError: it could not be deleted; it is still there.
        """
        for failure in self.delete_many([key]):
            raise failure.error

    def delete_many(self, keys: Sequence[StoredKey]) -> list[DeleteFailure]:
        """Delete any number of objects and the rows of those that are files; return failures.

        Missing ones count as deleted. What could not be deleted keeps its row; multipart uploads
        on their way to a key go on.
        """
        with write(self.session):
            # In one order, so that two of these at once never wait for each other.
            query = select(FileUpload).where(
                FileUpload.file_key.in_(askable(keys)), holds_its_key()
            )
            query = query.where(FileUpload.status != UploadStatus.UPLOADING.value)
            rows = self.session.scalars(query.order_by(FileUpload.id).with_for_update()).all()
            failures = self.storage.delete_many(keys)
            failed = {failure.key for failure in failures}
            for file in rows:
                if file.file_key not in failed:
                    self.session.delete(file)
            # Objects that have no row show in lists too.
            for key in {root_of(key): key for key in keys}.values():
                if (owner := owner_of(self.session, key)) is not None:
                    touch(self.session, owner.id)
        return failures

    def evict_expired(self, key: StoredKey) -> None:
        """Remove for good, with all its versions, a file at ``key`` that has expired."""
        with write(self.session):
            self._evict_expired(key)

    def drop_unfinished(self, file: FileUpload) -> None:
        """Drop what an unfinished upload left in storage, and no older version of its key.

        Its row is locked by the caller's transaction, and stays.
        """
        if is_staging(file.staging_key or ""):
            self.storage.purge(StoredKey(file.staging_key or ""))
            return
        upload_id = self.session.scalar(
            select(MultipartUpload.upload_id).where(MultipartUpload.file_id == file.id)
        )
        if upload_id is not None:
            self.storage.abort_multipart(StoredKey(file.file_key), upload_id)
        if file.status in (UploadStatus.PENDING.value, UploadStatus.UPLOADING.value):
            key = StoredKey(file.staging_key or file.file_key)
            versions = self.storage.list_versions(key)
            if versions and versions[0].is_latest:
                self.storage.delete(key, version_id=versions[0].version_id)
