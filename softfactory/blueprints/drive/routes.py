"""The routes of the drive: ``/api/v2/files``, ``/api/v3/files`` and its part of ``/api/files``."""

from http import HTTPStatus
from typing import Any

from flask import Response, jsonify, make_response

from softfactory.blueprints.drive import schemas
from softfactory.errors import RestoreInProgress
from softfactory.http.blueprint import Blueprint
from softfactory.http.errors import error_body, render
from softfactory.http.identity import current_user
from softfactory.http.limits import user_limit
from softfactory.http.schemas import BYTES, OCTETS, Message
from softfactory.http.send import send_object
from softfactory.http.services import (
    confirmations,
    drive_files,
    drive_uploads,
    recent_list,
    storage_list,
)
from softfactory.services.drive.entries import Entry
from softfactory.storage.disposition import content_disposition

blueprint = Blueprint("drive", __name__, url_prefix="/api", description="Uploads by presigned URL")


@blueprint.get("/v2/files")
@blueprint.arguments(schemas.DriveListQuery, location="query")
@blueprint.response(HTTPStatus.OK, schemas.DriveFileList)
@user_limit("drive")
def list_recent(query: dict[str, Any]) -> dict[str, Any]:
    """List your files, newest first."""
    return schemas.page_body(query, recent_list().page(current_user(), **query))


@blueprint.get("/v3/files")
@blueprint.arguments(schemas.DriveStorageListQuery, location="query")
@blueprint.response(HTTPStatus.OK, schemas.DriveStoredFileList)
@user_limit("drive")
def list_stored(query: dict[str, Any]) -> dict[str, Any]:
    """List what storage has of your files, in the order of their keys."""
    return schemas.page_body(query, storage_list().page(current_user(), **query))


@blueprint.post("/files/upload")
@blueprint.arguments(schemas.DriveUploadBody)
@blueprint.response(HTTPStatus.OK, schemas.DriveBegun)
@blueprint.alt_response(HTTPStatus.BAD_REQUEST, schema=schemas.DriveNoneBegun)
@blueprint.alt_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, schema=schemas.DriveNoneBegun)
@blueprint.alt_response(HTTPStatus.TOO_MANY_REQUESTS, schema=schemas.DriveNoneBegun)
@user_limit("drive")
def upload(body: dict[str, Any]) -> Any:  # noqa: ANN401  # a body for the schema, or a refusal
    """Ask for URLs to send files to."""
    begun = drive_uploads().begin(current_user(), body["files"])
    answer = schemas.begun_body(begun, is_single=body["is_single"])
    if not begun.successful:
        # All refused: the first reason is the answer's.
        response = render(begun.failed[0].error)
        answer = schemas.DriveNoneBegun().dump({**response.get_json(), **answer})
        response.set_data(jsonify(answer).get_data())
        return response
    return answer


@blueprint.post("/files/confirm_uploads")
@blueprint.arguments(schemas.DriveConfirmManyRequest)
@blueprint.response(HTTPStatus.OK, schemas.DriveConfirmed)
@user_limit("drive")
def confirm_uploads(body: dict[str, Any]) -> dict[str, Any]:
    """Confirm that files were sent."""
    results = confirmations().confirm_each(current_user(), body["s3_keys"])
    return {"message": "Upload confirmation processed", "results": results}


@blueprint.post("/files/confirm_upload")
@blueprint.arguments(schemas.DriveConfirmRequest)
@blueprint.response(HTTPStatus.OK, Message)
@user_limit("drive")
def confirm_upload(body: dict[str, Any]) -> dict[str, str]:
    """Confirm that a file was sent."""
    confirmations().confirm(current_user(), body["s3_key"])
    return {"message": "Upload confirmed successfully"}


@blueprint.delete("/files")
@blueprint.delete_arguments(schemas.DriveKey)
@blueprint.response(HTTPStatus.OK, Message)
@user_limit("drive")
def delete(body: dict[str, Any]) -> dict[str, str]:
    """Delete a file."""
    drive_files().delete(current_user(), body["s3_key"])
    return {"message": "File deleted successfully."}


@blueprint.post("/files/rename")
@blueprint.arguments(schemas.DriveRenameRequest)
@blueprint.response(HTTPStatus.OK, schemas.DriveRenamed)
@user_limit("drive")
def rename(body: dict[str, Any]) -> dict[str, str]:
    """Give a file another name in its folder."""
    key = drive_files().rename(current_user(), body["s3_key"], body["new_filename"])
    return {
        "message": "File renamed successfully.",
        "new_s3_key": key,
        "new_filename": key.filename,
    }


@blueprint.get("/files/<path:file_identifier>/download_file/")
@blueprint.response(HTTPStatus.OK, BYTES, content_type=OCTETS)
@user_limit("drive")
def download_file(file_identifier: str) -> Response:
    """Give the file's bytes."""
    file, stored = drive_files().open(current_user(), file_identifier)
    content_type = stored.info.content_type
    disposition = content_disposition(file.original_filename, content_type, download=True)
    return send_object(stored, content_type=content_type, disposition=disposition)


@blueprint.get("/files/<path:file_identifier>/download_presigned_url/")
@blueprint.response(HTTPStatus.OK, schemas.DrivePresigned)
@user_limit("drive")
def download_presigned_url(file_identifier: str) -> dict[str, str]:
    """Make a URL that gives the file's bytes for a while."""
    file, url = drive_files().presign(current_user(), file_identifier)
    return {"presigned_url": url, "original_filename": file.original_filename}


@blueprint.get("/files/<path:file_identifier>/refresh/")
@blueprint.response(HTTPStatus.OK, schemas.DriveRefreshed)
@user_limit("drive")
def refresh(file_identifier: str) -> dict[str, Any]:
    """Ask storage what it knows of the file."""
    entry = drive_files().refresh(current_user(), file_identifier)
    return {"message": "Metadata refreshed", "metadata": entry}


@blueprint.post("/files/<path:file_identifier>/change_tier/")
@blueprint.arguments(schemas.DriveTierRequest)
@blueprint.response(HTTPStatus.OK, schemas.DriveTierChange)
@blueprint.alt_response(HTTPStatus.ACCEPTED, schema=schemas.DriveRestoring)
@user_limit("drive")
def change_tier(body: dict[str, Any], file_identifier: str) -> dict[str, Any] | Response:
    """Move the file into the archive or out of it."""
    change = drive_files().change_tier(current_user(), file_identifier, body["target_tier"])
    if change.entry is None:
        restoring = error_body(change.message, RestoreInProgress.code)
        return make_response(jsonify({"message": change.message, **restoring}), HTTPStatus.ACCEPTED)
    return {"message": change.message, "metadata": change.entry}


@blueprint.get("/files/<path:file_identifier>/details/")
@blueprint.response(HTTPStatus.OK, schemas.DriveDetails)
@user_limit("drive")
def details(file_identifier: str) -> Entry:
    """Tell all that is known of the file."""
    return drive_files().details(current_user(), file_identifier)
