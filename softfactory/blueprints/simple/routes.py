"""The routes of ``/s3``: upload, download, delete, list, with or without a token."""

from http import HTTPStatus
from typing import Any

from flask import Response, request

from softfactory.blueprints.simple import schemas
from softfactory.http import services
from softfactory.http.blueprint import Blueprint
from softfactory.http.forms import UploadForm
from softfactory.http.identity import current_user, optional
from softfactory.http.limits import user_limit
from softfactory.http.schemas import BYTES, OCTETS
from softfactory.http.send import send_object
from softfactory.services.simple import shown_key
from softfactory.storage.disposition import content_disposition

blueprint = Blueprint("simple", __name__, url_prefix="/s3", description="Files for scripts")

ENDPOINTS: dict[str, dict[str, str]] = {
    "upload": {
        "method": "POST",
        "url": "/s3/upload/",
        "description": "Upload a file: a multipart form with the field 'file', at most 100 MB.",
    },
    "download": {
        "method": "GET",
        "url": "/s3/download/<file_key>/",
        "description": "Download a file.",
    },
    "delete": {
        "method": "DELETE",
        "url": "/s3/delete/<file_key>/",
        "description": "Delete a file.",
    },
    "list": {
        "method": "GET",
        "url": "/s3/list/",
        "description": "List files. Query: prefix, max_keys (1 to 1000).",
    },
}

DESCRIPTION: dict[str, Any] = {
    "message": "S3 file upload and download API",
    "endpoints": ENDPOINTS,
}


@blueprint.get("")
@blueprint.response(
    HTTPStatus.OK, schemas.SimpleDescription, example={"success": True, **DESCRIPTION}
)
@user_limit("simple")
@optional
def describe() -> dict[str, Any]:
    """Describe the endpoints."""
    return DESCRIPTION


@blueprint.post("/upload")
@blueprint.doc(
    requestBody={
        "required": True,
        "content": {"multipart/form-data": {"schema": schemas.SimpleForm}},
    }
)
@blueprint.response(HTTPStatus.CREATED, schemas.SimpleUploaded)
@user_limit("simple")
@optional
def upload() -> dict[str, Any]:
    """Upload a file; its key is made unique."""
    form, user = UploadForm(request), current_user()
    file = services.simple().upload(user, form.filename, form.chunks(), expected=form.expected)
    return {
        "file_key": shown_key(user, file.file_key),
        "url": services.links().s3_url(file),
        "original_filename": file.original_filename,
    }


@blueprint.get("/download/<path:file_key>")
@blueprint.response(HTTPStatus.OK, BYTES, content_type=OCTETS)
@user_limit("simple")
@optional
def download(file_key: str) -> Response:
    """Download a file."""
    # The documented URL has a slash behind the key, which no file's key has.
    stored, filename = services.simple().open(current_user(), file_key.removesuffix("/"))
    content_type = stored.info.content_type
    disposition = content_disposition(filename, content_type, download=True)
    return send_object(stored, content_type=content_type, disposition=disposition)


@blueprint.delete("/delete/<path:file_key>")
@blueprint.response(HTTPStatus.OK, schemas.SimpleDeleted)
@user_limit("simple")
@optional
def delete(file_key: str) -> dict[str, str]:
    """Delete a file."""
    return {"file_key": services.simple().delete(current_user(), file_key.removesuffix("/"))}


@blueprint.get("/list")
@blueprint.arguments(schemas.SimpleListQuery, location="query")
@blueprint.response(HTTPStatus.OK, schemas.SimpleList)
@user_limit("simple")
@optional
def list_files(query: dict[str, Any]) -> dict[str, Any]:
    """List files, in key order."""
    files = services.simple().list(current_user(), prefix=query["prefix"], limit=query["max_keys"])
    return {"files": files, "count": len(files)}
