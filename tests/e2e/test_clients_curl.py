"""curl, with every command and every request of the five documents as they are printed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import samples
from tests.e2e.clients import DOCUMENTED, Shell, embedded_and_scaled, johndoe
from tests.e2e.person import Person
from tests.e2e.server import Server

pytestmark = [
    embedded_and_scaled,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]


@pytest.fixture
def john(make_server: Callable[..., Server], tmp_path: Path) -> Person:
    """The documents' user."""
    return johndoe(make_server, tmp_path / "mail")


@pytest.fixture
def shell(john: Person, tmp_path: Path) -> Shell:
    """A shell with the documents' files in it."""
    folder = tmp_path / "shell"
    folder.mkdir()
    (tmp_path / "file.txt").write_text("A line of text.\n")
    (folder / "document.pdf").write_bytes(samples.pdf())
    token = str(john.session.headers["Authorization"]).removeprefix("Bearer ")
    uuid = john.call("GET", "/api/auth/me").json()["id"]
    words = {
        DOCUMENTED: john.url,
        "<access_token>": token,
        "{token}": token,
        "users/user-uuid/": f"users/{uuid}/",
        "/path/to/your/file.txt": str(tmp_path / "file.txt"),
        "/path/to/file.txt": str(tmp_path / "file.txt"),
    }
    return Shell(folder, words)


def answered(shell: Shell, command: str, status: str = "200") -> Any:
    """Run a command and return the JSON of its answer, which has this status."""
    body, found = shell.curl(command)
    assert found == status, body
    return json.loads(body)


def test_the_commands_of_browser_api(shell: Shell) -> None:
    login = r"""
    curl -X POST http://localhost:8000/api/auth/login \
      -H "Content-Type: application/json" \
      -d '{"username":"johndoe","password":"SecurePass123"}'
    """
    objects = r"""
    curl -X GET "http://localhost:8000/api/s3/objects?prefix=users/user-uuid/" \
      -H "Authorization: Bearer <access_token>"
    """
    upload = r"""
    curl -X POST http://localhost:8000/api/s3/upload \
      -H "Authorization: Bearer <access_token>" \
      -F "file=@/path/to/file.txt" \
      -F "key=users/user-uuid/file.txt"
    """

    assert answered(shell, login)["expires_in"] == 3600
    uploaded = answered(shell, upload)
    listed = answered(shell, objects)

    assert uploaded["message"] == "File uploaded successfully"
    assert [entry["key"] for entry in listed["objects"]] == [uploaded["key"]]


def test_the_commands_of_files_api(shell: Shell) -> None:
    upload = r"""
    curl -X POST http://localhost:8000/api/files/upload \
      -H "Authorization: Bearer {token}" \
      -F "file=@document.pdf"
    """
    documents = r"""
    curl -H "Authorization: Bearer {token}" \
      "http://localhost:8000/api/files?category=document&limit=10"
    """

    uploaded = answered(shell, upload, "201")
    listed = answered(shell, documents)

    assert (listed["total"], listed["limit"]) == (1, 10)
    assert listed["files"][0]["id"] == uploaded["file_id"]


def test_the_commands_of_simple_s3_api(shell: Shell) -> None:
    upload = 'curl -X POST -F "file=@/path/to/your/file.txt" http://localhost:8000/s3/upload/'
    key = answered(shell, upload, "201")["file_key"]
    shell = Shell(shell.folder, {"abc123_file.txt": key, **shell.words})

    info = answered(shell, "curl http://localhost:8000/s3/")
    _, status = shell.curl("curl -O http://localhost:8000/s3/download/abc123_file.txt/")
    lists = [
        answered(shell, f"curl http://localhost:8000/s3/list/{query}")["count"]
        for query in ("", "?prefix=images/", "?max_keys=50")
    ]
    deleted = answered(shell, "curl -X DELETE http://localhost:8000/s3/delete/abc123_file.txt/")

    assert isinstance(info, dict)
    assert status == "200"
    assert (shell.folder / "file.txt").read_text() == "A line of text.\n"
    assert lists == [1, 0, 1]
    assert deleted == {
        "success": True,
        "message": "File deleted successfully",
        "file_key": key,
    }


def test_the_requests_of_drive_api(shell: Shell) -> None:
    def call(method: str, path: str, body: Any = None, status: str = "200") -> Any:
        data = f"-H 'Content-Type: application/json' -d '{json.dumps(body)}'" if body else ""
        command = f"curl -X {method} -H 'Authorization: Bearer <access_token>' {data}"
        return answered(shell, f"{command} '{DOCUMENTED}{path}'", status)

    sizes = {"example1.jpg": 1_024_000, "example2.pdf": 2_048_000}
    for name, size in sizes.items():
        (shell.folder / name).write_bytes(bytes(size))
    upload = {
        "files": [
            {
                "file_name": "example1.jpg",
                "content_type": "image/jpeg",
                "file_size": 1024000,
                "tier": "standard",
            },
            {
                "file_name": "example2.pdf",
                "content_type": "application/pdf",
                "file_size": 2048000,
                "tier": "standard",  # RGW has no Glacier
            },
        ]
    }

    begun = call("POST", "/api/files/upload/", upload)
    for ticket in begun["successful"]:
        put = f"curl --upload-file {ticket['file_name']} '{ticket['presigned_url']}'"
        assert shell.curl(put)[1] == "200"
    keys = [ticket["s3_key"] for ticket in begun["successful"]]
    confirmed = call("POST", "/api/files/confirm_uploads/", {"s3_keys": keys})
    v2 = call("GET", "/api/v2/files/?page=1&per_page=50&use_cache=false")
    v3 = call("GET", "/api/v3/files/?page=1&per_page=50&use_cache=false")
    download = "curl -o copy.jpg -H 'Authorization: Bearer <access_token>'"
    assert shell.curl(f"{download} {DOCUMENTED}/api/files/{keys[0]}/download_file/")[1] == "200"
    link = call("GET", "/api/files/example2.pdf/download_presigned_url/")
    assert shell.curl(f"curl -o copy.pdf '{link['presigned_url']}'")[1] == "200"
    refreshed = call("GET", "/api/files/johndoe-example1.jpg/refresh")
    tier = call("POST", "/api/files/example1.jpg/change_tier/", {"target_tier": "standard"})
    details = call("GET", f"/api/files/{keys[0]}/details/")
    new = {"s3_key": keys[0], "new_filename": "new_example.jpg"}
    renamed = call("POST", "/api/files/rename/", new)
    deleted = call("DELETE", "/api/files/", {"s3_key": keys[1]})

    assert begun["message"] == (
        "Successfully generated presigned URLs for 2 files. 0 files failed."
    )
    assert keys == ["johndoe/example1.jpg", "johndoe/example2.pdf"]
    assert [result["message"] for result in confirmed["results"]] == ["Upload confirmed"] * 2
    assert [file["s3_key"] for file in v2["files"]] == keys[::-1]
    assert [file["s3_key"] for file in v3["files"]] == keys
    for copy, name in (("copy.jpg", "example1.jpg"), ("copy.pdf", "example2.pdf")):
        assert (shell.folder / copy).read_bytes() == (shell.folder / name).read_bytes()
    assert refreshed["message"] == "Metadata refreshed"
    assert tier["message"] == "File is already in standard tier"
    assert details["id"] == "johndoe-example1.jpg"
    assert renamed["new_s3_key"] == "johndoe/new_example.jpg"
    assert deleted == {"message": "File deleted successfully."}


def test_the_requests_of_upload_flow(shell: Shell) -> None:
    def call(method: str, path: str, body: Any = None) -> tuple[str, str]:
        data = f"-H 'Content-Type: application/json' -d '{json.dumps(body)}'" if body else ""
        command = f"curl -X {method} -H 'Authorization: Bearer <access_token>' {data}"
        return shell.curl(f"{command} '{DOCUMENTED}{path}'")

    printed = {
        "file_name": "large-video.mp4",
        "file_size": 104857600,
        "file_content_type": "video/mp4",
        "num_parts": 20,
        "part_size": 5242880,
        "parent_content_type": "testapp.post",
        "parent_object_id": 123,
    }
    begun = json.loads(call("POST", "/v1/files/uploads/", printed)[0])
    aborted = call("DELETE", f"/v1/files/uploads/{begun['file_obj']['id']}/")
    smaller = {**printed, "file_size": 6_000_000, "num_parts": 2}
    started = json.loads(call("POST", "/v1/files/uploads/", smaller)[0])
    parts = []
    for url, size in zip(started["presigned_urls"], (5242880, 6_000_000 - 5242880), strict=True):
        (shell.folder / "part").write_bytes(bytes(size))
        put = f"curl -D headers -X PUT -H 'Content-Type: application/octet-stream' --data-binary @part '{url['url']}'"
        assert shell.curl(put)[1] == "200"
        headers = (shell.folder / "headers").read_text().splitlines()
        (etag,) = [line.split(": ")[1] for line in headers if line.lower().startswith("etag:")]
        parts.append({"part_number": url["part_number"], "etag": etag.strip('"')})
    file_id = started["file_obj"]["id"]
    body, status = call("POST", f"/v1/files/uploads/{file_id}/complete/", {"parts": parts})
    completed = json.loads(body)
    listed = json.loads(call("GET", "/v1/files/")[0])
    patched = json.loads(call("PATCH", f"/v1/files/{file_id}/", {"file_name": "film.mp4"})[0])

    assert [url["part_number"] for url in begun["presigned_urls"]] == list(range(1, 21))
    assert aborted == ("", "204")
    assert (status, completed["upload_status"], completed["file_size"]) == (
        "200",
        "completed",
        6_000_000,
    )
    assert [file["id"] for file in listed["results"]] == [file_id]
    assert patched["file_name"] == "film.mp4"
    assert json.loads(call("GET", f"/v1/files/{file_id}/")[0])["file_name"] == "film.mp4"
    assert call("DELETE", f"/v1/files/{file_id}/") == ("", "204")
