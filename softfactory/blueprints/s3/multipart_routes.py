"""The routes of ``/api/s3/multipart``: large objects in parts, at keys that the client names."""

from http import HTTPStatus
from typing import Any

from softfactory.blueprints.s3 import multipart_schemas as schemas
from softfactory.blueprints.s3.blueprint import blueprint
from softfactory.http.identity import current_user
from softfactory.http.limits import user_limit
from softfactory.http.schemas import Message
from softfactory.http.services import browser_uploads
from softfactory.services.content_types import type_by_name


@blueprint.post("/multipart/initiate")
@blueprint.arguments(schemas.MultipartStart)
@blueprint.response(HTTPStatus.OK, schemas.MultipartStarted)
@user_limit("s3")
def initiate_multipart(body: dict[str, Any]) -> dict[str, str]:
    """Begin a multipart upload; what is at the key stays there until it is completed."""
    key = body["key"]
    content_type = body.get("content_type") or type_by_name(key.filename)
    upload_id = browser_uploads().initiate(current_user(), key, content_type=content_type)
    return {"upload_id": upload_id}


@blueprint.post("/multipart/part-url")
@blueprint.arguments(schemas.MultipartPartRequest)
@blueprint.response(HTTPStatus.OK, schemas.MultipartPartUrl)
@user_limit("s3")
def multipart_part_url(body: dict[str, Any]) -> dict[str, Any]:
    """Sign a URL that takes one part."""
    url = browser_uploads().part_url(
        current_user(), body["key"], body["upload_id"], body["part_number"]
    )
    expires_in = int(url.expires_in.total_seconds())
    return {"url": url, "part_number": body["part_number"], "expires_in": expires_in}


@blueprint.get("/multipart/parts")
@blueprint.arguments(schemas.MultipartReference, location="query")
@blueprint.response(HTTPStatus.OK, schemas.MultipartParts)
@user_limit("s3")
def multipart_parts(query: dict[str, Any]) -> dict[str, Any]:
    """List the parts that arrived."""
    return {"parts": browser_uploads().parts(current_user(), query["key"], query["upload_id"])}


@blueprint.post("/multipart/complete")
@blueprint.arguments(schemas.MultipartCompletion)
@blueprint.response(HTTPStatus.OK, schemas.MultipartCompleted)
@user_limit("s3")
def complete_multipart(body: dict[str, Any]) -> dict[str, Any]:
    """Make the object of its parts, in place of what was at the key."""
    parts = [(part["part_number"], part["etag"]) for part in body["parts"]]
    file = browser_uploads().complete(current_user(), body["key"], body["upload_id"], parts)
    return {"key": file.file_key, "etag": file.etag, "message": "File uploaded successfully"}


@blueprint.delete("/multipart")
@blueprint.delete_arguments(schemas.MultipartReference)
@blueprint.response(HTTPStatus.OK, Message)
@user_limit("s3")
def abort_multipart(body: dict[str, Any]) -> dict[str, str]:
    """Abort a multipart upload and drop its parts."""
    browser_uploads().abort(current_user(), body["key"], body["upload_id"])
    return {"message": "Upload aborted successfully"}
