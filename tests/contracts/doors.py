"""The doors of the service: how a file comes in, is listed, opened and deleted by each contract."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from urllib3 import encode_multipart_formdata

from tests.conftest import Caller

OWN = "localhost:8000"
"""The host of PUBLIC_BASE_URL where a test does not say another."""


def exchange(
    caller: Caller,
    method: str,
    url: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, Any]:
    """Use a signed URL as a stranger would: without a login. Return the status and the answer."""
    parts = urlsplit(url)
    if parts.netloc == OWN:
        path = f"{parts.path}?{parts.query}"
        with caller.client.open(path, method=method, data=body, headers=headers) as answer:
            answer.get_data()
            return answer.status_code, answer
    found = requests.request(method, url, data=body, headers=headers, timeout=10)
    return found.status_code, found


def fetched(caller: Caller, url: str) -> bytes | None:
    """Return what a signed URL gives; None where it gives nothing."""
    status, answer = exchange(caller, "GET", url)
    if status >= 400:
        return None
    return answer.content if isinstance(answer, requests.Response) else answer.get_data()


def form(caller: Caller, path: str, name: str, body: bytes, **fields: str) -> Any:
    """Send a multipart form with one file."""
    data, header = encode_multipart_formdata({**fields, "file": (name, body)})
    return caller.post(path, data=data, content_type=header)


def good(response: Any) -> Any:
    """Return the JSON of an answer that is a success."""
    assert response.status_code < 300, (response.status_code, response.get_data(as_text=True))
    return response.get_json()


# --- in -------------------------------------------------------------------------------------------


def by_drive(caller: Caller, name: str, body: bytes) -> str:
    """Bring a file in by a presigned PUT and its confirmation; return its key."""
    wanted = {"file_name": name, "content_type": "application/pdf", "file_size": len(body)}
    granted = good(caller.post("/api/files/upload/", json=wanted))["successful"][0]
    assert exchange(caller, "PUT", granted["presigned_url"], body)[0] == 200
    good(caller.post("/api/files/confirm_upload/", json={"s3_key": granted["s3_key"]}))
    return str(granted["s3_key"])


def by_browser(caller: Caller, name: str, body: bytes) -> str:
    """Bring a file in by the browser's form; return its key."""
    key = f"users/{caller.uuid}/{name}"
    return str(good(form(caller, "/api/s3/upload", name, body, key=key))["key"])


def by_browser_multipart(caller: Caller, name: str, body: bytes) -> str:
    """Bring a file in by the browser's multipart routes, as one part; return its key."""
    key = f"users/{caller.uuid}/{name}"
    upload = {**good(caller.post("/api/s3/multipart/initiate", json={"key": key})), "key": key}
    part = good(caller.post("/api/s3/multipart/part-url", json={**upload, "part_number": 1}))
    status, answer = exchange(caller, "PUT", part["url"], body)
    assert status == 200
    parts = [{"part_number": 1, "etag": answer.headers["ETag"]}]
    return str(
        good(caller.post("/api/s3/multipart/complete", json={**upload, "parts": parts}))["key"]
    )


def by_files(caller: Caller, name: str, body: bytes) -> str:
    """Bring a file in by the files contract's form; return its key."""
    return str(good(form(caller, "/api/files/upload", name, body))["file_key"])


def by_simple(caller: Caller, name: str, body: bytes) -> str:
    """Bring a file in by the simple contract's form; return its key."""
    relative = good(form(caller, "/s3/upload/", name, body))["file_key"]
    return f"{caller.username}/{relative}"


def by_uploads(caller: Caller, name: str, body: bytes) -> str:
    """Bring a file in by the uploads contract, as one part; return its key."""
    begun = good(caller.post("/v1/files/uploads/", json=announced(name, body)))
    status, answer = exchange(caller, "PUT", begun["presigned_urls"][0]["url"], body)
    assert status == 200
    parts = [{"part_number": 1, "etag": answer.headers["ETag"]}]
    file_id = begun["file_obj"]["id"]
    good(caller.post(f"/v1/files/uploads/{file_id}/complete/", json={"parts": parts}))
    return str(good(caller.get(f"/api/files/{file_id}"))["file_key"])


def announced(name: str, body: bytes) -> dict[str, Any]:
    """Return the body that begins an upload in one part."""
    return {
        "file_name": name,
        "file_size": len(body),
        "file_content_type": "application/pdf",
        "num_parts": 1,
        "part_size": 5 * 1024 * 1024,
    }


WAYS_IN: dict[str, Callable[[Caller, str, bytes], str]] = {
    "drive": by_drive,
    "browser": by_browser,
    "browser multipart": by_browser_multipart,
    "files": by_files,
    "simple": by_simple,
    "uploads": by_uploads,
}


# --- out ------------------------------------------------------------------------------------------


class Door(ABC):
    """What a contract shows of a user's files, by their keys."""

    @abstractmethod
    def keys(self, caller: Caller) -> set[str]:
        """Return the keys of all files that the contract's list shows."""

    @abstractmethod
    def read(self, caller: Caller, key: str) -> bytes | None:
        """Return the bytes of a file; None where the contract says that there is none."""

    @abstractmethod
    def delete(self, caller: Caller, key: str) -> int:
        """Delete a file; return the status of the answer."""


class Files(Door):
    """``/api/files``, by integer id."""

    def ids(self, caller: Caller) -> dict[str, int]:
        """Return the ids of all files, by key."""
        listed = good(caller.get("/api/files?limit=100"))
        assert listed["total"] == len(listed["files"])
        return {file["file_key"]: file["id"] for file in listed["files"]}

    def keys(self, caller: Caller) -> set[str]:
        return set(self.ids(caller))

    def read(self, caller: Caller, key: str) -> bytes | None:
        file_id = self.ids(caller).get(key, 10**6)
        link = caller.post("/api/files/presigned-url", json={"file_id": file_id})
        if link.status_code == 404:
            return None
        return fetched(caller, good(link)["presigned_url"])

    def delete(self, caller: Caller, key: str) -> int:
        file_id = self.ids(caller)[key]
        return int(caller.delete(f"/api/files/{file_id}").status_code)


class DriveV2(Door):
    """``/api/v2/files``, by s3_key."""

    def keys(self, caller: Caller) -> set[str]:
        listed = good(caller.get("/api/v2/files/?per_page=100"))
        assert listed["total"] == len(listed["files"])
        return {file["s3_key"] for file in listed["files"]}

    def read(self, caller: Caller, key: str) -> bytes | None:
        return downloaded(caller, f"/api/files/{quote(key)}/download_file/")

    def delete(self, caller: Caller, key: str) -> int:
        return int(caller.delete("/api/files/", json={"s3_key": key}).status_code)


class DriveV3(Door):
    """``/api/v3/files``, by the ids that its list gives."""

    def ids(self, caller: Caller) -> dict[str, str]:
        """Return the ids of all files, by key."""
        listed = good(caller.get("/api/v3/files/?per_page=1000"))
        return {file["s3_key"]: file["id"] for file in listed["files"]}

    def keys(self, caller: Caller) -> set[str]:
        return set(self.ids(caller))

    def read(self, caller: Caller, key: str) -> bytes | None:
        file_id = quote(self.ids(caller).get(key, key), safe="")
        link = caller.get(f"/api/files/{file_id}/download_presigned_url/")
        if link.status_code == 404:
            return None
        return fetched(caller, good(link)["presigned_url"])

    def delete(self, caller: Caller, key: str) -> int:
        return int(caller.delete("/api/files", json={"s3_key": key}).status_code)


class Browser(Door):
    """``/api/s3``, by key."""

    def keys(self, caller: Caller) -> set[str]:
        roots = (f"users/{caller.uuid}/", f"uploads/{caller.user_id}/", f"{caller.username}/")
        pages = [good(caller.get("/api/s3/objects", query_string={"prefix": r})) for r in roots]
        return {entry["key"] for page in pages for entry in page["objects"]}

    def read(self, caller: Caller, key: str) -> bytes | None:
        link = caller.post("/api/s3/download", json={"key": key})
        if link.status_code == 404:
            return None
        return fetched(caller, good(link)["url"])

    def delete(self, caller: Caller, key: str) -> int:
        return int(caller.delete("/api/s3/object", json={"key": key}).status_code)


class Simple(Door):
    """``/s3``, by the keys that its list gives."""

    def keys(self, caller: Caller) -> set[str]:
        listed = good(caller.get("/s3/list/?max_keys=1000"))
        assert listed["count"] == len(listed["files"])
        roots = (f"users/{caller.uuid}/", f"uploads/{caller.user_id}/")
        names = [file["key"] for file in listed["files"]]
        return {name if name.startswith(roots) else f"{caller.username}/{name}" for name in names}

    def shown(self, caller: Caller, key: str) -> str:
        """Return the key as the contract writes it in a path."""
        return quote(key.removeprefix(f"{caller.username}/"))

    def read(self, caller: Caller, key: str) -> bytes | None:
        return downloaded(caller, f"/s3/download/{self.shown(caller, key)}/")

    def delete(self, caller: Caller, key: str) -> int:
        return int(caller.delete(f"/s3/delete/{self.shown(caller, key)}/").status_code)


class Uploads(Door):
    """``/v1/files``, by id. It names no key and gives no bytes: ``/api/files`` lends both."""

    def keys(self, caller: Caller) -> set[str]:
        listed = good(caller.get("/v1/files/?limit=100"))
        assert listed["count"] == len(listed["results"])
        ids = {int(file["id"]) for file in listed["results"]}
        return {key for key, file_id in Files().ids(caller).items() if file_id in ids}

    def read(self, caller: Caller, key: str) -> bytes | None:
        file_id = Files().ids(caller).get(key, 10**6)
        answer = caller.get(f"/v1/files/{file_id}/")
        if answer.status_code == 404:
            return None
        body = Files().read(caller, key)
        assert good(answer)["file_size"] == len(body or b"")
        return body

    def delete(self, caller: Caller, key: str) -> int:
        file_id = Files().ids(caller)[key]
        return int(caller.delete(f"/v1/files/{file_id}/").status_code)


DOORS: dict[str, Door] = {
    "files": Files(),
    "drive v2": DriveV2(),
    "drive v3": DriveV3(),
    "browser": Browser(),
    "simple": Simple(),
    "uploads": Uploads(),
}


def downloaded(caller: Caller, path: str) -> bytes | None:
    """Return the bytes of a download through the service; None for 404."""
    with caller.client.get(path, headers=caller.headers) as answer:
        body: bytes = answer.get_data()
        if answer.status_code == 404:
            return None
        assert answer.status_code == 200, (answer.status_code, body)
        return body
