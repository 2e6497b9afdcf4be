"""What goes in and out of the drive's routes."""

from collections.abc import Callable
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

from softfactory.http.fields import MAX_TEXT, BoundedList, Derived, StoredType, UTCTime
from softfactory.http.paging import PageNumber
from softfactory.http.rows import Part, RowSchema
from softfactory.http.runtime import runtime
from softfactory.http.schemas import Answer, Error
from softfactory.services.drive.entries import Entry
from softfactory.services.drive.recent_list import EntryPage
from softfactory.services.drive.uploads import MAX_FILES, TIERS, Begun
from softfactory.storage.base import StorageClass

NO_TIER = 'target_tier is required and must be either "standard" or "glacier".'


class Tier(fields.Field[StorageClass]):
    """A tier's name, in any case."""

    def _deserialize(self, value: Any, attr: str | None, *_args: Any, **_kwargs: Any) -> Any:  # noqa: ANN401  # marshmallow's signature
        tier = TIERS.get(value.lower()) if isinstance(value, str) else None
        if tier is None:
            raise ValidationError(NO_TIER)
        return tier


class DriveListQuery(Schema):
    """Which page of the list, and how fresh."""

    page = PageNumber(load_default=1)
    per_page = PageNumber(load_default=50, maximum=100)
    cursor = fields.String(
        load_default=None, metadata={"description": "next_cursor of a page; overrides page."}
    )
    use_cache = fields.Boolean(
        load_default=True, error_messages={"invalid": "use_cache must be true or false."}
    )


class DriveStorageListQuery(DriveListQuery):
    """The same, with longer pages."""

    per_page = PageNumber(load_default=50, maximum=1000)


class DriveListMetadata(RowSchema):
    """What the list tells of a file's bytes."""

    tier = fields.String(metadata={"example": "standard"})
    size = fields.Integer(metadata={"description": "Bytes."})


class DriveMetadata(DriveListMetadata):
    """The same, with the type."""

    content_type = StoredType(metadata={"example": "image/jpeg"})


class DriveFullMetadata(DriveMetadata):
    """The same, with the time."""

    last_modified = UTCTime(milliseconds=True, metadata={"format": "date-time"})


def _simple_url() -> Callable[[Entry], str]:
    object_url = runtime().storage.object_url
    return lambda entry: object_url(entry.s3_key)


class _File(RowSchema):
    file_name = fields.String(metadata={"example": "example.jpg"})
    simple_url = Derived(_simple_url, metadata={"type": "string"})
    upload_complete = fields.Function(
        lambda entry: "complete" if entry.is_complete else "pending", metadata={"type": "string"}
    )
    s3_key = fields.String(metadata={"example": "username/example.jpg"})


class DriveFile(_File):
    """A file of the list out of the database."""

    metadata = Part(DriveListMetadata)
    last_modified = UTCTime(milliseconds=True, metadata={"format": "date-time"})
    id = fields.Function(
        lambda entry: entry.s3_key, metadata={"type": "string", "example": "username/example.jpg"}
    )


class DriveStoredFile(_File):
    """A file of the list out of storage."""

    metadata = Part(DriveMetadata)
    last_modified = UTCTime(milliseconds=True, metadata={"format": "date-time"})
    id = fields.String(metadata={"example": "username-example.jpg"})
    exists_in_db = fields.Boolean()


class DriveDetails(_File):
    """All that is known of a file."""

    metadata = Part(DriveFullMetadata)
    id = fields.String(metadata={"example": "username-example.jpg"})
    exists_in_db = fields.Boolean()
    object_id = fields.String(allow_none=True, metadata={"description": "24 hexadecimal digits."})


class _Page(Answer):
    total = fields.Integer()
    total_pages = fields.Integer()
    page = fields.Integer()
    per_page = fields.Integer()
    next_cursor = fields.String(allow_none=True)


class DriveFileList(_Page):
    """One page of the list out of the database."""

    files = fields.Nested(DriveFile, many=True)


class DriveStoredFileList(_Page):
    """One page of the list out of storage."""

    files = fields.Nested(DriveStoredFile, many=True)


def page_body(query: dict[str, Any], page: EntryPage) -> dict[str, Any]:
    """Return what a page schema dumps."""
    return {
        "files": page.entries,
        "total": page.total,
        "total_pages": -(-page.total // query["per_page"]),
        "page": query["page"],
        "per_page": query["per_page"],
        "next_cursor": page.next_cursor,
    }


class DriveNewFile(Schema):
    """A file that is to be sent; the service checks each by itself, so any value is taken here."""

    file_name = fields.Raw(allow_none=True, metadata={"type": "string", "example": "example.jpg"})
    content_type = fields.Raw(allow_none=True, metadata={"type": "string", "example": "image/jpeg"})
    file_size = fields.Raw(allow_none=True, metadata={"type": "integer", "description": "Bytes."})
    tier = fields.Raw(allow_none=True, metadata={"type": "string", "enum": ["standard", "glacier"]})


class DriveUploadBody(DriveNewFile):
    """Files that are to be sent: a list of them, or the fields of one."""

    files = BoundedList(
        fields.Raw(allow_none=True, metadata={"type": "object"}),
        maximum=MAX_FILES,
        message=f"files must be a list of 1 to {MAX_FILES} files.",
        metadata={"description": "Objects with file_name, content_type, file_size and tier."},
    )

    @post_load
    def as_list(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:  # noqa: ANN401  # marshmallow's signature
        """Make a list of the one file that was sent by itself."""
        is_single = "files" not in data
        return {"files": [data] if is_single else data["files"], "is_single": is_single}


class DriveTicket(Answer):
    """Where one file is to be sent."""

    file_name = fields.String()
    presigned_url = fields.String()
    s3_key = fields.String()
    id = fields.String()
    status = fields.Constant("success", metadata={"type": "string"})


class DriveRefusal(Answer):
    """A file that gets no URL."""

    file_name = fields.String()
    status = fields.Constant("failed", metadata={"type": "string"})
    error = fields.String(attribute="error.message")


class DriveBegun(Answer):
    """What became of the files; one sent by itself has its fields at the top too."""

    optional = ("file_name", "presigned_url", "s3_key", "id", "status")

    message = fields.String()
    successful = fields.List(fields.Nested(DriveTicket))
    failed = fields.List(fields.Nested(DriveRefusal))
    file_name = fields.String()
    presigned_url = fields.String()
    s3_key = fields.String()
    id = fields.String()
    status = fields.String()


class DriveNoneBegun(Error):
    """Why no file of a request gets a URL."""

    optional = ("errors", "success")

    message = fields.String()
    successful = fields.List(fields.Nested(DriveTicket))
    failed = fields.List(fields.Nested(DriveRefusal))


def begun_body(begun: Begun, *, is_single: bool) -> dict[str, Any]:
    """Return what ``DriveBegun`` and ``DriveNoneBegun`` dump."""
    good, bad = len(begun.successful), len(begun.failed)
    at_the_top = DriveTicket().dump(begun.successful[0]) if is_single and good else {}
    return {
        "message": f"Successfully generated presigned URLs for {good} files. {bad} files failed.",
        "successful": begun.successful,
        "failed": begun.failed,
        **at_the_top,
    }


class DriveConfirmRequest(Schema):
    """Which upload to confirm."""

    s3_key = fields.String(required=True, metadata={"example": "username/example.jpg"})


class DriveConfirmManyRequest(Schema):
    """Which uploads to confirm."""

    s3_keys = BoundedList(
        fields.String(validate=validate.Length(max=MAX_TEXT)),
        required=True,
        maximum=MAX_FILES,
        message=f"s3_keys must be a list of 1 to {MAX_FILES} keys.",
    )


class DriveConfirmation(Answer):
    """What became of one upload."""

    s3_key = fields.String()
    status = fields.Function(
        lambda each: "error" if each.error else "success", metadata={"type": "string"}
    )
    message = fields.Function(
        lambda each: each.error.message if each.error else "Upload confirmed",
        metadata={"type": "string"},
    )


class DriveConfirmed(Answer):
    """What became of each upload."""

    message = fields.String()
    results = fields.List(fields.Nested(DriveConfirmation))


class DrivePresigned(Answer):
    """A URL that gives the file's bytes."""

    presigned_url = fields.String()
    file_name = fields.String(attribute="original_filename")


class DriveKey(Schema):
    """Which file, by its key."""

    s3_key = fields.String(required=True, metadata={"example": "username/example.jpg"})


class DriveRenameRequest(DriveKey):
    """A file and its new name."""

    new_filename = fields.String(required=True, validate=validate.Length(min=1))


class DriveRenamed(Answer):
    """The file's new key and name."""

    message = fields.String()
    new_s3_key = fields.String()
    new_filename = fields.String()


class DriveRefreshed(Answer):
    """What storage says of the file."""

    message = fields.String()
    metadata = fields.Nested(DriveMetadata)


class DriveTierRequest(Schema):
    """Which tier the file is to be in."""

    target_tier = Tier(
        required=True,
        allow_none=False,
        error_messages={"required": NO_TIER, "null": NO_TIER},
        metadata={"type": "string", "enum": ["standard", "glacier"]},
    )


class DriveRestoring(Error):
    """A change of tier that waits for the file's restoration."""

    message = fields.String()


class DriveTierChange(Answer):
    """What the change came to."""

    message = fields.String()
    metadata = fields.Nested(DriveFullMetadata)
