"""What can go wrong: every error a service or a storage raises on purpose.

Each error carries a ``code`` for programs and a full sentence for people that says what was
wrong and what to do. Nothing here knows HTTP; ``softfactory.http.errors`` gives each its status.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta

FieldErrors = Mapping[str, Sequence[str]]
"""Messages by the name of the input field that they are about."""

MAX_MESSAGE = 1000
"""Characters of a message; some quote what was sent, however long that was."""


class SoftFactoryError(Exception):
    """Base of every deliberate failure.

    Attributes:
        code: the stable name programs act on (docs/api/README.md, Errors).
        message: a sentence for people; safe to show to any client.
        retry_after: seconds after which it makes sense to ask again; None where that is not known.
    """

    code = "INTERNAL_ERROR"
    default_message = "Something went wrong on our side. Try again later."
    retry_after: int | None = None

    def __init__(self, message: str | None = None, *, code: str | None = None) -> None:
        self.message = shortened(message or self.default_message)
        if code is not None:
            self.code = code
        super().__init__(self.message)


def shortened(message: str) -> str:
    """Return ``message``, cut to ``MAX_MESSAGE`` characters."""
    return message if len(message) <= MAX_MESSAGE else f"{message[: MAX_MESSAGE - 1]}…"


# --- what the caller sent ---------------------------------------------------------------------


class InvalidInput(SoftFactoryError):
    """The request is not acceptable as it stands.

    Attributes:
        errors: messages by field, empty where no single field is at fault.
    """

    code = "VALIDATION_ERROR"
    default_message = "The request is not valid. Correct it and send it again."

    def __init__(
        self,
        message: str | None = None,
        *,
        errors: FieldErrors | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.errors: FieldErrors = {
            field: [shortened(text) for text in texts] for field, texts in (errors or {}).items()
        }

    @classmethod
    def of(cls, field: str, message: str) -> "InvalidInput":
        """Return the error for one ``field``, its message standing as the whole message too."""
        return cls(message, errors={field: [message]})


class InvalidKey(InvalidInput):
    """A string that no object may be named by (docs/api/README.md, Keys)."""


class InvalidCode(InvalidInput):
    """A mailed code that is wrong, spent, or too old."""

    code = "INVALID_CODE"
    default_message = "The code is wrong or has expired. Ask for a new code and try again."


class UnsupportedMediaType(SoftFactoryError):
    """A request body of a content type that the route does not take."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    default_message = "This route does not take that Content-Type."


class BodyTooLarge(SoftFactoryError):
    """A request body that no request to the route needs."""

    code = "PAYLOAD_TOO_LARGE"
    default_message = "The request body is too large for this route."

    @classmethod
    def past(cls, limit: int) -> "BodyTooLarge":
        """Return the error for a body of more than ``limit`` bytes."""
        return cls(f"The request body is too large: this route takes {limit} bytes at most.")


class FileTooLarge(SoftFactoryError):
    """More bytes than the route takes."""

    code = "FILE_TOO_LARGE"
    default_message = "The file is too large."


class QuotaExceeded(SoftFactoryError):
    """More bytes than are left of a user's quota."""

    code = "QUOTA_EXCEEDED"
    default_message = "Your storage quota is exceeded. Delete files, or ask for a larger quota."

    @classmethod
    def of(cls, *, used: int, quota: int, asked: int, versions: int = 0) -> "QuotaExceeded":
        """Return the error that tells the figures.

        Args:
            used: bytes that count already, those of open uploads among them.
            quota: bytes that the user may have.
            asked: bytes that were asked for beside them.
            versions: bytes among ``used`` of what was replaced or deleted.
        """
        old = (
            f" Older and deleted versions, {versions} bytes, count until cleanup removes them."
            if versions
            else ""
        )
        return cls(
            f"Your storage quota is exceeded: {used} of {quota} bytes are used, open uploads "
            f"included, and {asked} more were asked for. Delete files, complete or abort open "
            f"uploads, or ask the operator for a larger quota.{old}"
        )


class TooManyUploads(SoftFactoryError):
    """More open uploads than a user may have at once."""

    code = "TOO_MANY_UPLOADS"
    default_message = "Too many uploads are open. Complete or abort some, then try again."
    retry_after = 60


# --- who is calling ---------------------------------------------------------------------------


class NotAuthenticated(SoftFactoryError):
    """No token where one is needed."""

    code = "AUTHENTICATION_REQUIRED"
    default_message = "Sign in first: send an access token as 'Authorization: Bearer <token>'."


class InvalidToken(NotAuthenticated):
    """A token that is malformed, forged, revoked or of another type."""

    code = "INVALID_TOKEN"
    default_message = "The token is not valid. Sign in again."


class TokenExpired(NotAuthenticated):
    """A token that was valid once."""

    code = "TOKEN_EXPIRED"
    default_message = "The token has expired. Refresh it or sign in again."


class InvalidCredentials(NotAuthenticated):
    """A login that does not match; never says which part."""

    code = "INVALID_CREDENTIALS"
    default_message = "Incorrect username or password."


class WrongPassword(InvalidInput):
    """A signed-in user's wrong old password: 400, because the session itself is good."""

    code = "INVALID_CREDENTIALS"
    default_message = "The old password is incorrect."


class EmailNotVerified(NotAuthenticated):
    """The right password for an account whose address is not confirmed yet."""

    code = "EMAIL_NOT_VERIFIED"
    default_message = (
        "User email not verified. Enter the code that was mailed to you, or ask for a new one."
    )


class AccountDisabled(NotAuthenticated):
    """The right password for an account that the operator has disabled."""

    code = "ACCOUNT_DISABLED"
    default_message = "This account is disabled. Ask the operator of this service."


class PermissionDenied(SoftFactoryError):
    """Something that exists and is not the caller's to touch."""

    code = "PERMISSION_DENIED"
    default_message = "Not authorized: this belongs to another user."


class InvalidSignature(PermissionDenied):
    """A URL or part token that this service did not sign, or signed for something else."""

    code = "INVALID_SIGNATURE"
    default_message = "This URL's signature is not valid. Ask the API for a new signed URL."


class SignatureExpired(InvalidSignature):
    """A URL or part token that was good until its time ran out."""

    code = "SIGNATURE_EXPIRED"
    default_message = "This signed URL has expired. Ask the API for a new one."


class RateLimitExceeded(SoftFactoryError):
    """Too many requests in the window."""

    code = "RATE_LIMIT_EXCEEDED"
    default_message = "Rate limit exceeded. Try again later."


class TooManyTries(RateLimitExceeded):
    """Wrong passwords or codes in a row, after which an account waits for its next try."""

    default_message = "Too many wrong passwords or codes in a row. Try again in a moment."
    retry_after = 1

    @classmethod
    def of(cls, secret: str, wait: timedelta) -> "TooManyTries":
        """Return the error for wrong ``secret``s, after which the next is looked at in ``wait``."""
        seconds = max(1, math.ceil(wait.total_seconds()))
        unit = "second" if seconds == 1 else "seconds"
        error = cls(
            f"Too many wrong {secret}s in a row for this account. Try again in {seconds} {unit}."
        )
        error.retry_after = seconds
        return error


class RequestTooSlow(SoftFactoryError):
    """The request's bytes came so slowly that it was given up."""

    code = "REQUEST_TIMEOUT"
    default_message = "The request came too slowly and was given up. Send it again."


# --- what does not work at the moment ---------------------------------------------------------


class Unavailable(SoftFactoryError):
    """Something that will work again by itself; the request changed nothing."""

    code = "SERVICE_UNAVAILABLE"
    default_message = "The service cannot answer at the moment. Try again in a few seconds."
    retry_after = 5


class Busy(Unavailable):
    """More of something costly at once than there is room for."""

    code = "SERVICE_BUSY"
    default_message = "Too many logins at once. Try again in a moment."
    retry_after = 1


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, or is too busy."""

    code = "DATABASE_UNAVAILABLE"
    default_message = "The database cannot be reached at the moment. Try again in a few seconds."


# --- the state of things ----------------------------------------------------------------------


class NotFound(SoftFactoryError):
    """Nothing of that name or number, for this caller."""

    code = "RESOURCE_NOT_FOUND"
    default_message = "Resource not found."


class Conflict(SoftFactoryError):
    """The request is fine, the state it meets is not."""

    code = "CONFLICT"
    default_message = "The resource is in a state that does not allow this."


class RestoreInProgress(SoftFactoryError):
    """Bytes that are being brought back from the archive; not a failure, come again later."""

    code = "RESTORE_IN_PROGRESS"
    default_message = "The file is archived and is being restored. Try again later."


class NotConfigured(SoftFactoryError):
    """A feature that this installation has not been set up for."""

    code = "NOT_CONFIGURED"
    default_message = "This feature is not configured on this server."


# --- storage ----------------------------------------------------------------------------------


class ObjectNotFound(NotFound):
    """No such object, or no such version of it."""

    default_message = "File not found in storage."


class ObjectArchived(Conflict):
    """The object's bytes are in an archive class and not restored."""

    code = "OBJECT_ARCHIVED"
    default_message = "The file is archived; restore it first."


class UploadNotFound(NotFound):
    """No multipart upload of that id for that key: never begun, completed or aborted."""

    default_message = "Upload not found: it was completed or aborted, or never begun."


class InvalidPart(InvalidInput):
    """A part that is missing, too small, or whose ETag differs."""

    code = "INVALID_PART"
    default_message = "A part is missing or does not match. Send it again."


class BadDigest(InvalidInput):
    """A body whose bytes are not those that its Content-MD5 is the digest of."""

    code = "BAD_DIGEST"
    default_message = (
        "The bytes that arrived do not match Content-MD5. Nothing was stored; send them again."
    )


class StorageError(SoftFactoryError):
    """Storage failed or could not be reached; the request changed nothing.

    The message stays general on purpose: what storage said goes into the log (``__cause__``).
    """

    code = "STORAGE_ERROR"
    default_message = "S3 error: the storage could not do this. Try again later."


class StorageFull(StorageError):
    """No room for the bytes; nothing was half-written."""

    code = "STORAGE_FULL"
    default_message = "The storage is full. Free some space or tell the operator, then try again."
