"""What goes in and out of the files routes."""

from datetime import datetime, timedelta
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from softfactory.http.fields import Derived, FileId, StoredType, UTCTime, WholeNumber
from softfactory.http.paging import PageNumber
from softfactory.http.rows import RowSchema
from softfactory.http.schemas import Answer
from softfactory.http.services import links

CATEGORIES = ("image", "video", "document")

MAX_EXPIRY_HOURS = 24 * 365 * 100
"""Hours; a century is as good as for ever, and keeps every date writable."""


class UploadForm(Schema):
    """The form of an upload, as documented; the file itself never passes through a schema."""

    file = fields.Raw(
        required=True,
        metadata={"type": "string", "format": "binary", "description": "The file, at most 50 MB."},
    )
    expires_in_hours = WholeNumber(
        minimum=1,
        maximum=MAX_EXPIRY_HOURS,
        metadata={"description": "Hours until the file is deleted."},
    )
    expires_at = UTCTime(
        metadata={"format": "date-time", "description": "When the file is deleted, instead."}
    )


class Expiry(Schema):
    """The fields of a form that say when its file ends; one of them at most."""

    expires_in_hours = WholeNumber(minimum=1, maximum=MAX_EXPIRY_HOURS)
    expires_at = UTCTime()

    @validates_schema
    def one_at_most(self, data: dict[str, Any], **_kwargs: Any) -> None:  # noqa: ANN401  # marshmallow's signature
        """Refuse a form that says it twice."""
        if len(data) > 1:
            raise ValidationError("Send expires_in_hours or expires_at, not both.", "expires_at")


def expiry(fields_: dict[str, Any], now: datetime) -> datetime | None:
    """Return when a file with these loaded ``Expiry`` fields ends; None for never."""
    if (hours := fields_.get("expires_in_hours")) is not None:
        return now + timedelta(hours=hours)
    return fields_.get("expires_at")


class Uploaded(Answer):
    """The answer to an upload."""

    file_id = fields.Integer(attribute="id", metadata={"example": 42})
    url = Derived(lambda: links().s3_url, metadata={"type": "string"})
    cdn_url = Derived(lambda: links().cdn_url, metadata={"type": "string"})
    file_key = fields.String(metadata={"example": "uploads/123/20260226_143022_document.pdf"})
    size = fields.Integer(attribute="file_size", metadata={"description": "Bytes."})
    category = fields.String(metadata={"example": "document"})
    content_type = StoredType(metadata={"example": "application/pdf"})
    original_filename = fields.String(metadata={"example": "document.pdf"})


class FileInfo(RowSchema):
    """What is known of a file."""

    id = fields.Integer(metadata={"example": 42})
    object_id = fields.String(metadata={"description": "24 hexadecimal digits."})
    file_key = fields.String()
    original_filename = fields.String()
    file_size = fields.Integer(metadata={"description": "Bytes."})
    content_type = StoredType()
    category = fields.String()
    s3_url = Derived(lambda: links().s3_url, metadata={"type": "string"})
    cdn_url = Derived(lambda: links().cdn_url, metadata={"type": "string"})
    uploaded_at = UTCTime(metadata={"format": "date-time"})
    expires_at = UTCTime(allow_none=True, metadata={"format": "date-time"})


class ListQuery(Schema):
    """Which page of which list."""

    category = fields.String(
        validate=validate.OneOf(CATEGORIES, error="category must be one of image, video, document.")
    )
    limit = PageNumber(load_default=50, maximum=100)
    offset = PageNumber(load_default=0, minimum=0)


class FileList(Answer):
    """One page of a list; ``total`` counts what the filter matches."""

    total = fields.Integer()
    limit = fields.Integer()
    offset = fields.Integer()
    files = fields.Nested(FileInfo, many=True)


class PresignRequest(Schema):
    """Which file, and for how long."""

    file_id = FileId(required=True, metadata={"example": 42})
    expiration_hours = fields.Integer(
        strict=True,
        load_default=24,
        validate=validate.Range(1, 168, error="expiration_hours must be from 1 to 168."),
    )


class Presigned(Answer):
    """A URL that gives the file's bytes until it expires."""

    presigned_url = fields.String()
    expires_at = UTCTime(metadata={"format": "date-time"})
    file_key = fields.String()
