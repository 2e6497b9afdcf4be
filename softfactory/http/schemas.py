"""The schemas that every domain shares."""

from typing import Any, ClassVar

from marshmallow import Schema, fields

BYTES = {"type": "string", "format": "binary"}
"""A body that is the content of a file, of whatever type; for the documents only."""

OCTETS = "application/octet-stream"
"""What the documents say of the type of a file's content, which may be any."""


class Answer(Schema):
    """What a route answers: every field is there, but for those that ``optional`` names.

    The document says so, and the tests hold every answer against it (``tests/described.py``).
    """

    optional: ClassVar[tuple[str, ...]] = ()

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Mark the field as one that is there; ``required`` means nothing else to what is dumped."""
        field_obj.required = field_name not in self.optional


class Message(Answer):
    """A sentence that says what was done."""

    message = fields.String()


class Error(Answer):
    """The one body of every failure; for the documents only, ``http.errors`` writes it."""

    optional = ("errors", "success")

    error = fields.String(metadata={"description": "What was wrong, what to do."})
    detail = fields.String(metadata={"description": "The same again."})
    code = fields.String(metadata={"example": "RESOURCE_NOT_FOUND"})
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "Messages by field, for invalid input."},
    )
    success = fields.Boolean(metadata={"description": "False, below /s3 only."})
