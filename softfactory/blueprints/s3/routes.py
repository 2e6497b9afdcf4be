"""The routes of ``/api/s3`` on objects and folders."""

from http import HTTPStatus
from typing import Any

from flask import request

from softfactory.blueprints.s3 import schemas
from softfactory.blueprints.s3.blueprint import blueprint
from softfactory.http import services
from softfactory.http.blueprint import load
from softfactory.http.forms import UploadForm
from softfactory.http.identity import current_user
from softfactory.http.late_fields import chunks_behind, spool_directory
from softfactory.http.limits import user_limit
from softfactory.http.schemas import Message
from softfactory.models import FileUpload
from softfactory.services.browser import BatchReport, DownloadLink, Entry, EntryPage
from softfactory.storage.base import ObjectInfo, ObjectVersion


@blueprint.get("/objects")
@blueprint.arguments(schemas.BrowserListQuery, location="query")
@blueprint.response(HTTPStatus.OK, schemas.BrowserPage)
@user_limit("s3")
def list_objects(query: dict[str, Any]) -> EntryPage:
    """List the objects and folders right below a prefix."""
    return services.browser_listing().page(
        current_user(),
        prefix=query.get("prefix"),
        cursor=query.get("cursor"),
        limit=query["max_keys"],
    )


@blueprint.post("/upload")
@blueprint.doc(
    requestBody={
        "required": True,
        "content": {"multipart/form-data": {"schema": schemas.BrowserForm}},
    }
)
@blueprint.response(HTTPStatus.OK, schemas.BrowserUploaded)
@user_limit("s3")
def upload() -> FileUpload:
    """Upload a file to a key of your own."""
    form = UploadForm(request)
    with chunks_behind(form, "key", directory=spool_directory()) as chunks:
        key = load(schemas.BrowserUploadKey(), form.fields)["key"]
        return services.browser_objects().upload(
            current_user(), key, chunks, expected=form.expected
        )


@blueprint.delete("/object")
@blueprint.delete_arguments(schemas.BrowserDelete)
@blueprint.response(HTTPStatus.OK, Message)
@user_limit("s3")
def delete_object(body: dict[str, Any]) -> dict[str, str]:
    """Delete an object or a folder."""
    services.browser_deletion().delete(current_user(), body["key"], recursive=body["recursive"])
    return {"message": "Object deleted successfully"}


@blueprint.delete("/objects")
@blueprint.delete_arguments(schemas.BrowserDeleteMany)
@blueprint.response(HTTPStatus.OK, schemas.BrowserDeleted)
@user_limit("s3")
def delete_objects(body: dict[str, Any]) -> BatchReport:
    """Delete up to 1000 objects."""
    return services.browser_deletion().delete_many(current_user(), body["keys"])


@blueprint.post("/download")
@blueprint.arguments(schemas.BrowserVersionedKey)
@blueprint.response(HTTPStatus.OK, schemas.BrowserDownload)
@user_limit("s3")
def download(body: dict[str, Any]) -> DownloadLink:
    """Make a URL that gives the object's bytes."""
    version_id = body.get("version_id")
    return services.browser_objects().download(current_user(), body["key"], version_id=version_id)


@blueprint.get("/object/metadata")
@blueprint.arguments(schemas.BrowserVersionedKey, location="query")
@blueprint.response(HTTPStatus.OK, schemas.BrowserMetadata)
@user_limit("s3")
def metadata(query: dict[str, Any]) -> ObjectInfo:
    """Tell what storage knows of an object."""
    version_id = query.get("version_id")
    return services.browser_objects().metadata(current_user(), query["key"], version_id=version_id)


@blueprint.get("/object/versions")
@blueprint.arguments(schemas.BrowserKey, location="query")
@blueprint.response(HTTPStatus.OK, schemas.BrowserVersion(many=True))
@user_limit("s3")
def versions(query: dict[str, Any]) -> list[ObjectVersion]:
    """List the versions of an object, newest first."""
    return services.browser_objects().versions(current_user(), query["key"])


@blueprint.post("/folder")
@blueprint.arguments(schemas.BrowserFolder)
@blueprint.response(HTTPStatus.OK, Message)
@user_limit("s3")
def create_folder(body: dict[str, Any]) -> dict[str, str]:
    """Make a folder."""
    services.browser_folders().create(current_user(), body["prefix"])
    return {"message": "Folder created successfully"}


@blueprint.get("/search")
@blueprint.arguments(schemas.BrowserSearch, location="query")
@blueprint.response(HTTPStatus.OK, schemas.BrowserEntry(many=True))
@user_limit("search")
def search(query: dict[str, Any]) -> tuple[list[Entry], dict[str, str]]:
    """Find objects by a part of their name, in any case.

    `X-Search-Complete: false` says that there are too many objects to look at each: files are found
    all the same, but what clients wrote by means of their own may be missing.
    """
    found = services.browser_listing().search(
        current_user(), query=query["query"], prefix=query.get("prefix")
    )
    return found.entries, {"X-Search-Complete": str(found.is_complete).lower()}


@blueprint.get("/user-prefix")
@blueprint.response(HTTPStatus.OK, schemas.BrowserPrefix)
@user_limit("s3")
def user_prefix() -> dict[str, str]:
    """Tell your own prefix."""
    return {"prefix": current_user().roots.browser}
