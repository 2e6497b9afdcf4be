"""A user's uploads that wait to be confirmed, each beside the key that it is to take."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from softfactory.models import FileUpload, UploadStatus
from softfactory.storage.keys import is_staging


@dataclass(frozen=True, slots=True)
class OpenUploads:
    """Finds them; other contracts' unfinished uploads are none of these."""

    session: Session

    def to_key(self, user_id: int, key: str) -> list[FileUpload]:
        """Return the uploads that are to become the file of ``key``, the oldest first."""
        return self._all(user_id, FileUpload.file_key == key)

    def known_as(self, user_id: int, keys: Sequence[str]) -> list[FileUpload]:
        """Return those that are to become one of ``keys``, or whose bytes wait at one of them."""
        return self._all(
            user_id, or_(FileUpload.file_key.in_(keys), FileUpload.staging_key.in_(keys))
        )

    def awaited_keys(self, user_id: int, keys: Sequence[str]) -> set[str]:
        """Return those of ``keys`` that some upload is to become."""
        return {upload.file_key for upload in self._all(user_id, FileUpload.file_key.in_(keys))}

    def _all(self, user_id: int, condition: ColumnElement[bool]) -> list[FileUpload]:
        query = select(FileUpload).where(
            FileUpload.user_id == user_id,
            FileUpload.status == UploadStatus.PENDING.value,
            FileUpload.staging_key.is_not(None),
            condition,
        )
        found = self.session.scalars(query.order_by(FileUpload.id))
        return [upload for upload in found if is_staging(upload.staging_key or "")]


def is_spent(upload: FileUpload) -> bool:
    """Whether the bytes of this upload went over into a file."""
    return upload.status == UploadStatus.ABORTED and upload.etag is not None
