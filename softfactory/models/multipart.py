"""A multipart upload in progress; which parts of it arrived, storage knows."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from softfactory.models.base import Base, Id
from softfactory.models.file_upload import FileUpload


class MultipartUpload(Base):
    """What is being, or was, uploaded in parts; goes with its file.

    A completed file keeps its upload, so that completing again finds the same answer.
    """

    __tablename__ = "multipart_uploads"

    id: Mapped[Id]
    file_id: Mapped[int] = mapped_column(
        ForeignKey("file_uploads.id", ondelete="CASCADE"), unique=True
    )
    upload_id: Mapped[str] = mapped_column(String(1024), index=True)
    """The storage's own id of the upload (S3 calls it UploadId)."""
    part_size: Mapped[int | None]
    """Bytes of every part but the last, where it was declared."""
    num_parts: Mapped[int | None]
    created_at: Mapped[datetime]

    file: Mapped[FileUpload] = relationship()
