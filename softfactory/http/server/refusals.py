"""What the server itself refuses, before any view sees it, with the one body of every failure."""

import json
from http import HTTPStatus
from typing import NamedTuple

from gunicorn.http import errors  # type: ignore[import-untyped]

from softfactory.http.server.signals import ClientTooSlow


class Refusal(NamedTuple):
    """A status with its code and its sentence (docs/api/README.md, Errors)."""

    status: HTTPStatus
    code: str
    message: str
    retry_after: int | None = None
    """Seconds."""

    def response(self, path: str = "") -> bytes:
        """Return the whole answer, after which the connection ends."""
        body: dict[str, str | bool] = {
            "error": self.message,
            "detail": self.message,
            "code": self.code,
        }
        if path == "/s3" or path.startswith("/s3/"):
            body["success"] = False
        content = json.dumps(body).encode()
        fields = [
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            "Connection: close",
            "Content-Type: application/json",
            f"Content-Length: {len(content)}",
            "X-Content-Type-Options: nosniff",
        ]
        if self.retry_after is not None:
            fields.append(f"Retry-After: {self.retry_after}")
        return "\r\n".join([*fields, "", ""]).encode() + content


BAD_REQUEST = Refusal(
    HTTPStatus.BAD_REQUEST, "VALIDATION_ERROR", "The request is not valid HTTP. Correct it."
)
HEAD_TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "REQUEST_HEADER_FIELDS_TOO_LARGE",
    "The request's header fields are too many or too large. Send less.",
)
TOO_SLOW = Refusal(
    HTTPStatus.REQUEST_TIMEOUT,
    "REQUEST_TIMEOUT",
    "The request came too slowly and was given up. Send it again.",
)
BUSY = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "SERVICE_BUSY",
    "Too many requests are being served at once. Try again in a few seconds.",
    retry_after=5,
)
INTERNAL = Refusal(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "INTERNAL_ERROR",
    "Something went wrong on our side. Try again later.",
)

REFUSALS: dict[type[Exception], Refusal] = {
    errors.LimitRequestLine: Refusal(
        HTTPStatus.REQUEST_URI_TOO_LONG, "REQUEST_URI_TOO_LONG", "The URL is too long. Shorten it."
    ),
    errors.LimitRequestHeaders: HEAD_TOO_LARGE,
    errors.UnsupportedTransferCoding: Refusal(
        HTTPStatus.NOT_IMPLEMENTED,
        "NOT_IMPLEMENTED",
        "This Transfer-Encoding is not known here. Send the body as it is, or chunked.",
    ),
    errors.ExpectationFailed: Refusal(
        HTTPStatus.EXPECTATION_FAILED,
        "EXPECTATION_FAILED",
        "The only expectation that can be met is 100-continue. Leave the Expect header out.",
    ),
    ClientTooSlow: TOO_SLOW,
    errors.ParseException: BAD_REQUEST,
}
"""By what gunicorn's parser raises; one that is not named has that of its nearest base."""


def refusal_of(error: Exception) -> Refusal | None:
    """Return what the client is told of an error of its own; None for any other error."""
    kinds = type(error).__mro__
    return next((REFUSALS[kind] for kind in kinds if kind in REFUSALS), None)
