"""A content type that is empty, null or a wildcard is not said, at every door alike."""

from typing import Any

import pytest
from sqlalchemy import select

from softfactory.http.extensions import db
from softfactory.models import FileUpload
from tests import samples
from tests.conftest import Caller
from tests.contracts.doors import announced, good
from tests.stacks import one_stack

pytestmark = one_stack

unsaid = pytest.mark.parametrize("unsaid", ["", None, " ", "*/*", "image/*"])


@unsaid
@pytest.mark.parametrize(
    ("name", "expected"), [("a.jpg", "image/jpeg"), ("a", "application/octet-stream")]
)
def test_the_extension_decides_where_bytes_go_straight_to_storage(
    alice: Caller, name: str, expected: str, unsaid: str | None
) -> None:
    drive = {"file_name": f"d{name}", "file_size": 1, "content_type": unsaid}
    uploads = {**announced(name, b"x"), "file_content_type": unsaid}
    browser = {"key": f"users/{alice.uuid}/{name}", "content_type": unsaid}

    ids = [
        good(alice.post("/api/files/upload/", json=drive))["successful"][0]["id"],
        good(alice.post("/v1/files/uploads/", json=uploads))["file_obj"]["id"],
        good(alice.post("/api/s3/multipart/initiate", json=browser))["upload_id"],
    ]

    assert all(ids)
    assert declared(alice) == {expected}


@pytest.mark.parametrize("content_type", ["video", "video/mp4\r\nX-Evil: 1", "a/" + "x" * 256, 5])
def test_a_type_that_is_none_is_refused_everywhere(alice: Caller, content_type: Any) -> None:
    drive = {"file_name": "a.jpg", "file_size": 1, "content_type": content_type}
    uploads = {**announced("a.jpg", b"x"), "file_content_type": content_type}
    browser = {"key": f"users/{alice.uuid}/a.jpg", "content_type": content_type}

    answers = [
        alice.post("/api/files/upload/", json=drive),
        alice.post("/v1/files/uploads/", json=uploads),
        alice.post("/api/s3/multipart/initiate", json=browser),
    ]

    assert [answer.status_code for answer in answers] == [400, 400, 400]


@pytest.mark.parametrize("header", ["", "Content-Type:\r\n", "Content-Type: \r\n"])
def test_a_part_of_a_form_without_a_type_claims_nothing(alice: Caller, header: str) -> None:
    disposition = 'Content-Disposition: form-data; name="file"; filename="a.png"'
    body = f"--x\r\n{disposition}\r\n{header}\r\n".encode() + samples.png() + b"\r\n--x--\r\n"

    answer = alice.post(
        "/api/files/upload", data=body, content_type="multipart/form-data; boundary=x"
    )

    assert (answer.status_code, answer.get_json()["content_type"]) == (201, "image/png")


def declared(caller: Caller) -> set[str]:
    """Return the types that the rows of all uploads have."""
    with caller.client.application.app_context():
        return set(db.session.scalars(select(FileUpload.content_type)))
