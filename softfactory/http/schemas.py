"""The schemas that every domain shares."""

from marshmallow import Schema, fields

BYTES = {"type": "string", "format": "binary"}
"""An answer that is the content of a file, of whatever type; for the documents only."""


class Message(Schema):
    """A sentence that says what was done."""

    message = fields.String(required=True)


class Error(Schema):
    """The one body of every failure; for the documents only, ``http.errors`` writes it."""

    error = fields.String(required=True, metadata={"description": "What was wrong, what to do."})
    detail = fields.String(required=True, metadata={"description": "The same again."})
    code = fields.String(required=True, metadata={"example": "RESOURCE_NOT_FOUND"})
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "Messages by field, for invalid input."},
    )
    success = fields.Boolean(metadata={"description": "False, below /s3 only."})
