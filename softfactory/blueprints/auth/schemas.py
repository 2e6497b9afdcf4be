"""What goes in and out of the auth routes.

Here stands what makes a request readable: fields, types, and bounds far above what anyone needs.
What makes a username, an address or a password acceptable is the service's to say.
"""

from marshmallow import Schema, fields, validate

from softfactory.http.schemas import Answer

MAX_NAME = 320
"""Characters of a username or an address (RFC 5321 section 4.5.3.1: 64 + 1 + 255)."""
MAX_PASSWORD, MAX_CODE, MAX_TOKEN = 4096, 64, 8192
"""Characters."""


def _text(description: str, *, example: str, maximum: int, minimum: int = 1) -> fields.String:
    """Return a string that has to be there; its length in characters is within the bounds."""
    bounds = f"from {minimum} to {maximum}" if minimum else f"at most {maximum}"
    return fields.String(
        required=True,
        validate=validate.Length(
            minimum, maximum, error=f"The length is not right. Send {bounds} characters."
        ),
        error_messages={
            "required": "This field is missing. Send it.",
            "null": "This field is null. Send a string.",
            "invalid": "This is not a string. Send it in quotes.",
        },
        metadata={"description": description, "example": example},
    )


def _name() -> fields.String:
    return _text("Username or address, in any case.", example="johndoe", maximum=MAX_NAME)


def _code() -> fields.String:
    return _text("The six digits that were mailed.", example="123456", maximum=MAX_CODE)


def _password(description: str, example: str, *, minimum: int) -> fields.String:
    return _text(description, example=example, maximum=MAX_PASSWORD, minimum=minimum)


def _new_password(example: str) -> fields.String:
    # No minimum: the service tells all that a password lacks, and an empty one lacks it all.
    return _password(
        "8 or more characters, with upper case, lower case and a digit.", example, minimum=0
    )


class Registration(Schema):
    """A new account."""

    username = _text(
        "3 to 64 letters, digits, '.', '_', '-'; a letter or digit first. Unique in any case.",
        example="johndoe",
        maximum=MAX_NAME,
        minimum=0,
    )
    email = _text(
        "Where the code is mailed. Unique in any case.",
        example="john@example.com",
        maximum=MAX_NAME,
        minimum=0,
    )
    password = _new_password("SecurePass123")


class AccountName(Schema):
    """Whose account it is about."""

    username = _name()


class Confirmation(Schema):
    """The code that proves an address."""

    username = _name()
    code = _code()


class Credentials(Schema):
    """Who logs in."""

    username = _name()
    password = _password("The account's password.", "SecurePass123", minimum=1)


class RefreshToken(Schema):
    """The token that renews the others."""

    refresh_token = _text(
        "As the login gave it.",
        example="eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...",
        maximum=MAX_TOKEN,
    )


class PasswordReset(Schema):
    """A new password, and the code that allows it."""

    username = _name()
    code = _code()
    new_password = _new_password("NewSecurePass123")


class PasswordChange(Schema):
    """A new password, and the one it replaces."""

    old_password = _password("The password until now.", "SecurePass123", minimum=1)
    new_password = _new_password("NewSecurePass456")


class RenewedTokens(Answer):
    """The tokens that a refresh token renews."""

    access_token = fields.String(
        metadata={"description": "Goes into 'Authorization: Bearer ...' of every other request."},
    )
    id_token = fields.String(
        metadata={"description": "Tells the client who is logged in; opens nothing."}
    )


class Tokens(RenewedTokens):
    """The tokens of a new login."""

    refresh_token = fields.String(
        metadata={"description": "Renews the others until the login ends."}
    )
    token_type = fields.Constant("bearer", metadata={"type": "string", "example": "bearer"})
    expires_in = fields.Integer(
        metadata={"description": "Seconds of the access token.", "example": 3600}
    )


class StorageUse(Answer):
    """What a user holds of storage; bytes."""

    used = fields.Integer(
        metadata={"description": "Of files and, on local storage, of old versions.", "example": 0},
    )
    reserved = fields.Integer(metadata={"description": "Of uploads that are open.", "example": 0})
    quota = fields.Integer(
        allow_none=True,
        metadata={
            "description": "What both may be; null where there is no limit.",
            "example": None,
        },
    )


class Me(Answer):
    """Who is calling."""

    id = fields.String(
        attribute="uuid",
        metadata={"format": "uuid", "example": "8d3a1c0e-5b7f-4f43-9d0c-6b1a2f0c9e11"},
    )
    username = fields.String(metadata={"example": "johndoe"})
    email = fields.String(metadata={"example": "john@example.com"})
    attributes = fields.Constant[dict[str, str]]({}, metadata={"type": "object", "example": {}})
    storage = fields.Nested(StorageUse)
