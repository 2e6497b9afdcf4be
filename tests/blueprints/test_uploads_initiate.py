"""POST /v1/files/uploads/: what may begin, and what comes back."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.models import FileUpload
from tests.blueprints.uploads_client import MIB, PART_SIZE, begin, declaration, put
from tests.conftest import Caller
from tests.doubles import FailingStorage, FakeClock


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_upload_begins_with_a_url_for_each_part(alice: Caller, slash: str) -> None:
    response = alice.post(f"/v1/files/uploads{slash}", json=declaration(12 * MIB))

    assert response.status_code == 201
    begun = response.get_json()
    file_obj = begun["file_obj"]
    assert file_obj.pop("id").isdigit()
    assert file_obj == {"file_name": "large-video.mp4", "upload_status": "uploading"}
    assert isinstance(begun["upload_id"], str)
    assert begun["expires_in"] == 3600
    assert [part["part_number"] for part in begun["presigned_urls"]] == [1, 2, 3]
    assert {part["method"] for part in begun["presigned_urls"]} == {"PUT"}
    assert len({part["url"] for part in begun["presigned_urls"]}) == 3


def test_local_urls_lead_to_the_documented_route(
    alice: Caller, storage_settings: dict[str, Any]
) -> None:
    begun = begin(alice)

    url = begun["presigned_urls"][1]["url"]
    path = f"/v1/files/presigned-uploads/{begun['file_obj']['id']}/upload-part/2/?token="
    is_local = storage_settings["upload_storage_handler"] == "local"
    assert url.startswith(f"http://localhost:8000{path}") == is_local


def test_the_key_is_dated_and_below_the_users_uploads(
    app: Flask, alice: Caller, clock: FakeClock
) -> None:
    begun = [begin(alice), begin(alice)]

    with app.app_context():
        keys = [db.session.get_one(FileUpload, int(b["file_obj"]["id"])).file_key for b in begun]
    prefix = f"uploads/{alice.user_id}/{clock.now:%Y%m%d_%H%M%S}_"
    assert keys[0] == f"{prefix}large-video.mp4"
    assert keys[1].startswith(prefix)
    assert keys[1] != keys[0]


def test_nothing_shows_in_the_list_until_it_is_completed(alice: Caller) -> None:
    begin(alice)

    assert alice.get("/v1/files/").get_json()["count"] == 0
    assert alice.get("/api/files").get_json()["total"] == 0


def test_parents_are_kept(alice: Caller) -> None:
    begun = begin(alice, parent_content_type="testapp.post", parent_object_id=123)

    info = alice.get(f"/v1/files/{begun['file_obj']['id']}/").get_json()

    assert (info["parent_content_type"], info["parent_object_id"]) == ("testapp.post", 123)


@pytest.mark.light
def test_a_part_may_be_larger_than_the_file(alice: Caller) -> None:
    begun = begin(alice, 10, num_parts=1, part_size=64 * MIB)

    assert len(begun["presigned_urls"]) == 1


@pytest.mark.light
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("file_name", None),
        ("file_name", ""),
        ("file_name", ".."),
        ("file_name", "a" * 1025),
        ("file_name", 5),
        ("file_size", 0),
        ("file_size", -1),
        ("file_size", "many"),
        ("file_size", 1.5),
        ("file_size", True),
        ("file_content_type", "video"),
        ("file_content_type", "video/mp4\r\nX-Evil: 1"),
        ("file_content_type", "video/" + "x" * 256),
        ("num_parts", 0),
        ("num_parts", 1),
        ("num_parts", 3),
        ("part_size", PART_SIZE - 1),
        ("part_size", 5 * 1024 * MIB + 1),
        ("parent_content_type", 5),
        ("parent_content_type", "x" * 256),
        ("parent_object_id", "abc"),
        ("parent_object_id", 2**63),
    ],
)
def test_what_is_wrong_is_400_and_named(alice: Caller, field: str, value: Any) -> None:
    response = alice.post("/v1/files/uploads/", json=declaration(**{field: value}))

    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == [field]


@pytest.mark.light
@pytest.mark.parametrize(
    "field", ["file_name", "file_size", "file_content_type", "num_parts", "part_size"]
)
def test_what_is_missing_is_400_and_named(alice: Caller, field: str) -> None:
    body = declaration()
    del body[field]

    response = alice.post("/v1/files/uploads/", json=body)

    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == [field]


@pytest.mark.light
@pytest.mark.parametrize("size", [5 * 1024**3 + 1, 10**30])
def test_more_than_the_maximum_is_413(alice: Caller, size: int) -> None:
    response = alice.post("/v1/files/uploads/", json=declaration(size, num_parts=1025))

    assert response.status_code == 413
    assert response.get_json()["code"] == "FILE_TOO_LARGE"


@pytest.mark.light
def test_more_than_10000_parts_are_refused(make_app: Callable[..., Flask], alice: Caller) -> None:
    client = make_app(max_file_upload_size=10**12).test_client()
    size = 10_000 * PART_SIZE + 1

    response = client.post("/v1/files/uploads/", json=declaration(size), headers=alice.headers)

    assert response.status_code == 400
    assert "10000" in response.get_json()["error"]


def test_10000_part_urls_come_in_one_answer(make_app: Callable[..., Flask], alice: Caller) -> None:
    client = make_app(max_file_upload_size=10**12).test_client()
    body = declaration(10_000 * PART_SIZE)

    response = client.post("/v1/files/uploads/", json=body, headers=alice.headers)

    urls = {part["url"] for part in response.get_json()["presigned_urls"]}
    assert len(urls) == 10_000


@pytest.mark.parametrize("moment", ["fail_before", "fail_after"])
def test_storage_that_does_not_begin_leaves_no_row(
    make_app: Callable[..., Flask], app: Flask, alice: Caller, moment: str
) -> None:
    with app.app_context():
        storage = FailingStorage(runtime().storage)
    getattr(storage, moment).add("create_multipart")
    client = make_app(storage=storage).test_client()

    response = client.post("/v1/files/uploads/", json=declaration(), headers=alice.headers)

    assert response.status_code == 500
    with app.app_context():
        assert db.session.scalars(select(FileUpload)).all() == []


@pytest.mark.light
def test_a_token_is_needed(alice: Caller) -> None:
    for method, path in (
        ("POST", "/v1/files/uploads/"),
        ("GET", "/v1/files/uploads/1/"),
        ("DELETE", "/v1/files/uploads/1/"),
        ("POST", "/v1/files/uploads/1/complete/"),
        ("GET", "/v1/files/"),
        ("GET", "/v1/files/1/"),
        ("PATCH", "/v1/files/1/"),
        ("DELETE", "/v1/files/1/"),
    ):
        assert alice.client.open(path, method=method).status_code == 401, (method, path)


def test_where_storage_takes_the_parts_the_local_route_says_so(
    alice: Caller, storage_settings: dict[str, Any]
) -> None:
    begun = begin(alice)
    path = f"/v1/files/presigned-uploads/{begun['file_obj']['id']}/upload-part/1/?token=x"

    response = put(alice, f"http://localhost{path}", b"x")

    is_local = storage_settings["upload_storage_handler"] == "local"
    assert response.status_code == (403 if is_local else 404)
    assert is_local or "straight to storage" in response.get_json()["error"]
