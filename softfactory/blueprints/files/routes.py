"""The routes of ``/api/files``: a form up, info, list, signed URL, delete."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from flask import request

from softfactory.blueprints.files import schemas
from softfactory.errors import InvalidInput
from softfactory.http.blueprint import Blueprint, load
from softfactory.http.forms import UploadForm
from softfactory.http.identity import current_user
from softfactory.http.limits import user_limit
from softfactory.http.runtime import runtime
from softfactory.http.schemas import Message
from softfactory.http.services import files
from softfactory.models import FileUpload

blueprint = Blueprint("files", __name__, url_prefix="/api/files", description="Files by form")

_EXPIRY = schemas.Expiry()


class _FormFile:
    """The file of a form, as the service takes it in."""

    def __init__(self, form: UploadForm) -> None:
        self._form = form
        self.filename, self.content_type = form.filename, form.content_type
        self.expected = form.expected

    def chunks(self) -> Iterator[bytes]:
        return self._form.chunks()

    def expires_at(self) -> datetime | None:
        now = runtime().clock()
        moment = schemas.expiry(load(_EXPIRY, self._form.fields), now)
        if moment is not None and moment <= now:
            raise InvalidInput.of("expires_at", "expires_at is in the past. Send a future time.")
        return moment


@blueprint.post("/upload")
@blueprint.doc(
    requestBody={
        "required": True,
        "content": {"multipart/form-data": {"schema": schemas.UploadForm}},
    }
)
@blueprint.response(HTTPStatus.CREATED, schemas.Uploaded)
@user_limit("files_upload")
def upload() -> FileUpload:
    """Upload a file by form."""
    return files().upload(current_user(), _FormFile(UploadForm(request)))


@blueprint.get("")
@blueprint.arguments(schemas.ListQuery, location="query")
@blueprint.response(HTTPStatus.OK, schemas.FileList)
@user_limit("files_list")
def list_files(query: dict[str, Any]) -> dict[str, Any]:
    """List your files, newest first."""
    page = files().list(
        current_user(),
        category=query.get("category"),
        limit=query["limit"],
        offset=query["offset"],
    )
    return {**query, "total": page.total, "files": page.files}


@blueprint.post("/presigned-url")
@blueprint.arguments(schemas.PresignRequest)
@blueprint.response(HTTPStatus.OK, schemas.Presigned)
def presigned_url(body: dict[str, Any]) -> dict[str, Any]:
    """Make a URL that gives the file's bytes for some hours."""
    lifetime = timedelta(hours=body["expiration_hours"])
    file, link = files().presign(current_user(), body["file_id"], lifetime)
    return {"presigned_url": link.url, "expires_at": link.expires_at, "file_key": file.file_key}


@blueprint.get("/<int:file_id>")
@blueprint.response(HTTPStatus.OK, schemas.FileInfo)
def info(file_id: int) -> FileUpload:
    """Tell what is known of a file."""
    return files().get(current_user(), file_id)


@blueprint.delete("/<int:file_id>")
@blueprint.response(HTTPStatus.OK, Message)
@user_limit("files_delete")
def delete(file_id: int) -> dict[str, str]:
    """Delete a file."""
    files().delete(current_user(), file_id)
    return {"message": "File deleted"}
