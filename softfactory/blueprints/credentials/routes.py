"""The routes of ``/api/credentials``: temporary credentials and access keys."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from http import HTTPStatus
from typing import Any, ParamSpec, TypeVar

from softfactory.blueprints.credentials import schemas
from softfactory.http.blueprint import Blueprint
from softfactory.http.identity import current_user
from softfactory.http.limits import user_limit
from softfactory.http.schemas import Message
from softfactory.http.services import credentials
from softfactory.storage.credentials import AccessKey, SessionCredentials

P = ParamSpec("P")
R = TypeVar("R")

blueprint = Blueprint(
    "credentials",
    __name__,
    url_prefix="/api/credentials",
    description="Credentials for a user's own S3 tools",
)


def on_s3_only(view: Callable[P, R]) -> Callable[P, R]:
    """Answer 501 where no credentials are issued, whatever the request looks like."""

    @wraps(view)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        credentials()
        return view(*args, **kwargs)

    return wrapper


@blueprint.post("/temporary")
@on_s3_only
@blueprint.arguments(schemas.CredentialsTemporaryRequest)
@blueprint.response(HTTPStatus.OK, schemas.CredentialsTemporary)
@user_limit("credentials")
def temporary(body: dict[str, Any]) -> SessionCredentials:
    """Issue credentials that end by themselves and reach your own files only."""
    lifetime = timedelta(seconds=body["duration_seconds"])
    return credentials().temporary(current_user(), lifetime)


@blueprint.post("/access-key")
@on_s3_only
@blueprint.response(HTTPStatus.OK, schemas.CredentialsAccessKey)
@user_limit("credentials")
def create() -> AccessKey:
    """Make an access key; save its secret, it is not shown again."""
    return credentials().create_key(current_user())


@blueprint.get("/access-keys")
@on_s3_only
@blueprint.response(HTTPStatus.OK, schemas.CredentialsAccessKey(many=True))
@user_limit("credentials")
def list_keys() -> list[AccessKey]:
    """List your access keys, without their secrets."""
    return credentials().list_keys(current_user())


@blueprint.delete("/access-key/<access_key_id>")
@on_s3_only
@blueprint.response(HTTPStatus.OK, Message)
@user_limit("credentials")
def delete(access_key_id: str) -> dict[str, str]:
    """Delete an access key."""
    credentials().delete_key(current_user(), access_key_id)
    return {"message": "Access key deleted successfully"}


@blueprint.put("/access-key/<access_key_id>/status")
@on_s3_only
@blueprint.arguments(schemas.CredentialsStatusRequest)
@blueprint.response(HTTPStatus.OK, Message)
@user_limit("credentials")
def set_status(body: dict[str, Any], access_key_id: str) -> dict[str, str]:
    """Activate or deactivate an access key."""
    credentials().set_key_status(current_user(), access_key_id, body["status"])
    return {"message": f"Access key status updated to {body['status']}"}


@blueprint.post("/access-key/rotate")
@on_s3_only
@blueprint.arguments(schemas.CredentialsRotateRequest)
@blueprint.response(HTTPStatus.OK, schemas.CredentialsAccessKey)
@user_limit("credentials")
def rotate(body: dict[str, Any]) -> AccessKey:
    """Make a new access key in place of an old one."""
    return credentials().rotate_key(current_user(), body["old_access_key_id"])
