"""A file as the drive shows it, whether its row or only storage knows of it."""

from datetime import datetime
from typing import NamedTuple

from softfactory.models import FileUpload, UploadStatus
from softfactory.services.listed_file import ListedFile
from softfactory.storage.keys import is_reserved_root

NO_FILE = "File not found in S3. Check the s3_key, id or name."
"""What every route says of a file that is not there, or not this caller's."""


class Entry(NamedTuple):
    """One file of a list, or the details of one.

    Attributes:
        id: what opens this file again by any ``file_identifier`` route.
        tier: the storage class in lower case.
        object_id: None for an object that has no row.
    """

    id: str
    s3_key: str
    file_name: str
    size: int
    content_type: str
    tier: str
    last_modified: datetime
    is_complete: bool
    object_id: str | None

    @property
    def exists_in_db(self) -> bool:
        """Whether the file has a row."""
        return self.object_id is not None

    @classmethod
    def of(
        cls,
        file: FileUpload | ListedFile,
        *,
        last_modified: datetime | None = None,
        size: int | None = None,
        storage_class: str | None = None,
        content_type: str | None = None,
    ) -> "Entry":
        """Return the entry of a row, with what storage knows better where that is given."""
        return cls(
            id=file_id(file.file_key, file.object_id),
            s3_key=file.file_key,
            file_name=file.original_filename,
            size=file.file_size if size is None else size,
            content_type=content_type or file.content_type,
            tier=tier_of(storage_class or file.storage_tier),
            last_modified=last_modified or file.uploaded_at,
            is_complete=file.status == UploadStatus.COMPLETED,
            object_id=file.object_id,
        )


def file_id(key: str, object_id: str | None) -> str:
    """Return v3's id: ``<username>-<filename>`` below ``<username>/``, the object id elsewhere.

    An object without a row has its key for an id.
    """
    root, _, rest = key.partition("/")
    if object_id is None:
        return key
    return object_id if is_reserved_root(root) else f"{root}-{rest}"


def tier_of(storage_class: str) -> str:
    """Return the drive's name of a storage class: ``standard``, ``glacier``."""
    return storage_class.lower()
