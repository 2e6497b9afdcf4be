"""A client of uploads in parts: begins them and sends parts wherever their URLs lead."""

import random
from math import ceil
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.conftest import Caller

MIB = 1024 * 1024
PART_SIZE = 5 * MIB

BODY = random.Random(1).randbytes(PART_SIZE + 1000)
"""A file of two parts, the last of them small."""


def part_of(body: bytes, number: int, part_size: int = PART_SIZE) -> bytes:
    """Return the bytes of one part."""
    return body[(number - 1) * part_size : number * part_size]


def declaration(size: int = len(BODY), **changes: Any) -> dict[str, Any]:
    """Return the body that begins an upload of ``size`` bytes."""
    body = {
        "file_name": "large-video.mp4",
        "file_size": size,
        "file_content_type": "video/mp4",
        "num_parts": ceil(size / PART_SIZE),
        "part_size": PART_SIZE,
    }
    return body | changes


def begin(caller: Caller, size: int = len(BODY), **changes: Any) -> dict[str, Any]:
    """Begin an upload and return the answer."""
    response = caller.post("/v1/files/uploads/", json=declaration(size, **changes))
    assert response.status_code == 201, response.get_json()
    answer: dict[str, Any] = response.get_json()
    return answer


def put(caller: Caller, url: str, body: bytes) -> Any:
    """PUT the body to a part's URL with nothing but the URL itself."""
    parts = urlsplit(url)
    if parts.hostname == "localhost":
        # The test client announces no empty body, as a real one does.
        length = {"CONTENT_LENGTH": str(len(body))}
        path = f"{parts.path}?{parts.query}"
        return caller.client.put(path, data=body, environ_overrides=length)
    return requests.put(url, data=body, timeout=30)


def send(caller: Caller, url: str, body: bytes) -> str:
    """Send a part and return its ETag as the header says it."""
    response = put(caller, url, body)
    assert response.status_code == 200
    etag: str = response.headers["ETag"]
    return etag


def send_all(caller: Caller, begun: dict[str, Any], body: bytes = BODY) -> list[dict[str, Any]]:
    """Send every part and return what completing names."""
    return [
        {
            "part_number": part["part_number"],
            "etag": send(caller, part["url"], part_of(body, part["part_number"])),
        }
        for part in begun["presigned_urls"]
    ]


def complete(caller: Caller, begun: dict[str, Any], parts: list[dict[str, Any]]) -> Any:
    """Complete an upload."""
    path = f"/v1/files/uploads/{begun['file_obj']['id']}/complete/"
    return caller.post(path, json={"parts": parts})


def upload(caller: Caller, body: bytes = BODY, **changes: Any) -> dict[str, Any]:
    """Upload a file in parts and return the answer to completing."""
    begun = begin(caller, len(body), **changes)
    response = complete(caller, begun, send_all(caller, begun, body))
    assert response.status_code == 200, response.get_json()
    answer: dict[str, Any] = response.get_json()
    return answer


def status(caller: Caller, begun: dict[str, Any]) -> str:
    """Return the status of an upload's file."""
    text: str = caller.get(f"/v1/files/{begun['file_obj']['id']}/").get_json()["upload_status"]
    return text
