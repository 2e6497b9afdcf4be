"""What goes in and out of the browser's S3 routes, but for uploads in parts."""

import binascii
from base64 import b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from softfactory.http.fields import MAX_TEXT, BoundedList, Flag, StoredType, UTCTime
from softfactory.http.paging import PageNumber
from softfactory.http.rows import RowSchema
from softfactory.http.schemas import Answer

MAX_BATCH = 1000
"""Keys of one request (docs/api/browser.md, Delete many), as many as S3's DeleteObjects takes."""

_KEY = {"example": "users/0b6e43f2-5d3a-4f0c-9a53-2b1f0f6f2f1e/folder/file.txt"}


class ContinuationToken(fields.Field[str]):
    """Where a list goes on: a position in key order, in a form that nobody builds upon."""

    def _serialize(self, value: str | None, *_args: Any, **_kwargs: Any) -> str | None:  # noqa: ANN401  # marshmallow's signature
        return None if value is None else urlsafe_b64encode(value.encode()).decode()

    def _deserialize(self, value: Any, attr: str | None, *_args: Any, **_kwargs: Any) -> str:  # noqa: ANN401  # marshmallow's signature
        try:
            cursor = b64decode(value, altchars=b"-_", validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise _bad_token(attr) from error
        if not cursor or "\0" in cursor:
            raise _bad_token(attr)
        return cursor


def _bad_token(attr: str | None) -> ValidationError:
    return ValidationError(f"{attr} is none that a list gave. Start again without it.")


class TimeOrEmpty(UTCTime):
    """A time, or an empty string for what has none."""

    def _serialize(self, value: datetime | None, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401  # marshmallow's signature
        return super()._serialize(value, *args, **kwargs) or ""


class BrowserListQuery(Schema):
    """Which page of which folder."""

    prefix = fields.String(metadata={"description": "By default your users/<uuid>/."})
    continuation_token = ContinuationToken(
        data_key="continuation_token", attribute="cursor", metadata={"type": "string"}
    )
    max_keys = PageNumber(load_default=100, maximum=1000)


class BrowserEntry(RowSchema):
    """An object, or a folder."""

    key = fields.String(metadata=_KEY)
    size = fields.Integer(metadata={"description": "Bytes."})
    last_modified = TimeOrEmpty(metadata={"type": "string", "description": "Empty for folders."})
    etag = fields.String(metadata={"description": "Empty for folders."})
    storage_class = fields.String(metadata={"example": "STANDARD"})
    is_folder = fields.Boolean()


class BrowserPage(Answer):
    """One page of a folder."""

    objects = fields.Nested(BrowserEntry, many=True, attribute="entries")
    prefix = fields.String(metadata={"example": "users/0b6e43f2-5d3a-4f0c-9a53-2b1f0f6f2f1e/"})
    continuation_token = ContinuationToken(
        attribute="cursor", allow_none=True, metadata={"type": "string"}
    )
    has_more = fields.Function(lambda page: page.cursor is not None, metadata={"type": "boolean"})


class BrowserForm(Schema):
    """The form of an upload, for the documents; the file itself never passes through a schema."""

    file = fields.Raw(
        required=True,
        metadata={"type": "string", "format": "binary", "description": "At most 100 MB."},
    )
    key = fields.String(required=True, metadata=_KEY)


class BrowserUploadKey(Schema):
    """The field of the form that says where its file belongs."""

    key = fields.String(required=True)


class BrowserUploaded(Answer):
    """The answer to an upload, in one form or in parts."""

    key = fields.String(attribute="file_key", metadata=_KEY)
    etag = fields.String()
    message = fields.Constant("File uploaded successfully", metadata={"type": "string"})


class BrowserKey(Schema):
    """Which object."""

    key = fields.String(required=True, metadata=_KEY)


class BrowserVersionedKey(BrowserKey):
    """Which object, and perhaps which version of it."""

    version_id = fields.String(validate=validate.Length(min=1, max=1024))


class BrowserDelete(BrowserKey):
    """Which object or folder."""

    recursive = Flag(
        load_default=False, metadata={"description": "Delete a folder with all it holds."}
    )


class BrowserDeleteMany(Schema):
    """Which objects."""

    keys = BoundedList(
        fields.String(validate=validate.Length(max=MAX_TEXT)),
        required=True,
        maximum=MAX_BATCH,
        message=f"Send 1 to {MAX_BATCH} keys with each request.",
    )


class BrowserDeleteError(Answer):
    """A key that could not be deleted, and why."""

    key = fields.String()
    code = fields.String(metadata={"example": "PERMISSION_DENIED"})
    message = fields.String()


class BrowserDeleted(Answer):
    """What became of each key; missing ones count as deleted."""

    deleted = fields.List(fields.String())
    errors = fields.List(fields.Nested(BrowserDeleteError))


class BrowserDownload(Answer):
    """A URL that gives the bytes to whoever has it."""

    url = fields.String()
    expires_in = fields.Function(
        lambda link: int(link.expires_in.total_seconds()),
        metadata={"type": "integer", "description": "Seconds.", "example": 3600},
    )


class BrowserMetadata(Answer):
    """What storage knows of an object."""

    content_type = StoredType(metadata={"example": "text/plain"})
    content_length = fields.Integer(attribute="size", metadata={"description": "Bytes."})
    last_modified = UTCTime(metadata={"format": "date-time"})
    etag = fields.String()
    version_id = fields.String(
        allow_none=True, metadata={"description": "Null where no versions are kept."}
    )
    metadata = fields.Dict(keys=fields.String(), values=fields.String())


class BrowserVersion(Answer):
    """One version of an object."""

    key = fields.String(metadata=_KEY)
    version_id = fields.String()
    is_latest = fields.Boolean()
    last_modified = UTCTime(metadata={"format": "date-time"})
    size = fields.Integer(metadata={"description": "Bytes."})
    etag = fields.String()


class BrowserFolder(Schema):
    """Which folder to make."""

    prefix = fields.String(required=True, metadata={"example": "users/<uuid>/new-folder"})


class BrowserSearch(Schema):
    """What to look for, and where."""

    prefix = fields.String(metadata={"description": "By default your users/<uuid>/."})
    query = fields.String(
        required=True, validate=validate.Length(min=1, error="query must not be empty.")
    )


class BrowserPrefix(Answer):
    """The user's own prefix."""

    prefix = fields.String()
