"""What goes in and out of the credentials routes."""

from marshmallow import Schema, fields, validate

from softfactory.http.fields import UTCTime
from softfactory.http.schemas import Answer
from softfactory.storage.credentials import MAX_ASKED, MIN_SESSION, KeyStatus

_SHORTEST = int(MIN_SESSION.total_seconds())
_LONGEST = int(MAX_ASKED.total_seconds())


class CredentialsTemporaryRequest(Schema):
    """How long temporary credentials live."""

    duration_seconds = fields.Integer(
        strict=True,
        load_default=3600,
        validate=validate.Range(
            _SHORTEST,
            _LONGEST,
            error=f"duration_seconds must be from {_SHORTEST} to {_LONGEST}.",
        ),
        error_messages={
            "invalid": f"duration_seconds must be a whole number from {_SHORTEST} to {_LONGEST}.",
            "null": f"duration_seconds must be from {_SHORTEST} to {_LONGEST}.",
        },
    )


class CredentialsTemporary(Answer):
    """Temporary credentials; the token goes along with every request."""

    access_key_id = fields.String(metadata={"example": "ASIATESTACCESSKEY"})
    secret_access_key = fields.String()
    session_token = fields.String()
    expiration = UTCTime(metadata={"format": "date-time"})


class CredentialsAccessKey(Answer):
    """An access key; the secret stands in the answer that made it, and never again."""

    access_key_id = fields.String(metadata={"example": "AKIAIOSFODNN7EXAMPLE"})
    secret_access_key = fields.String(allow_none=True)
    create_date = UTCTime(metadata={"format": "date-time"})
    status = fields.String(validate=validate.OneOf([status.value for status in KeyStatus]))


class CredentialsStatusRequest(Schema):
    """Whether a key is to work."""

    status = fields.Enum(
        KeyStatus,
        by_value=fields.String,
        required=True,
        error_messages={"unknown": "status must be Active or Inactive."},
    )


class CredentialsRotateRequest(Schema):
    """Which key goes."""

    old_access_key_id = fields.String(required=True)
