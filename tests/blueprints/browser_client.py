"""What the browser's tests share: uploads by form, and a look at rows and storage."""

from typing import Any

from flask import Flask
from sqlalchemy import select
from urllib3 import encode_multipart_formdata

from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.models import FileUpload
from softfactory.storage.base import ObjectInfo
from softfactory.storage.keys import Key
from tests.conftest import Caller


def root(caller: Caller) -> str:
    """Return the caller's browser prefix."""
    return f"users/{caller.uuid}/"


def encoded(*fields: tuple[str, Any]) -> dict[str, Any]:
    """Return a form of these fields, in this order, as the options of a request."""
    data, content_type = encode_multipart_formdata(fields)
    return {"data": data, "content_type": content_type}


def put(
    caller: Caller, name: str, body: bytes = b"hello", *, key_first: bool = True, **headers: str
) -> Any:
    """Upload ``body`` to the key ``name``, relative to the caller's prefix or whole."""
    key = name if name.startswith(("users/", "uploads/")) else root(caller) + name
    file = ("file", ("client-name.bin", body, "application/octet-stream"))
    fields: list[tuple[str, Any]] = [("key", key), file] if key_first else [file, ("key", key)]
    return caller.post("/api/s3/upload", **encoded(*fields), headers=headers)


def listed(caller: Caller, **query: Any) -> list[str]:
    """Return the keys of a list."""
    answer = caller.get("/api/s3/objects", query_string=query)
    assert answer.status_code == 200, answer.get_json()
    return [entry["key"] for entry in answer.get_json()["objects"]]


def store(app: Flask, key: str, body: bytes = b"hello") -> ObjectInfo:
    """Put an object as a client does that has credentials of its own: no row."""
    with app.app_context():
        return runtime().storage.put(Key(key), [body])


def stored(app: Flask, key: str, version_id: str | None = None) -> bytes:
    """Return the bytes that storage has under ``key``."""
    with app.app_context(), runtime().storage.open(Key(key), version_id=version_id) as found:
        return b"".join(found.chunks())


def keys_in_storage(app: Flask) -> list[str]:
    """Return all keys that storage has."""
    with app.app_context():
        return [found.key for found in runtime().storage.list_objects().objects]


def rows(app: Flask) -> dict[str, dict[str, Any]]:
    """Return the completed rows, by key."""
    with app.app_context():
        return {
            file.file_key: {
                "id": file.id,
                "object_id": file.object_id,
                "size": file.file_size,
                "etag": file.etag,
                "sha256": file.sha256,
                "status": file.status,
                "content_type": file.content_type,
                "filename": file.original_filename,
                "user_id": file.user_id,
            }
            for file in db.session.scalars(select(FileUpload))
        }
