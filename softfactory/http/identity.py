"""Who is calling: checked before every view, unless the view says that anyone may.

A new route needs a token because it does nothing; only ``@public`` opens one, and ``@optional``
lets the built-in account in where the configuration does. That is the place that no route can
forget.
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from flask import Flask, g, request

from softfactory.errors import InvalidToken, NotAuthenticated
from softfactory.http.account_services import accounts
from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.http.shares import count_for_user
from softfactory.http.tokens import ACCESS, read_token
from softfactory.models import User

P = ParamSpec("P")
R = TypeVar("R")


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Mark a view that needs no token, because it makes one or carries its own signature."""
    view.is_public = True  # type: ignore[attr-defined]  # functions take attributes
    return view


def is_public(view: Callable[..., Any]) -> bool:
    """Whether the view was marked ``public``; decorators that keep ``__dict__`` keep the mark."""
    return bool(getattr(view, "is_public", False))


def optional(view: Callable[P, R]) -> Callable[P, R]:
    """Mark a view whose caller may go without a token, where ``SIMPLE_S3_ANONYMOUS`` allows it.

    Whoever sends no token is the built-in account then; a token that is sent must be good.
    """
    view.is_login_optional = True  # type: ignore[attr-defined]  # functions take attributes
    return view


def is_login_optional(view: Callable[..., Any]) -> bool:
    """Whether the view was marked ``optional``."""
    return bool(getattr(view, "is_login_optional", False))


def require_login(app: Flask) -> None:
    """Check the access token before every view of ``app`` that is not public."""

    @app.before_request
    def identify() -> None:
        view = app.view_functions.get(request.endpoint or "")
        if view is None or is_public(view) or request.method == "OPTIONS":
            return
        if _may_be_anonymous(view):
            g.current_user, g.is_anonymous = accounts().built_in(), True
            _let_go(g.current_user)
            return
        claims = read_token(bearer_token(), ACCESS)
        user = accounts().identify(claims["sid"])
        if user is None:
            raise InvalidToken("This login has ended. Sign in again.")
        g.current_user, g.current_session_id = user, claims["sid"]
        _let_go(user)
        count_for_user(g.current_user_id)


def _let_go(user: User) -> None:
    """End the transaction that found the user: a body may take hours, a connection is shared."""
    g.current_user_id = user.id
    db.session.commit()


def _may_be_anonymous(view: Callable[..., Any]) -> bool:
    """Whether this request, which sends no token at all, needs none."""
    if not is_login_optional(view) or request.headers.get("Authorization"):
        return False
    return bool(runtime().config.simple_s3_anonymous)


def bearer_token() -> str:
    """Return the token of the Authorization header (RFC 6750 section 2.1).

    Raises:
        NotAuthenticated: there is none.
        InvalidToken: the header is of another scheme or shape.
    """
    header = request.headers.get("Authorization", "")
    if not header:
        raise NotAuthenticated
    scheme, _, token = header.strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise InvalidToken("Send the token as 'Authorization: Bearer <token>'.")
    return token.strip()


def current_user() -> User:
    """Return the user who is calling; only for views that are not public."""
    user: User = g.current_user
    return user


def current_session_id() -> str:
    """Return the id of the login whose token was sent."""
    session_id: str = g.current_session_id
    return session_id
