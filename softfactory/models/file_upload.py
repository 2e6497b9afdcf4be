"""The one record of a file, whichever door it came through."""

import secrets
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from softfactory.models.base import Base, Id
from softfactory.models.user import User
from softfactory.storage.base import StorageClass


class UploadStatus(StrEnum):
    """Where a file stands (docs/api/uploads.md, Status)."""

    PENDING = "pending"
    UPLOADING = "uploading"
    COMPLETED = "completed"
    FAILED = "failed"
    ABORTED = "aborted"


LIVING = "staging_key IS NULL AND status IN ('pending', 'uploading', 'completed')"
"""The rows whose key is taken; one that is uploaded beside its key does not hold it yet."""


def new_object_id() -> str:
    """Return 24 random hexadecimal digits: 96 bits, unguessable, shaped like an ObjectId."""
    return secrets.token_hex(12)


class FileUpload(Base):
    """A file: its row comes before its first byte and goes before its last.

    URLs are no columns: they follow from ``file_key`` and the configuration.
    """

    __tablename__ = "file_uploads"
    __table_args__ = (
        Index(
            "uq_file_uploads_living_file_key",
            "file_key",
            unique=True,
            sqlite_where=text(LIVING),
            postgresql_where=text(LIVING),
        ),
        # Every list of the contracts: one user's files, newest first, by keyset; by category too.
        # The expiry tells the living from the dead without a look at the row.
        Index("ix_file_uploads_listing", "user_id", "status", "uploaded_at", "id", "expires_at"),
        Index(
            "ix_file_uploads_category_listing",
            "user_id",
            "status",
            "category",
            "uploaded_at",
            "id",
            "expires_at",
        ),
        Index("ix_file_uploads_activity", "status", "last_activity_at"),
        Index(
            "ix_file_uploads_expiry",
            "user_id",
            "status",
            "expires_at",
            sqlite_where=text("expires_at IS NOT NULL"),
            postgresql_where=text("expires_at IS NOT NULL"),
        ),
        # Which of these keys have expired: asked for each page of storage's lists, and for the
        # bytes behind each signed URL.
        Index(
            "ix_file_uploads_expiring",
            "file_key",
            "expires_at",
            sqlite_where=text("expires_at IS NOT NULL"),
            postgresql_where=text("expires_at IS NOT NULL"),
        ),
        # A client that remembers a deleted file's id must not reach a newer file by it.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[Id]
    object_id: Mapped[str] = mapped_column(String(24), unique=True, default=new_object_id)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    file_key: Mapped[str] = mapped_column(String(1024))
    """Unique among the living (``LIVING``)."""
    staging_key: Mapped[str | None] = mapped_column(String(1024), unique=True)
    """Where the bytes wait that are to replace the file at ``file_key`` once they are confirmed."""
    renamed_from: Mapped[str | None] = mapped_column(String(1024))
    """The key before the last renaming, by which a client asks again that heard no answer."""
    original_filename: Mapped[str] = mapped_column(String(1024))
    file_size: Mapped[int] = mapped_column(default=0)
    """Bytes; what was declared until the file is completed."""
    content_type: Mapped[str] = mapped_column(String(255))
    category: Mapped[str] = mapped_column(String(16))
    """``image``, ``video``, ``document`` or ``other``."""
    etag: Mapped[str | None] = mapped_column(String(255))
    sha256: Mapped[str | None] = mapped_column(String(64))
    """Hexadecimal; only where the bytes passed through the service."""
    storage_tier: Mapped[str] = mapped_column(String(32), default=StorageClass.STANDARD.value)
    status: Mapped[str] = mapped_column(String(16), default=UploadStatus.PENDING.value)
    parent_content_type: Mapped[str | None] = mapped_column(String(255))
    parent_object_id: Mapped[int | None]
    uploaded_at: Mapped[datetime]
    expires_at: Mapped[datetime | None] = mapped_column(index=True)
    last_activity_at: Mapped[datetime]
    """When bytes or a request last moved this upload on; cleanup goes by it, not by age."""

    user: Mapped[User] = relationship()
