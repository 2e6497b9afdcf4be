"""What lists show of a file: columns of its row, and no object that would have to be kept track of."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import InstrumentedAttribute

from softfactory.models import FileUpload


class ListedFile(NamedTuple):
    """A file of a list; the fields are those of ``FileUpload``."""

    id: int
    object_id: str
    file_key: str
    original_filename: str
    file_size: int
    content_type: str
    category: str
    etag: str | None
    storage_tier: str
    status: str
    parent_content_type: str | None
    parent_object_id: int | None
    uploaded_at: datetime
    expires_at: datetime | None


LISTED: tuple[InstrumentedAttribute[Any], ...] = tuple(
    getattr(FileUpload, name) for name in ListedFile._fields
)
"""The columns to select, in the order of ``ListedFile``."""
