"""The rows of multipart uploads: looked up, begun and moved on.

Where a multipart upload goes to a key that the client chose, its file row stands beside that key
(``staging_key`` is a name of its own that no object ever gets), so that it hides no file that is
there; in storage the upload is one to the key itself, which shows nothing of it until completed.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session, joinedload

from softfactory.clock import Clock
from softfactory.errors import Conflict, UploadNotFound
from softfactory.models import FileUpload, MultipartUpload, UploadStatus
from softfactory.services.access import MAX_ID
from softfactory.services.unit_of_work import write

TOUCH_EVERY = timedelta(minutes=1)
"""How exact ``last_activity_at`` is while parts arrive; cleanup counts in hours."""


@dataclass(frozen=True, slots=True)
class MultipartRecords:
    """Reads and writes what is remembered of multipart uploads; knows no storage."""

    session: Session
    clock: Clock

    def of_file(self, file_id: int) -> MultipartUpload:
        """Return the multipart upload of this file, open or ended.

        Raises:
            UploadNotFound: there is no such file, or it did not come in parts.
        """
        query = select(MultipartUpload).where(MultipartUpload.file_id == file_id)
        found = self._one(query) if 0 < file_id <= MAX_ID else None
        if found is None:
            raise UploadNotFound("Upload not found.")
        return found

    def find(self, key: str, upload_id: str) -> MultipartUpload | None:
        """Return the upload that storage knows by ``upload_id``, None where no row tells of it.

        Raises:
            UploadNotFound: it is one to another key.
        """
        found = self._one(select(MultipartUpload).where(MultipartUpload.upload_id == upload_id))
        if found is not None and found.file.file_key != key:
            raise UploadNotFound
        return found

    def again(self, row_id: int) -> MultipartUpload:
        """Return the upload of this row as it is now.

        Raises:
            UploadNotFound: it is gone, and so is its file.
        """
        found = self._one(select(MultipartUpload).where(MultipartUpload.id == row_id))
        if found is None:
            raise UploadNotFound
        return found

    def locked(self, row_id: int) -> MultipartUpload:
        """Return the upload as it is once whoever is ending it has; its file's row is locked then.

        Raises:
            UploadNotFound: it is gone, and so is its file.
        """
        file_id = self.again(row_id).file_id
        self.session.scalar(select(FileUpload.id).where(FileUpload.id == file_id).with_for_update())
        # Whoever was waited for may have changed the row, handed it over or removed it.
        return self.again(row_id)

    def begin(self, upload: MultipartUpload) -> None:
        """Add to the caller's transaction that storage has begun the upload."""
        upload.file.status = UploadStatus.UPLOADING.value
        upload.file.last_activity_at = upload.created_at
        self.session.add(upload)

    def forget(self, file: FileUpload) -> None:
        """Remove the pending row of an upload that storage did not begin."""
        with write(self.session):
            self.session.execute(delete(FileUpload).where(FileUpload.id == file.id))

    def touch(self, file: FileUpload) -> None:
        """Remember that the upload is alive, at most once a minute."""
        if self.clock() - file.last_activity_at >= TOUCH_EVERY:
            with write(self.session):
                file.last_activity_at = self.clock()

    def hand_over(self, row_id: int, file: FileUpload) -> None:
        """Let a completed upload be that of ``file``, which has its bytes; its own row goes.

        The completed file remembers its upload, so that completing again finds the same answer.
        """
        with write(self.session):
            query = select(MultipartUpload).where(MultipartUpload.id == row_id)
            locked = self.session.scalar(query.with_for_update())
            if locked is None or locked.file_id == file.id:
                return
            beside = locked.file_id
            self.session.execute(delete(MultipartUpload).where(MultipartUpload.file_id == file.id))
            locked.file_id = file.id
            self.session.flush()
            self.session.execute(delete(FileUpload).where(FileUpload.id == beside))

    def _one(self, query: Select[MultipartUpload]) -> MultipartUpload | None:
        owned = joinedload(MultipartUpload.file).joinedload(FileUpload.user)
        fresh = query.options(owned).execution_options(populate_existing=True)
        return self.session.scalar(fresh)


def require_open(upload: MultipartUpload) -> None:
    """Return if parts can be sent to the upload and it can be completed.

    Raises:
        Conflict: it was completed or aborted, or has failed.
    """
    if upload.file.status != UploadStatus.UPLOADING.value:
        raise Conflict(f"This upload is {upload.file.status}. Begin a new one.")


def require_taking(upload: MultipartUpload) -> None:
    """Return if whoever has its URLs, and no login, can send parts to the upload.

    Raises:
        Conflict: it is open no more, or its user is let in no more.
    """
    require_open(upload)
    owner = upload.file.user
    if owner.disabled_at is not None or owner.deleted_at is not None:
        raise Conflict("This upload takes no parts: its account was disabled.")
