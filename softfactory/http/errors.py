"""Errors become HTTP here and nowhere else: one body for every failure of every route.

``{"error", "detail", "code"}``, with ``"errors"`` for invalid input and ``"success": false`` below
``/s3`` (docs/api/README.md, Errors).
"""

from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, jsonify, request
from flask_jwt_extended.exceptions import JWTExtendedException, NoAuthorizationError
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from jwt import ExpiredSignatureError, PyJWTError
from werkzeug.exceptions import HTTPException

from softfactory import errors
from softfactory.http.database_trouble import DATABASE_TROUBLE, database_error
from softfactory.http.extensions import jwt
from softfactory.http.server.signals import ClientTooSlow

log = structlog.get_logger(__name__)

STATUSES: dict[type[errors.SoftFactoryError], HTTPStatus] = {
    errors.SoftFactoryError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InvalidInput: HTTPStatus.BAD_REQUEST,
    errors.UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.FileTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.QuotaExceeded: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.TooManyUploads: HTTPStatus.TOO_MANY_REQUESTS,
    errors.NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    errors.PermissionDenied: HTTPStatus.FORBIDDEN,
    errors.RateLimitExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.RestoreInProgress: HTTPStatus.ACCEPTED,
    errors.NotConfigured: HTTPStatus.NOT_IMPLEMENTED,
    errors.StorageFull: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.RequestTooSlow: HTTPStatus.REQUEST_TIMEOUT,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The status of each error; one that is not named has that of its nearest base."""

CODES = {
    HTTPStatus.BAD_REQUEST: "VALIDATION_ERROR",
    HTTPStatus.UNAUTHORIZED: "AUTHENTICATION_REQUIRED",
    HTTPStatus.FORBIDDEN: "PERMISSION_DENIED",
    HTTPStatus.NOT_FOUND: "RESOURCE_NOT_FOUND",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "PAYLOAD_TOO_LARGE",
    HTTPStatus.TOO_MANY_REQUESTS: "RATE_LIMIT_EXCEEDED",
    HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL_ERROR",
}
"""The codes of failures that Flask or Werkzeug found; the rest go by their status's name."""

MESSAGES = {
    HTTPStatus.NOT_FOUND: "There is no such route. Check the URL.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This route does not take that method; see the Allow header.",
    HTTPStatus.INTERNAL_SERVER_ERROR: errors.SoftFactoryError.default_message,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request body is too large for this route.",
}


def status_of(error: errors.SoftFactoryError) -> HTTPStatus:
    """Return the HTTP status of a domain error."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def error_body(
    message: str, code: str, field_errors: errors.FieldErrors | None = None
) -> dict[str, Any]:
    """Return the one body of a failure."""
    body: dict[str, Any] = {"error": message, "detail": message, "code": code}
    if field_errors:
        body["errors"] = {field: list(messages) for field, messages in field_errors.items()}
    if request.path == "/s3" or request.path.startswith("/s3/"):
        body["success"] = False
    return body


def render(error: errors.SoftFactoryError) -> Response:
    """Return the response of a domain error; the log has the cause of what is our own fault."""
    # What was never set up here is nobody's fault, unless something refused us.
    is_absent = isinstance(error, errors.NotConfigured) and error.__cause__ is None
    if status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR and not is_absent:
        log.error("request.failed", code=error.code, exc_info=error)
    return _respond(error)


def _respond(error: errors.SoftFactoryError) -> Response:
    status = status_of(error)
    field_errors = error.errors if isinstance(error, errors.InvalidInput) else None
    response = jsonify(error_body(error.message, error.code, field_errors))
    response.status_code = status
    if status == HTTPStatus.UNAUTHORIZED:
        # RFC 9110 section 11.6.1: a 401 names the scheme that it wants.
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def render_http_exception(error: HTTPException) -> Response:
    """Return the response of what Flask or Werkzeug refused, its headers kept."""
    if error.response is not None and error.code is None:
        return error.response  # type: ignore[return-value]  # a ready answer, such as a redirect
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    message = MESSAGES.get(status) or error.description or status.phrase
    response = jsonify(error_body(message, CODES.get(status, status.name)))
    response.status_code = status
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def render_unexpected(error: Exception) -> Response:
    """Return a 500 that tells the client nothing; the log has the exception."""
    log.error("request.crashed", exc_info=error)
    return _respond(errors.SoftFactoryError())


def render_database_trouble(error: Exception) -> Response:
    """Return what the database's failure is for the client; the log has the exception."""
    domain_error = database_error(error)
    if domain_error is None:
        return render_unexpected(error)
    domain_error.__cause__ = error
    return render(domain_error)


def register_error_handlers(app: Flask) -> None:
    """Make every failure of ``app`` answer with the one body."""
    app.register_error_handler(errors.SoftFactoryError, render)
    app.register_error_handler(HTTPException, render_http_exception)
    app.register_error_handler(Exception, render_unexpected)
    app.register_error_handler(ParseException, lambda _error: render(_unreadable_body()))
    app.register_error_handler(ClientTooSlow, lambda _error: render(errors.RequestTooSlow()))
    for kind in DATABASE_TROUBLE:
        app.register_error_handler(kind, render_database_trouble)
    app.register_error_handler(PyJWTError, lambda error: render(token_error(error)))
    app.register_error_handler(JWTExtendedException, lambda error: render(token_error(error)))


def _unreadable_body() -> errors.InvalidInput:
    # gunicorn finds a bad trailer only when the body is read.
    return errors.InvalidInput("The body could not be read to its end. Send it again.")


def token_error(error: Exception) -> errors.NotAuthenticated:
    """Return the domain error for what a JWT library raised."""
    if isinstance(error, ExpiredSignatureError):
        return errors.TokenExpired()
    if isinstance(error, NoAuthorizationError):
        return errors.NotAuthenticated()
    return errors.InvalidToken()


# Flask-JWT-Extended answers its own failures through these callbacks.
jwt.expired_token_loader(lambda _header, _payload: render(errors.TokenExpired()))
jwt.invalid_token_loader(lambda _reason: render(errors.InvalidToken()))
jwt.unauthorized_loader(lambda _reason: render(errors.NotAuthenticated()))
jwt.needs_fresh_token_loader(lambda _header, _payload: render(errors.InvalidToken()))
jwt.revoked_token_loader(lambda _header, _payload: render(errors.InvalidToken()))
jwt.user_lookup_error_loader(lambda _header, _payload: render(errors.InvalidToken()))
jwt.token_verification_failed_loader(lambda _header, _payload: render(errors.InvalidToken()))
