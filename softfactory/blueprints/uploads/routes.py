"""The routes of ``/v1/files``: uploads in parts, and the files that came of them or otherwise."""

from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from flask import Response, jsonify

from softfactory.blueprints.uploads import schemas
from softfactory.http.base_url import base_url
from softfactory.http.blueprint import Blueprint
from softfactory.http.bodies import body_chunks, declared_size
from softfactory.http.identity import current_user, public
from softfactory.http.limits import unlimited, user_limit
from softfactory.http.schemas import BYTES, OCTETS
from softfactory.http.services import entries, files, part_receiver, uploads
from softfactory.http.shares import count_for_url
from softfactory.models import FileUpload
from softfactory.services.multipart import Declared
from softfactory.storage.base import MAX_PART_SIZE

blueprint = Blueprint("uploads", __name__, url_prefix="/v1/files", description="Files in parts")


@blueprint.post("/uploads")
@blueprint.arguments(schemas.UploadRequest)
@blueprint.response(HTTPStatus.CREATED, schemas.UploadStarted)
@user_limit("uploads")
def initiate(declared: Declared) -> dict[str, Any]:
    """Begin an upload in parts."""
    state = uploads().initiate(current_user(), declared)
    return schemas.state_body(state)


@blueprint.get("/uploads/<int:file_id>")
@blueprint.response(HTTPStatus.OK, schemas.UploadResumed)
@user_limit("uploads")
def resume(file_id: int) -> dict[str, Any]:
    """Tell how an upload stands, with fresh URLs for the parts that did not arrive."""
    state = uploads().resume(current_user(), file_id)
    return schemas.state_body(state)


@blueprint.put("/presigned-uploads/<int:file_id>/upload-part/<int:part_number>")
@blueprint.doc(requestBody={"required": True, "content": {OCTETS: {"schema": BYTES}}})
@blueprint.arguments(schemas.PartToken, location="query")
@blueprint.response(HTTPStatus.OK, schemas.UploadedPart)
@public
@unlimited
def upload_part(query: dict[str, Any], file_id: int, part_number: int) -> Response:
    """Take one part from whoever has its URL (local storage only)."""
    admitted = part_receiver().admit(query["token"], file_id=file_id, part_number=part_number)
    count_for_url(query["token"])
    size = declared_size(admitted.size, limit=MAX_PART_SIZE)
    part = admitted.store(body_chunks(size), size=size)
    response = jsonify(schemas.UploadedPart().dump(part))
    # Bare (docs/api/uploads.md, Send a part): clients complete with the ETag as they read it here.
    response.headers["ETag"] = part.etag
    return response


@blueprint.post("/uploads/<int:file_id>/complete")
@blueprint.arguments(schemas.UploadCompletion)
@blueprint.response(HTTPStatus.OK, schemas.UploadedFile)
@user_limit("uploads")
def complete(body: dict[str, Any], file_id: int) -> FileUpload:
    """Make the file of the parts; safe to repeat."""
    parts = [(part["part_number"], part["etag"]) for part in body["parts"]]
    return uploads().complete(current_user(), file_id, parts)


@blueprint.delete("/uploads/<int:file_id>")
@blueprint.response(HTTPStatus.NO_CONTENT)
@user_limit("uploads")
def abort(file_id: int) -> Response:
    """Abort an upload and drop its parts."""
    uploads().abort(current_user(), file_id)
    return _nothing()


@blueprint.get("")
@blueprint.arguments(schemas.UploadListQuery, location="query")
@blueprint.response(HTTPStatus.OK, schemas.UploadList)
@user_limit("uploads")
def list_files(query: dict[str, int]) -> dict[str, Any]:
    """List your completed files, newest first."""
    limit, offset = query["limit"], query["offset"]
    page = files().list(current_user(), category=None, limit=limit, offset=offset)
    is_last = offset + limit >= page.total
    return {
        "count": page.total,
        "next": None if is_last else _page_url(limit, offset + limit),
        "previous": _page_url(limit, max(0, offset - limit)) if offset else None,
        "results": page.files,
    }


@blueprint.get("/<int:file_id>")
@blueprint.response(HTTPStatus.OK, schemas.UploadedFile)
@user_limit("uploads")
def info(file_id: int) -> FileUpload:
    """Tell what is known of a file, whatever its status."""
    return entries().get(current_user(), file_id)


@blueprint.patch("/<int:file_id>")
@blueprint.arguments(schemas.UploadChanges)
@blueprint.response(HTTPStatus.OK, schemas.UploadedFile)
@user_limit("uploads")
def change(changes: dict[str, Any], file_id: int) -> FileUpload:
    """Change a file's name, parent or expiry."""
    return entries().change(current_user(), file_id, changes)


@blueprint.delete("/<int:file_id>")
@blueprint.response(HTTPStatus.NO_CONTENT)
@user_limit("uploads")
def delete(file_id: int) -> Response:
    """Delete a file."""
    entries().delete(current_user(), file_id)
    return _nothing()


def _nothing() -> Response:
    """Return an answer without content; flask-smorest would make ``null`` of nothing."""
    response = Response(status=HTTPStatus.NO_CONTENT)
    response.headers.pop("Content-Type")
    return response


def _page_url(limit: int, offset: int) -> str:
    query = urlencode({"limit": limit, "offset": offset})
    return f"{base_url()}/v1/files/?{query}"
