"""What a client of the drive does, in one call each."""

from typing import Any
from urllib.parse import unquote, urlsplit

import requests

from softfactory.http.runtime import runtime
from softfactory.storage.keys import Key
from tests.conftest import Caller


def put(caller: Caller, url: str, body: bytes, content_type: str | None = None) -> int:
    """PUT the bytes to a presigned URL, without a login; return the status."""
    headers = {"Content-Type": content_type} if content_type else {}
    parts = urlsplit(url)
    if parts.hostname == "localhost":
        path = f"{parts.path}?{parts.query}"
        # The test client announces no empty body by itself; curl and browsers do.
        announced = {"CONTENT_LENGTH": str(len(body))}
        return caller.client.put(
            path, data=body, headers=headers, environ_overrides=announced
        ).status_code
    return requests.put(url, data=body, headers=headers, timeout=10).status_code


def put_unchecked(caller: Caller, url: str, body: bytes) -> None:
    """Store the bytes as a storage does that leaves their number to the client."""
    parts = urlsplit(url)
    if parts.hostname != "localhost":
        requests.put(url, data=body, timeout=10)
        return
    app = caller.client.application
    with app.app_context():
        runtime().storage.put(Key(unquote(parts.path).removeprefix("/media/")), [body])


def fetch(caller: Caller, url: str) -> bytes:
    """Return what a signed URL gives, without a login."""
    parts = urlsplit(url)
    if parts.hostname == "localhost":
        with caller.client.get(f"{parts.path}?{parts.query}") as response:
            assert response.status_code == 200
            return response.get_data()
    found = requests.get(url, timeout=10)
    assert found.status_code == 200
    return found.content


def begin(caller: Caller, name: str, size: int, **fields: Any) -> dict[str, Any]:
    """Ask for the URL of one file."""
    body = {"file_name": name, "file_size": size, **fields}
    response = caller.post("/api/files/upload", json=body)
    assert response.status_code == 200, response.get_json()
    answer: dict[str, Any] = response.get_json()
    return answer


def confirm(caller: Caller, s3_key: str) -> Any:
    """Confirm one upload; return the response."""
    return caller.post("/api/files/confirm_upload", json={"s3_key": s3_key})


def upload(caller: Caller, name: str, body: bytes = b"bytes", **fields: Any) -> str:
    """Bring a file in; return its key."""
    ticket = begin(caller, name, len(body), **fields)
    assert put(caller, ticket["presigned_url"], body) == 200
    response = confirm(caller, ticket["s3_key"])
    assert response.status_code == 200, response.get_json()
    return f"{caller.username}/{name}"


def content(caller: Caller, identifier: str) -> bytes:
    """Return the file's bytes."""
    with caller.get(f"/api/files/{identifier}/download_file") as response:
        assert response.status_code == 200, response.get_data()
        data: bytes = response.get_data()
        return data


def details(caller: Caller, identifier: str) -> dict[str, Any]:
    """Return what is known of the file."""
    response = caller.get(f"/api/files/{identifier}/details")
    assert response.status_code == 200, response.get_json()
    answer: dict[str, Any] = response.get_json()
    return answer


def stored_keys(caller: Caller, query: str = "") -> list[str]:
    """Return the keys that v3 lists."""
    page = caller.get(f"/api/v3/files?{query}").get_json()
    return [file["s3_key"] for file in page["files"]]
