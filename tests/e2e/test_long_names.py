"""A file that is taken opens by its URL, however long its name is once it is percent-encoded."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest
import requests

from tests import samples
from tests.e2e.clients import embedded_and_scaled, johndoe
from tests.e2e.person import Person
from tests.e2e.server import Server

pytestmark = embedded_and_scaled


@pytest.fixture
def john(make_server: Callable[..., Server], tmp_path: Path) -> Person:
    """Somebody who is logged in on a running server."""
    return johndoe(make_server, tmp_path / "mail")


def name_of(answer: requests.Response) -> str:
    """Return the name that a download is to be saved by."""
    return unquote(answer.headers["Content-Disposition"].partition("UTF-8''")[2])


def test_a_form_with_a_long_name_opens_by_its_url(john: Person) -> None:
    body = samples.pdf()
    for letters in (80, 255, 320, 337):
        name = "한" * letters + ".pdf"
        file = john.call("POST", "/api/files/upload", files={"file": (name, body)}).json()
        asked = {"file_id": file["file_id"]}
        url = john.call("POST", "/api/files/presigned-url", json=asked).json()["presigned_url"]

        answer = requests.get(url, timeout=30)

        assert (answer.status_code, answer.content) == (200, body)
        assert file["original_filename"] == name
        assert name.startswith(name_of(answer).removesuffix(".pdf"))
        assert name_of(answer).endswith(".pdf")
        assert letters > 100 or name_of(answer) == name
        assert len(url) < 8_000


def test_a_key_of_1024_bytes_opens_in_every_version(john: Person) -> None:
    root = john.call("GET", "/api/s3/user-prefix").json()["prefix"]
    key = root + "한" * ((1024 - len(root)) // 3)
    for body in (b"old", b"new"):
        sent = john.call("POST", "/api/s3/upload", data={"key": key}, files={"file": ("a", body)})
        assert sent.status_code == 200
    versions = john.call("GET", "/api/s3/object/versions", params={"key": key}).json()

    links = [
        john.call("POST", "/api/s3/download", json={"key": key, **version}).json()["url"]
        for version in ({}, *({"version_id": each["version_id"]} for each in versions))
    ]

    bodies = [requests.get(link, timeout=30).content for link in links]
    assert bodies[:2] == [b"new", b"new"]
    assert bodies[2:] == [b"old"] * (len(versions) - 1)  # A bucket may keep no versions.
    assert max(map(len, links)) < 8_000


def test_a_long_name_is_sent_in_parts_and_by_the_drive(john: Person) -> None:
    name = "한" * 300
    announced = {"file_name": name, "file_size": 3, "content_type": "text/plain"}
    begun = john.call("POST", "/api/files/upload/", json=announced).json()["successful"][0]

    sent = requests.put(begun["presigned_url"], data=b"abc", timeout=30)
    confirmed = john.call("POST", "/api/files/confirm_upload/", json={"s3_key": begun["s3_key"]})
    opened = john.call("GET", f"/api/files/{begun['id']}/details/")

    assert (sent.status_code, confirmed.status_code, opened.status_code) == (200, 200, 200)
