"""What goes in and out of the browser's multipart routes."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from softfactory.errors import InvalidKey
from softfactory.http.fields import BoundedList, MediaType
from softfactory.http.schemas import Answer
from softfactory.services.browser.names import file_key
from softfactory.storage.base import MAX_PARTS
from softfactory.storage.keys import Key


class MultipartKey(fields.String):
    """The key of a file, as every route of the browser takes it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Key:  # noqa: ANN401  # marshmallow's signature
        try:
            return file_key(super()._deserialize(value, attr, data, **kwargs))
        except InvalidKey as error:
            raise ValidationError(error.message) from error


class MultipartPartNumber(fields.Integer):
    """A part's number, 1 to 10,000."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  # marshmallow's options
        """Make the field."""
        message = f"Part numbers are 1 to {MAX_PARTS}."
        super().__init__(
            strict=True, validate=validate.Range(1, MAX_PARTS, error=message), **options
        )


class MultipartStart(Schema):
    """Which key is to be uploaded to."""

    key = MultipartKey(required=True, metadata={"example": "users/user-uuid/large-file.zip"})
    content_type = MediaType(
        metadata={"description": "By the key's extension where nothing is said."}
    )


class MultipartStarted(Answer):
    """The id of an upload."""

    upload_id = fields.String()


class MultipartReference(Schema):
    """Which upload."""

    key = MultipartKey(required=True, metadata={"example": "users/user-uuid/large-file.zip"})
    upload_id = fields.String(required=True, validate=validate.Length(1, 1024))


class MultipartPartRequest(MultipartReference):
    """Which part of which upload."""

    part_number = MultipartPartNumber(required=True)


class MultipartPartUrl(Answer):
    """A URL that takes a part by a plain PUT; the answer's ETag header is the part's."""

    url = fields.String()
    part_number = fields.Integer()
    expires_in = fields.Integer(metadata={"description": "Seconds."})


class MultipartPart(Answer):
    """A part that arrived."""

    part_number = fields.Integer()
    etag = fields.String()
    size = fields.Integer(metadata={"description": "Bytes."})


class MultipartParts(Answer):
    """The parts that arrived, by number."""

    parts = fields.List(fields.Nested(MultipartPart))


class MultipartNamedPart(Schema):
    """A part and the ETag that its upload answered."""

    part_number = MultipartPartNumber(required=True)
    etag = fields.String(required=True, validate=validate.Length(1, 255))


class MultipartCompletion(MultipartReference):
    """Which parts make the object, in any order."""

    parts = BoundedList(
        fields.Nested(MultipartNamedPart),
        required=True,
        maximum=MAX_PARTS,
        message=f"Name 1 to {MAX_PARTS} parts.",
    )


class MultipartCompleted(Answer):
    """The object that was made."""

    key = fields.String()
    etag = fields.String()
    message = fields.String()
