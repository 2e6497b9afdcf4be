"""What goes in and out of the uploads routes."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

from softfactory.errors import InvalidInput
from softfactory.http.fields import BoundedList, Derived, MediaType, StoredType, UTCTime
from softfactory.http.paging import PageNumber
from softfactory.http.rows import RowSchema
from softfactory.http.schemas import Answer
from softfactory.http.services import links
from softfactory.services.access import MAX_ID
from softfactory.services.content_types import type_by_name
from softfactory.services.multipart import Declared, UploadState
from softfactory.storage.base import MAX_PART_SIZE, MAX_PARTS, MIN_PART_SIZE
from softfactory.storage.filenames import clean_filename

MAX_NAME_LENGTH = 1024
"""Characters; what the database keeps of a name."""


class FileName(fields.String):
    """A file name, which comes out as the part of it that can stand in a key."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ANN401  # marshmallow's signature
        name: str = super()._deserialize(value, attr, data, **kwargs)
        if len(name) > MAX_NAME_LENGTH:
            raise ValidationError(f"{attr} must have at most {MAX_NAME_LENGTH} characters.")
        try:
            return clean_filename(name)
        except InvalidInput as error:
            raise ValidationError(f"{attr} is no usable file name. Send another.") from error


class NewName(FileName):
    """A file's other name: one that names a folder too is no name, and is not cut to one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ANN401  # marshmallow's signature
        if isinstance(value, str) and "/" in value:
            raise ValidationError(f"{attr} must not have a / in it.")
        return super()._deserialize(value, attr, data, **kwargs)


class UploadRequest(Schema):
    """What a client says of a file before it sends it; sizes are bytes."""

    file_name = FileName(required=True, metadata={"example": "large-video.mp4"})
    file_size = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(1, error="file_size must be 1 or more."),
        metadata={"example": 104857600},
    )
    file_content_type = MediaType(
        required=True,
        metadata={
            "description": "By the name's extension where it is null or empty.",
            "example": "video/mp4",
        },
    )
    num_parts = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(1, error="num_parts must be 1 or more."),
        metadata={"maximum": MAX_PARTS, "example": 20},
    )
    part_size = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(
            MIN_PART_SIZE,
            MAX_PART_SIZE,
            error=f"part_size must be from {MIN_PART_SIZE} to {MAX_PART_SIZE} bytes.",
        ),
        metadata={"example": 5242880},
    )
    parent_content_type = fields.String(
        allow_none=True,
        load_default=None,
        validate=validate.Length(max=255),
        metadata={"example": "testapp.post"},
    )
    parent_object_id = fields.Integer(
        allow_none=True,
        load_default=None,
        strict=True,
        validate=validate.Range(0, MAX_ID),
        metadata={"example": 123},
    )

    @post_load
    def declared(self, data: dict[str, Any], **_kwargs: Any) -> Declared:  # noqa: ANN401  # marshmallow's signature
        """Return it as the service takes it."""
        return Declared(
            filename=data["file_name"],
            size=data["file_size"],
            content_type=data["file_content_type"] or type_by_name(data["file_name"]),
            num_parts=data["num_parts"],
            part_size=data["part_size"],
            parent_content_type=data["parent_content_type"],
            parent_object_id=data["parent_object_id"],
        )


class UploadFile(Answer):
    """The file of an upload, in short."""

    id = fields.String(metadata={"example": "7"})
    file_name = fields.String(attribute="original_filename")
    upload_status = fields.String(attribute="status", metadata={"example": "uploading"})


class UploadPartUrl(Answer):
    """Where a part is sent, and how."""

    part_number = fields.Integer()
    url = fields.String()
    method = fields.String(metadata={"example": "PUT"})


class _ReadyPartUrls(fields.List[dict[str, str | int]]):
    """Dumped as it stands: to dump 10,000 would take longer than to sign them."""

    def _serialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:  # noqa: ANN401  # marshmallow's signature
        return value


class UploadStarted(Answer):
    """An upload and the URLs of its parts."""

    file_obj = fields.Nested(UploadFile)
    upload_id = fields.String()
    presigned_urls = _ReadyPartUrls(fields.Nested(UploadPartUrl))
    expires_in = fields.Integer(metadata={"description": "Seconds.", "example": 3600})


class UploadArrivedPart(Answer):
    """A part that arrived whole."""

    part_number = fields.Integer()
    etag = fields.String()
    size = fields.Integer(metadata={"description": "Bytes."})


class UploadResumed(UploadStarted):
    """How an upload stands: the parts that arrived, and fresh URLs for those that did not."""

    parts = fields.List(fields.Nested(UploadArrivedPart))


def state_body(state: UploadState) -> dict[str, Any]:
    """Return what ``UploadStarted`` and ``UploadResumed`` dump."""
    return {
        "file_obj": state.file,
        "upload_id": state.upload.upload_id,
        "parts": state.arrived,
        "presigned_urls": [
            {"part_number": number, "url": url, "method": "PUT"} for number, url in state.missing
        ],
        "expires_in": int(state.expires_in.total_seconds()),
    }


class PartToken(Schema):
    """The token of a part's URL."""

    token = fields.String(load_default="", metadata={"description": "As the URL was given."})


class UploadedPart(Answer):
    """A part that arrived through this service."""

    part_number = fields.Integer()
    etag = fields.String()


class UploadNamedPart(Schema):
    """A part and the ETag that its upload answered."""

    part_number = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(1, MAX_PARTS, error=f"Part numbers are 1 to {MAX_PARTS}."),
    )
    etag = fields.String(required=True, validate=validate.Length(1, 255))


class UploadCompletion(Schema):
    """Every part of the upload."""

    parts = BoundedList(
        fields.Nested(UploadNamedPart),
        required=True,
        maximum=MAX_PARTS,
        message=f"Name 1 to {MAX_PARTS} parts.",
    )


class UploadedFile(RowSchema):
    """A file, whichever contract it came through."""

    id = fields.String(metadata={"example": "7"})
    file_name = fields.String(attribute="original_filename")
    file_size = fields.Integer(metadata={"description": "Bytes."})
    file_content_type = StoredType(attribute="content_type")
    upload_status = fields.String(attribute="status", metadata={"example": "completed"})
    url = Derived(lambda: links().cdn_url, metadata={"type": "string"})
    created = UTCTime(attribute="uploaded_at", metadata={"format": "date-time"})
    parent_content_type = fields.String(allow_none=True)
    parent_object_id = fields.Integer(allow_none=True)
    expires_at = UTCTime(allow_none=True, metadata={"format": "date-time"})


class UploadListQuery(Schema):
    """Which page."""

    limit = PageNumber(load_default=50, maximum=100)
    offset = PageNumber(load_default=0, minimum=0)


class UploadList(Answer):
    """One page; ``count`` is how many there are in all."""

    count = fields.Integer()
    next = fields.String(allow_none=True)
    previous = fields.String(allow_none=True)
    results = fields.Nested(UploadedFile, many=True)


class UploadChanges(Schema):
    """What is to change of a file; what is left out stays."""

    file_name = NewName(metadata={"description": "The key stays."})
    parent_content_type = fields.String(allow_none=True, validate=validate.Length(max=255))
    parent_object_id = fields.Integer(
        allow_none=True, strict=True, validate=validate.Range(0, MAX_ID)
    )
    expires_at = UTCTime(
        allow_none=True,
        metadata={"format": "date-time", "description": "In the future; null for never."},
    )

    @post_load
    def columns(self, data: Mapping[str, Any], **_kwargs: Any) -> dict[str, Any]:  # noqa: ANN401  # marshmallow's signature
        """Return it as the service takes it, by the row's columns."""
        renamed = {"file_name": "original_filename"}
        return {renamed.get(name, name): value for name, value in data.items()}
