"""The main job, from end to end, under gunicorn, on every database and storage."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests import samples
from tests.e2e.person import PASSWORD, Person
from tests.e2e.server import Server

ON_LOCAL_DISK = pytest.mark.parametrize("storage_environment", ["local"], indirect=True)
"""For what no storage has a part in."""

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what no database has a part in."""


@pytest.fixture
def john(make_server: Callable[..., Server], tmp_path: Path) -> Person:
    """Someone who has registered and logged in on a running server."""
    person = Person(make_server().url, tmp_path / "mail")
    person.register()
    person.log_in()
    return person


def test_a_real_file_goes_up_comes_back_the_same_and_goes_away(john: Person) -> None:
    body = samples.pdf(size=12_345_678)

    uploaded = john.call("POST", "/api/files/upload", files={"file": ("résumé.pdf", body)})
    assert uploaded.status_code == 201, uploaded.text
    file_id = uploaded.json()["file_id"]
    listed = john.call("GET", "/api/files").json()
    assert [file["original_filename"] for file in listed["files"]] == ["résumé.pdf"]
    link = john.call("POST", "/api/files/presigned-url", json={"file_id": file_id}).json()
    downloaded = requests.get(link["presigned_url"], timeout=60)
    assert hashlib.sha256(downloaded.content).digest() == hashlib.sha256(body).digest()
    assert downloaded.headers["Content-Type"] == "application/pdf"
    assert "filename*=UTF-8''r%C3%A9sum%C3%A9.pdf" in downloaded.headers["Content-Disposition"]
    part = requests.get(link["presigned_url"], headers={"Range": "bytes=1000-1999"}, timeout=60)
    assert (part.status_code, part.content) == (206, body[1000:2000])
    assert john.call("DELETE", f"/api/files/{file_id}").json() == {"message": "File deleted"}

    # S3 says 403 for what is not there to those who may not list (GetObject, "Permissions").
    assert requests.get(link["presigned_url"], timeout=60).status_code in (403, 404)
    assert john.call("GET", "/api/files").json()["total"] == 0


@ON_SQLITE
def test_unsigned_urls_give_no_bytes(john: Person) -> None:
    uploaded = john.call("POST", "/api/files/upload", files={"file": ("a.png", samples.png())})

    response = requests.get(uploaded.json()["url"], timeout=60)

    assert response.status_code == 403


@ON_LOCAL_DISK
def test_logging_out_ends_the_tokens(john: Person) -> None:
    tokens = john.log_in()

    john.call("POST", "/api/auth/logout")

    renewal = {"refresh_token": tokens["refresh_token"]}
    assert john.call("GET", "/api/auth/me").status_code == 401
    assert john.call("POST", "/api/auth/refresh", json=renewal).status_code == 401


@ON_LOCAL_DISK
def test_an_operator_makes_an_account_without_mail(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = make_server()

    made = server.flask("users", "create", "jane", "jane@example.com", "--password", PASSWORD)

    assert made.returncode == 0, made.stderr
    jane = Person(server.url, tmp_path / "mail", "jane")
    jane.log_in()
    assert jane.call("GET", "/api/auth/me").json()["username"] == "jane"


@ON_SQLITE
def test_storage_check_says_that_the_storage_works(make_server: Callable[..., Server]) -> None:
    # The URLs of moto, and of Ceph's gateway without a role, are not fit for clients.
    checked = make_server(UPLOAD_URLS="service").flask("storage", "check")

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "works" in checked.stdout
