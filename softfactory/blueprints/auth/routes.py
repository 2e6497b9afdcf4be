"""The routes of ``/api/auth``."""

from http import HTTPStatus
from typing import Any

from softfactory.blueprints.auth import schemas
from softfactory.http.account_services import accounts
from softfactory.http.blueprint import Blueprint
from softfactory.http.extensions import db
from softfactory.http.identity import current_session_id, current_user, public
from softfactory.http.limits import auth_limit
from softfactory.http.schemas import Message
from softfactory.http.services import quotas
from softfactory.http.tokens import Tokens, issue_tokens, reissue

blueprint = Blueprint(
    "auth", __name__, url_prefix="/api/auth", description="Accounts, logins and passwords"
)


@blueprint.post("/register")
@blueprint.arguments(schemas.Registration)
@blueprint.response(HTTPStatus.OK, Message)
@public
@auth_limit
def register(body: dict[str, Any]) -> dict[str, str]:
    """Make an account; a code is mailed to its address."""
    accounts().register(body["username"], body["email"], body["password"])
    return _message("User registered successfully. Please check your email for verification code.")


@blueprint.post("/confirm")
@blueprint.arguments(schemas.Confirmation)
@blueprint.response(HTTPStatus.OK, Message)
@public
@auth_limit
def confirm(body: dict[str, Any]) -> dict[str, str]:
    """Confirm an account's address with the mailed code."""
    accounts().confirm(body["username"], body["code"])
    return _message("Email verified successfully")


@blueprint.post("/resend-code")
@blueprint.arguments(schemas.AccountName)
@blueprint.response(HTTPStatus.OK, Message)
@public
@auth_limit
def resend_code(body: dict[str, Any]) -> dict[str, str]:
    """Mail a new confirmation code; the answer never says who exists."""
    accounts().resend_code(body["username"])
    return _message("Confirmation code sent")


@blueprint.post("/login")
@blueprint.arguments(schemas.Credentials)
@blueprint.response(HTTPStatus.OK, schemas.Tokens)
@public
@auth_limit
def login(body: dict[str, Any]) -> Tokens:
    """Begin a login, by username or address."""
    service = accounts()
    begun = service.login(body["username"], body["password"])
    return issue_tokens(begun, service.owner(begun))


@blueprint.post("/refresh")
@blueprint.arguments(schemas.RefreshToken)
@blueprint.response(HTTPStatus.OK, schemas.RenewedTokens)
@public
@auth_limit
def refresh(body: dict[str, Any]) -> Tokens:
    """Renew the access and id tokens; the refresh token stays as it is."""
    return reissue(body["refresh_token"])


@blueprint.post("/logout")
@blueprint.response(HTTPStatus.OK, Message)
def logout() -> dict[str, str]:
    """End this login, and with it its access and refresh tokens, at once."""
    accounts().logout(current_session_id())
    return _message("Logged out successfully")


@blueprint.get("/me")
@blueprint.response(HTTPStatus.OK, schemas.Me)
def me() -> dict[str, Any]:
    """Tell who is calling, and what of storage they hold."""
    user = current_user()
    return {
        "uuid": user.uuid,
        "username": user.username,
        "email": user.email,
        "storage": quotas().use(db.session.connection(), user.id),
    }


@blueprint.post("/forgot-password")
@blueprint.arguments(schemas.AccountName)
@blueprint.response(HTTPStatus.OK, Message)
@public
@auth_limit
def forgot_password(body: dict[str, Any]) -> dict[str, str]:
    """Mail a code that allows a new password; the answer never says who exists."""
    accounts().forgot_password(body["username"])
    return _message("Password reset code sent to your email")


@blueprint.post("/reset-password")
@blueprint.arguments(schemas.PasswordReset)
@blueprint.response(HTTPStatus.OK, Message)
@public
@auth_limit
def reset_password(body: dict[str, Any]) -> dict[str, str]:
    """Set a new password with the mailed code; all logins of the account end."""
    accounts().reset_password(body["username"], body["code"], body["new_password"])
    return _message("Password reset successfully")


@blueprint.post("/change-password")
@blueprint.arguments(schemas.PasswordChange)
@blueprint.response(HTTPStatus.OK, Message)
@auth_limit
def change_password(body: dict[str, Any]) -> dict[str, str]:
    """Set a new password; all logins end, this one too."""
    accounts().change_password(current_user(), body["old_password"], body["new_password"])
    return _message("Password changed successfully")


def _message(sentence: str) -> dict[str, str]:
    return {"message": sentence}
