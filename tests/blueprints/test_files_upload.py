"""POST /api/files/upload: what is stored, what is refused, and that a refusal leaves nothing."""

import hashlib
import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from urllib3 import encode_multipart_formdata

from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.models import FileUpload
from softfactory.services.files import MAX_FORM_FILE_SIZE
from tests import samples
from tests.conftest import Caller
from tests.doubles import FailingStorage, FakeClock

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def send(
    caller: Caller,
    body: bytes,
    filename: str = "document.pdf",
    content_type: str = "",
    **fields: str,
) -> Any:
    file = (filename, body, content_type or "application/octet-stream")
    encoded, header = encode_multipart_formdata({**fields, "file": file})
    return caller.post("/api/files/upload", data=encoded, content_type=header)


@pytest.fixture
def leaves_nothing(app: Flask) -> Callable[[], bool]:
    """A function that says whether there is no row, no object and no open upload."""

    def leaves_nothing() -> bool:
        with app.app_context():
            rows = db.session.scalars(select(FileUpload)).all()
            storage = runtime().storage
            objects = storage.list_objects().objects
            return not rows and not objects and not list(storage.list_multiparts())

    return leaves_nothing


def test_an_upload_answers_with_every_documented_field(alice: Caller) -> None:
    body = samples.pdf(size=20_000)

    response = send(alice, body)

    assert response.status_code == 201
    answer = response.get_json()
    assert answer["size"] == 20_000
    assert answer["category"] == "document"
    assert answer["content_type"] == "application/pdf"
    assert answer["original_filename"] == "document.pdf"
    assert re.fullmatch(
        rf"uploads/{alice.user_id}/\d{{8}}_\d{{6}}_document\.pdf", answer["file_key"]
    )
    assert answer["url"].endswith(answer["file_key"])
    assert answer["cdn_url"] == answer["url"]
    assert isinstance(answer["file_id"], int)


@pytest.mark.light
@pytest.mark.parametrize(
    ("name", "build", "content_type", "category"),
    [
        ("a.jpg", samples.jpeg, "image/jpeg", "image"),
        ("a.png", samples.png, "image/png", "image"),
        ("a.webp", samples.webp, "image/webp", "image"),
        ("a.gif", samples.gif, "image/gif", "image"),
        ("a.mp4", samples.mp4, "video/mp4", "video"),
        ("a.mov", samples.mov, "video/quicktime", "video"),
        ("a.avi", samples.avi, "video/x-msvideo", "video"),
        ("a.pdf", samples.pdf, "application/pdf", "document"),
        ("a.doc", samples.doc, "application/msword", "document"),
        ("a.docx", samples.docx, DOCX, "document"),
        ("a.xls", samples.xls, "application/vnd.ms-excel", "document"),
        ("a.xlsx", samples.xlsx, XLSX, "document"),
    ],
)
def test_every_listed_type_is_taken_and_told_by_its_content(
    alice: Caller, name: str, build: Callable[[], bytes], content_type: str, category: str
) -> None:
    response = send(alice, build(), name, "application/octet-stream")

    assert response.status_code == 201, response.get_json()
    answer = response.get_json()
    assert (answer["content_type"], answer["category"]) == (content_type, category)


def test_the_stored_bytes_are_the_sent_ones(app: Flask, alice: Caller) -> None:
    body = samples.pdf(size=3 * 1024 * 1024 + 17)

    key = send(alice, body).get_json()["file_key"]

    with app.app_context(), runtime().storage.open(key) as stored:
        assert b"".join(stored.chunks()) == body


def test_the_row_keeps_the_sha256_of_the_bytes(app: Flask, alice: Caller) -> None:
    body = samples.png()

    send(alice, body, "a.png")

    with app.app_context():
        assert db.session.scalar(select(FileUpload.sha256)) == hashlib.sha256(body).hexdigest()


@pytest.mark.light
def test_a_png_sent_as_jpeg_is_simply_corrected(alice: Caller) -> None:
    response = send(alice, samples.png(), "photo.jpg", "image/jpeg")

    assert response.status_code == 201
    assert response.get_json()["content_type"] == "image/png"


def test_two_files_of_one_name_in_one_second_both_live(alice: Caller) -> None:
    first = send(alice, samples.pdf()).get_json()
    second = send(alice, samples.png(), "document.png").get_json()
    third = send(alice, samples.pdf(size=5000)).get_json()

    listed = alice.get("/api/files").get_json()
    assert len({first["file_key"], second["file_key"], third["file_key"]}) == 3
    assert listed["total"] == 3


@pytest.mark.parametrize(
    ("filename", "kept"),
    [
        ("päper 文书 🎉.pdf", "päper 文书 🎉.pdf"),
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("CON", "CON"),
        ("a+b&c=d#e%2F?.pdf", "a+b&c=d#e%2F?.pdf"),
        ("n" * 296 + ".pdf", "n" * 296 + ".pdf"),
    ],
)
def test_a_filename_keeps_all_but_what_breaks_a_key(
    alice: Caller, filename: str, kept: str
) -> None:
    response = send(alice, samples.pdf(), filename)

    assert response.status_code == 201, response.get_json()
    answer = response.get_json()
    assert answer["original_filename"] == kept
    assert answer["file_key"].startswith(f"uploads/{alice.user_id}/")
    assert answer["file_key"].endswith("_" + kept)


def test_a_file_of_exactly_50_mb_is_taken(alice: Caller) -> None:
    response = send(alice, samples.pdf(size=MAX_FORM_FILE_SIZE))

    assert response.status_code == 201
    assert response.get_json()["size"] == MAX_FORM_FILE_SIZE


def test_a_file_one_byte_over_50_mb_is_refused_and_leaves_nothing(
    alice: Caller, leaves_nothing: Callable[[], bool]
) -> None:
    response = send(alice, samples.pdf(size=MAX_FORM_FILE_SIZE + 1))

    assert response.status_code == 400
    assert "File size exceeds limit" in response.get_json()["error"]
    assert response.get_json()["code"] == "FILE_TOO_LARGE"
    assert leaves_nothing()


@pytest.mark.parametrize(
    ("body", "filename", "content_type"),
    [
        (b"just text, long enough to be no accident", "notes.txt", "text/plain"),
        (b"<html><script>alert(1)</script>", "a.pdf", "application/pdf"),
        (b"MZ" + bytes(600_000), "setup.pdf", "application/pdf"),
        (samples.pdf(), "invoice.png", "application/pdf"),
        (samples.pdf(), "invoice.pdf", "image/png"),
        (samples.png(), "shell.php", "image/png"),
        (samples.png(), "a.png", "text/html"),
    ],
)
def test_what_is_not_allowed_or_lies_is_refused_and_leaves_nothing(
    alice: Caller,
    leaves_nothing: Callable[[], bool],
    body: bytes,
    filename: str,
    content_type: str,
) -> None:
    response = send(alice, body, filename, content_type)

    assert response.status_code == 400
    assert "File type not allowed" in response.get_json()["error"]
    assert leaves_nothing()


def test_an_empty_file_is_refused_and_leaves_nothing(
    alice: Caller, leaves_nothing: Callable[[], bool]
) -> None:
    response = send(alice, b"")

    assert response.status_code == 400
    assert "File is empty" in response.get_json()["error"]
    assert leaves_nothing()


@pytest.mark.light
@pytest.mark.parametrize("filename", ["", ".", "..", "\t", "a/.."])
def test_a_file_without_a_usable_name_is_refused(
    alice: Caller, leaves_nothing: Callable[[], bool], filename: str
) -> None:
    body = (
        (
            f'--b\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'
        ).encode()
        + samples.pdf()
        + b"\r\n--b--\r\n"
    )

    response = alice.post(
        "/api/files/upload", data=body, content_type="multipart/form-data; boundary=b"
    )

    assert response.status_code == 400
    assert "file" in response.get_json()["errors"]
    assert leaves_nothing()


@pytest.mark.light
@pytest.mark.parametrize("form", [{}, {"file": "text, no file"}, {"other": "x"}])
def test_a_form_without_a_file_is_refused(alice: Caller, form: dict[str, str]) -> None:
    response = alice.post("/api/files/upload", data=form, content_type="multipart/form-data")

    assert response.status_code == 400
    assert response.get_json()["code"] == "VALIDATION_ERROR"


@pytest.mark.light
def test_a_form_with_its_file_in_another_field_is_refused(alice: Caller) -> None:
    form = {"document": (io.BytesIO(samples.pdf()), "a.pdf")}

    response = alice.post("/api/files/upload", data=form, content_type="multipart/form-data")

    assert response.status_code == 400
    assert "No file provided" in response.get_json()["error"]


def test_a_form_with_two_files_is_refused_and_leaves_nothing(
    alice: Caller, leaves_nothing: Callable[[], bool]
) -> None:
    files = [("file", ("a.pdf", samples.pdf())), ("file", ("b.pdf", samples.pdf()))]
    body, header = encode_multipart_formdata(files)

    response = alice.post("/api/files/upload", data=body, content_type=header)

    assert response.status_code == 400
    assert "Two files" in response.get_json()["error"]
    assert leaves_nothing()


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.999])
def test_a_form_that_is_cut_off_is_refused_and_leaves_nothing(
    alice: Caller, leaves_nothing: Callable[[], bool], kept: float
) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
    whole = head + samples.pdf(size=3_000_000) + b"\r\n--b--\r\n"

    response = alice.post(
        "/api/files/upload",
        data=whole[: int(len(whole) * kept)],
        content_type="multipart/form-data; boundary=b",
    )

    assert response.status_code == 400
    assert leaves_nothing()


@pytest.mark.light
@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "text/plain", "", "multipart/mixed"]
)
def test_a_body_that_is_no_multipart_form_is_unsupported(alice: Caller, content_type: str) -> None:
    response = alice.post("/api/files/upload", data=b"x=1", content_type=content_type)

    assert response.status_code == 415
    assert response.get_json()["code"] == "UNSUPPORTED_MEDIA_TYPE"


@pytest.mark.light
def test_a_form_without_a_boundary_is_refused(alice: Caller) -> None:
    response = alice.post("/api/files/upload", data=b"x", content_type="multipart/form-data")

    assert response.status_code == 400


def test_an_upload_may_say_in_how_many_hours_it_expires(alice: Caller, clock: FakeClock) -> None:
    file_id = send(alice, samples.pdf(), expires_in_hours="2").get_json()["file_id"]

    expires_at = alice.get(f"/api/files/{file_id}").get_json()["expires_at"]
    assert expires_at == f"{clock.now + timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.light
def test_an_upload_may_say_when_it_expires_before_or_behind_its_file(alice: Caller) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
    field = b'--b\r\nContent-Disposition: form-data; name="expires_at"\r\n\r\n2099-01-01T02:00:00+02:00\r\n'
    file = head + samples.pdf() + b"\r\n"

    answers = [
        alice.post(
            "/api/files/upload",
            data=body + b"--b--\r\n",
            content_type="multipart/form-data; boundary=b",
        ).get_json()
        for body in (field + file, file + field)
    ]

    expiries = [
        alice.get(f"/api/files/{answer['file_id']}").get_json()["expires_at"] for answer in answers
    ]
    assert expiries == ["2099-01-01T00:00:00Z"] * 2


@pytest.mark.light
@pytest.mark.parametrize(
    "fields",
    [
        {"expires_in_hours": "0"},
        {"expires_in_hours": "-1"},
        {"expires_in_hours": "soon"},
        {"expires_in_hours": "1.5"},
        {"expires_in_hours": "1" + "0" * 20},
        {"expires_in_hours": "876001"},
        {"expires_at": "2001-01-01T00:00:00Z"},
        {"expires_at": "tomorrow"},
        {"expires_in_hours": "1", "expires_at": "2099-01-01T00:00:00Z"},
    ],
)
def test_an_expiry_that_makes_no_sense_is_refused_and_leaves_nothing(
    alice: Caller, leaves_nothing: Callable[[], bool], fields: dict[str, str]
) -> None:
    response = send(alice, samples.pdf(), **fields)

    assert response.status_code == 400
    assert response.get_json()["errors"]
    assert leaves_nothing()


@pytest.mark.light
def test_an_upload_without_a_token_is_refused_before_its_body_is_read(client: Any) -> None:
    response = client.post("/api/files/upload", data={"file": (io.BytesIO(b"x"), "a.pdf")})

    assert response.status_code == 401


@pytest.mark.parametrize("moment", ["fail_before", "fail_after"])
def test_storage_trouble_is_a_500_that_says_nothing_and_leaves_no_row(
    make_app: Callable[..., Flask], app: Flask, alice: Caller, moment: str
) -> None:
    with app.app_context():
        storage = FailingStorage(runtime().storage)
    getattr(storage, moment).add("put")
    broken = make_app(storage=storage)

    form = {"file": (io.BytesIO(samples.pdf()), "a.pdf")}
    response = broken.test_client().post("/api/files/upload", data=form, headers=alice.headers)

    assert response.status_code == 500
    assert response.get_json()["code"] == "STORAGE_ERROR"
    assert "S3 error" in response.get_json()["error"]
    assert alice.get("/api/files").get_json()["total"] == 0
