"""/api/files: info, list, signed URL and delete."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from flask import Flask

from softfactory.http.runtime import runtime
from tests import samples
from tests.blueprints.test_files_upload import send
from tests.conftest import Caller
from tests.doubles import FailingStorage, FakeClock
from tests.stacks import both_databases, one_stack


@pytest.fixture
def document(alice: Caller) -> dict[str, Any]:
    """A file of alice's, as its upload answered."""
    answer: dict[str, Any] = send(alice, samples.pdf()).get_json()
    return answer


def test_info_has_every_documented_field(
    alice: Caller, document: dict[str, Any], clock: FakeClock
) -> None:
    response = alice.get(f"/api/files/{document['file_id']}")

    assert response.status_code == 200
    info = response.get_json()
    assert info.pop("object_id")
    assert info == {
        "id": document["file_id"],
        "file_key": document["file_key"],
        "original_filename": "document.pdf",
        "file_size": document["size"],
        "content_type": "application/pdf",
        "category": "document",
        "s3_url": document["url"],
        "cdn_url": document["cdn_url"],
        "uploaded_at": f"{clock.now:%Y-%m-%dT%H:%M:%SZ}",
        "expires_at": None,
    }


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_list_is_newest_first_and_counts_all(
    alice: Caller, clock: FakeClock, slash: str
) -> None:
    ids = []
    for _ in range(3):
        ids.append(send(alice, samples.png(), "a.png").get_json()["file_id"])
        clock.advance(seconds=1)

    page = alice.get(f"/api/files{slash}?limit=2&offset=1").get_json()

    assert (page["total"], page["limit"], page["offset"]) == (3, 2, 1)
    assert [file["id"] for file in page["files"]] == [ids[1], ids[0]]


def test_the_list_can_be_of_one_category(alice: Caller) -> None:
    send(alice, samples.pdf())
    picture = send(alice, samples.png(), "a.png").get_json()

    page = alice.get("/api/files?category=image").get_json()

    assert page["total"] == 1
    assert page["files"][0]["id"] == picture["file_id"]


@pytest.mark.light
def test_a_limit_over_the_maximum_is_cut_to_it(alice: Caller) -> None:
    assert alice.get("/api/files?limit=1000").get_json()["limit"] == 100


@pytest.mark.light
def test_the_list_starts_with_50_from_0(alice: Caller) -> None:
    page = alice.get("/api/files").get_json()

    assert page == {"total": 0, "limit": 50, "offset": 0, "files": []}


@pytest.mark.light
@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=x", "limit=1.5", "limit=", "offset=-1", "category=music"],
)
def test_numbers_out_of_range_and_unknown_categories_are_refused(alice: Caller, query: str) -> None:
    response = alice.get(f"/api/files?{query}")

    assert response.status_code == 400
    assert query.partition("=")[0] in response.get_json()["errors"]


@pytest.mark.parametrize("offset", ["9223372036854775807", "9" * 400])
def test_an_offset_behind_everything_is_an_empty_page(alice: Caller, offset: str) -> None:
    send(alice, samples.pdf())

    page = alice.get(f"/api/files?offset={offset}").get_json()

    assert page["total"] == 1
    assert page["files"] == []


def test_the_list_shows_nobody_elses_files(
    alice: Caller, bob: Caller, document: dict[str, Any]
) -> None:
    assert bob.get("/api/files").get_json()["total"] == 0


def test_a_signed_url_answers_with_its_key_and_expiry(
    alice: Caller, document: dict[str, Any], clock: FakeClock
) -> None:
    body = {"file_id": document["file_id"], "expiration_hours": 2}

    response = alice.post("/api/files/presigned-url", json=body)

    assert response.status_code == 200
    answer = response.get_json()
    assert answer["file_key"] == document["file_key"]
    assert answer["expires_at"] == f"{clock.now + timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}"
    assert answer["presigned_url"].startswith(document["url"] + "?")


@pytest.mark.light
def test_a_signed_url_lives_24_hours_where_nothing_is_said(
    alice: Caller, document: dict[str, Any], clock: FakeClock
) -> None:
    answer = alice.post("/api/files/presigned-url", json={"file_id": document["file_id"]})

    expected = f"{clock.now + timedelta(hours=24):%Y-%m-%dT%H:%M:%SZ}"
    assert answer.get_json()["expires_at"] == expected


def test_a_signed_url_never_outlives_its_file(alice: Caller, clock: FakeClock) -> None:
    file_id = send(alice, samples.pdf(), expires_in_hours="1").get_json()["file_id"]

    answer = alice.post("/api/files/presigned-url", json={"file_id": file_id}).get_json()

    assert answer["expires_at"] == f"{clock.now + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.light
@pytest.mark.parametrize("hours", [0, 169, -1, 1.5, "24", None, True])
def test_hours_out_of_range_are_refused(
    alice: Caller, document: dict[str, Any], hours: object
) -> None:
    body = {"file_id": document["file_id"], "expiration_hours": hours}

    response = alice.post("/api/files/presigned-url", json=body)

    assert response.status_code == 400
    assert "expiration_hours" in response.get_json()["errors"]


@pytest.mark.light
@pytest.mark.parametrize("hours", [1, 168])
def test_hours_at_their_bounds_are_taken(
    alice: Caller, document: dict[str, Any], hours: int
) -> None:
    body = {"file_id": document["file_id"], "expiration_hours": hours}

    assert alice.post("/api/files/presigned-url", json=body).status_code == 200


@pytest.mark.light
@pytest.mark.parametrize("body", [{}, {"file_id": "x"}, {"file_id": True}, {"file_id": -1}])
def test_a_signed_url_needs_a_file_id(alice: Caller, body: dict[str, object]) -> None:
    response = alice.post("/api/files/presigned-url", json=body)

    assert response.status_code == 400
    assert "file_id" in response.get_json()["errors"]


def test_delete_removes_the_file_for_good_reading(
    app: Flask, alice: Caller, document: dict[str, Any]
) -> None:
    response = alice.delete(f"/api/files/{document['file_id']}")

    assert (response.status_code, response.get_json()) == (200, {"message": "File deleted"})
    assert alice.get(f"/api/files/{document['file_id']}").status_code == 404
    assert alice.get("/api/files").get_json()["total"] == 0
    with app.app_context():
        assert not runtime().storage.list_objects().objects


@one_stack
def test_deleting_twice_is_404_the_second_time(alice: Caller, document: dict[str, Any]) -> None:
    alice.delete(f"/api/files/{document['file_id']}")

    response = alice.delete(f"/api/files/{document['file_id']}")

    assert response.status_code == 404
    assert "File not found" in response.get_json()["error"]


@both_databases
def test_of_many_who_delete_a_file_at_once_one_does(
    app: Flask, alice: Caller, document: dict[str, Any]
) -> None:
    together = Barrier(8)

    def delete(_number: int) -> int:
        client = app.test_client()
        together.wait()
        path = f"/api/files/{document['file_id']}"
        status: int = client.delete(path, headers=alice.headers).status_code
        return status

    with ThreadPoolExecutor(8) as threads:
        statuses = sorted(threads.map(delete, range(8)))

    assert statuses == [200] + [404] * 7


@both_databases
def test_a_deleted_files_id_goes_to_no_other_file(alice: Caller, bob: Caller) -> None:
    deleted = send(alice, samples.pdf()).get_json()["file_id"]
    alice.delete(f"/api/files/{deleted}")

    file_id = send(bob, samples.pdf()).get_json()["file_id"]

    assert file_id > deleted
    assert alice.delete(f"/api/files/{deleted}").status_code == 404


def test_storage_trouble_while_deleting_changes_nothing(
    make_app: Callable[..., Flask], app: Flask, alice: Caller, document: dict[str, Any]
) -> None:
    with app.app_context():
        storage = FailingStorage(runtime().storage)
    storage.fail_before.add("delete")
    broken = make_app(storage=storage).test_client()

    response = broken.delete(f"/api/files/{document['file_id']}", headers=alice.headers)

    assert response.status_code == 500
    assert alice.get(f"/api/files/{document['file_id']}").status_code == 200


@one_stack
@pytest.mark.parametrize("file_id", ["999999", "0", "9223372036854775808", "9" * 60])
def test_an_unknown_id_is_404(alice: Caller, file_id: str) -> None:
    assert alice.get(f"/api/files/{file_id}").status_code == 404
    assert alice.delete(f"/api/files/{file_id}").status_code == 404


@one_stack
def test_someone_elses_file_is_403_everywhere(bob: Caller, document: dict[str, Any]) -> None:
    file_id = document["file_id"]

    responses = [
        bob.get(f"/api/files/{file_id}"),
        bob.post("/api/files/presigned-url", json={"file_id": file_id}),
        bob.delete(f"/api/files/{file_id}"),
    ]

    assert [response.status_code for response in responses] == [403, 403, 403]
    assert all("Not authorized" in response.get_json()["error"] for response in responses)


def test_an_administrator_reaches_everyones_file(admin: Caller, document: dict[str, Any]) -> None:
    file_id = document["file_id"]

    assert admin.get(f"/api/files/{file_id}").status_code == 200
    assert admin.post("/api/files/presigned-url", json={"file_id": file_id}).status_code == 200
    assert admin.delete(f"/api/files/{file_id}").status_code == 200


def test_an_expired_file_is_gone_at_once(alice: Caller, clock: FakeClock) -> None:
    file_id = send(alice, samples.pdf(), expires_in_hours="1").get_json()["file_id"]

    clock.advance(hours=1)

    assert alice.get(f"/api/files/{file_id}").status_code == 404
    assert alice.post("/api/files/presigned-url", json={"file_id": file_id}).status_code == 404
    assert alice.delete(f"/api/files/{file_id}").status_code == 404
    assert alice.get("/api/files").get_json()["total"] == 0


def test_cdn_url_is_cloudfronts_where_it_is_configured(
    make_app: Callable[..., Flask], alice: Caller, document: dict[str, Any]
) -> None:
    client = make_app(cloudfront_domain="d123abc456.cloudfront.net").test_client()

    info = client.get(f"/api/files/{document['file_id']}", headers=alice.headers).get_json()

    assert info["cdn_url"] == f"https://d123abc456.cloudfront.net/{document['file_key']}"
    assert info["s3_url"] == document["url"]
