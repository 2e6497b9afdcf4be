"""What goes in and out of the simple routes; every answer says ``"success": true``."""

from marshmallow import Schema, fields

from softfactory.http.fields import UTCTime
from softfactory.http.paging import PageNumber
from softfactory.http.rows import RowSchema
from softfactory.http.schemas import Answer

_KEY = {"example": "abc123_file.txt", "description": "Relative to your <username>/ root."}


class SimpleAnswer(Answer):
    """What every answer says."""

    success = fields.Constant(True, metadata={"type": "boolean"})  # noqa: FBT003


class SimpleDescription(SimpleAnswer):
    """What there is."""

    message = fields.String()
    endpoints = fields.Dict(keys=fields.String(), values=fields.Dict())


class SimpleForm(Schema):
    """The form of an upload, for the documents; the file itself never passes through a schema."""

    file = fields.Raw(
        required=True,
        metadata={"type": "string", "format": "binary", "description": "At most 100 MB."},
    )


class SimpleUploaded(SimpleAnswer):
    """The answer to an upload."""

    message = fields.Constant("File uploaded successfully", metadata={"type": "string"})
    file_key = fields.String(metadata=_KEY)
    url = fields.String(metadata={"description": "Names the file; gives no bytes."})
    original_filename = fields.String(metadata={"example": "file.txt"})


class SimpleDeleted(SimpleAnswer):
    """The answer to a delete."""

    message = fields.Constant("File deleted successfully", metadata={"type": "string"})
    file_key = fields.String(metadata=_KEY)


class SimpleListQuery(Schema):
    """Which files."""

    prefix = fields.String(load_default="")
    max_keys = PageNumber(load_default=1000, maximum=1000)


class SimpleFile(RowSchema):
    """A file of a list."""

    key = fields.String(attribute="shown_key", metadata=_KEY)
    size = fields.Integer(attribute="found.size", metadata={"description": "Bytes."})
    last_modified = UTCTime(attribute="found.last_modified", metadata={"format": "date-time"})


class SimpleList(SimpleAnswer):
    """A list of files, in key order."""

    files = fields.Nested(SimpleFile, many=True)
    count = fields.Integer()
