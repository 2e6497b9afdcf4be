"""The three tokens of a login: issued, renewed, and told apart by their type."""

import re
from dataclasses import dataclass
from typing import Any

import jwt
from flask_jwt_extended import create_access_token, create_refresh_token
from flask_jwt_extended.config import config as settings

from softfactory.errors import InvalidToken
from softfactory.http.account_services import accounts
from softfactory.http.errors import token_error
from softfactory.http.runtime import runtime
from softfactory.models import LoginSession, User

ACCESS, ID, REFRESH = "access", "id", "refresh"
"""The values of the ``type`` claim."""

SESSION_ID = re.compile("[0-9a-f]{32}")
"""What the ``sid`` claim looks like; no database is asked for anything else."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a login gives its client; ``expires_in`` is the access token's life in seconds."""

    access_token: str
    id_token: str
    refresh_token: str
    expires_in: int


def issue_tokens(login: LoginSession, user: User) -> Tokens:
    """Return fresh tokens that name ``login``; ending it ends them."""
    config = runtime().config
    claims = {"sid": login.id}
    return Tokens(
        access_token=create_access_token(user.uuid, additional_claims=claims),
        id_token=_id_token(login.id, user),
        refresh_token=create_refresh_token(
            user.uuid,
            additional_claims=claims,
            expires_delta=login.expires_at - runtime().clock(),
        ),
        expires_in=int(config.access_token_lifetime.total_seconds()),
    )


def reissue(refresh_token: str) -> Tokens:
    """Return new access and id tokens for a refresh token, which stays as it is.

    Raises:
        InvalidToken, TokenExpired: it is no live refresh token.
    """
    claims = read_token(refresh_token, REFRESH)
    user = accounts().identify(claims["sid"])
    if user is None:
        raise InvalidToken
    return Tokens(
        access_token=create_access_token(user.uuid, additional_claims={"sid": claims["sid"]}),
        id_token=_id_token(claims["sid"], user),
        refresh_token=refresh_token,
        expires_in=int(runtime().config.access_token_lifetime.total_seconds()),
    )


def read_token(encoded: str, kind: str) -> dict[str, Any]:
    """Return the claims of a token of this kind, its signature and expiry checked.

    Raises:
        InvalidToken, TokenExpired: it is not a valid token of that kind.
    """
    try:
        # The extension's own ``decode_token`` decodes twice, the first time unchecked, to let an
        # application choose its key by what the token says. Here is one key.
        claims: dict[str, Any] = jwt.decode(
            encoded,
            settings.decode_key,
            algorithms=settings.decode_algorithms,
            options={"require": ["exp", "sub"]},
        )
    except (jwt.PyJWTError, ValueError) as error:
        raise token_error(error) from error
    if claims.get("type") != kind or not SESSION_ID.fullmatch(str(claims.get("sid"))):
        raise InvalidToken(f"This is not a valid {kind} token. Send the {kind} token.")
    return claims


def _id_token(session_id: str, user: User) -> str:
    # The library has two types; the claim overrides its own.
    return create_access_token(  # type: ignore[no-any-return]
        user.uuid,
        additional_claims={
            "type": ID,
            "sid": session_id,
            "preferred_username": user.username,
            "email": user.email,
            "email_verified": user.confirmed_at is not None,
        },
    )
