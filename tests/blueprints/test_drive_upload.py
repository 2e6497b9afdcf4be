"""Drive: asking for URLs, sending the bytes, confirming; what is refused and what stays."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.http.services import maintenance
from softfactory.models import FileUpload
from softfactory.storage.keys import Key, is_staging
from tests.blueprints.drive_client import (
    begin,
    confirm,
    content,
    details,
    put,
    put_unchecked,
    stored_keys,
    upload,
)
from tests.conftest import Caller
from tests.doubles import CountingStorage, FakeClock
from tests.stacks import both_storages, one_stack


@pytest.mark.parametrize("slash", ["", "/"])
def test_several_files_get_a_url_each(alice: Caller, slash: str) -> None:
    body = {
        "files": [
            {
                "file_name": "a.jpg",
                "content_type": "image/jpeg",
                "file_size": 3,
                "tier": "standard",
            },
            {
                "file_name": "b.pdf",
                "content_type": "application/pdf",
                "file_size": 4,
                "tier": "glacier",
            },
        ]
    }

    response = alice.post(f"/api/files/upload{slash}", json=body)

    assert response.status_code == 200
    answer = response.get_json()
    urls = [each.pop("presigned_url") for each in answer["successful"]]
    assert all(url.startswith("http") for url in urls)
    assert answer == {
        "message": "Successfully generated presigned URLs for 2 files. 0 files failed.",
        "successful": [
            {
                "file_name": "a.jpg",
                "s3_key": "alice/a.jpg",
                "id": "alice-a.jpg",
                "status": "success",
            },
            {
                "file_name": "b.pdf",
                "s3_key": "alice/b.pdf",
                "id": "alice-b.pdf",
                "status": "success",
            },
        ],
        "failed": [],
    }


def test_one_file_gets_its_fields_at_the_top_too(alice: Caller) -> None:
    answer = begin(alice, "a.jpg", 3, content_type="image/jpeg", tier="standard")

    (only,) = answer["successful"]
    assert {name: answer[name] for name in only} == only
    assert answer["message"] == "Successfully generated presigned URLs for 1 files. 0 files failed."


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_confirmed_file_has_what_was_declared(alice: Caller, slash: str) -> None:
    ticket = begin(alice, "a.jpg", 5, content_type="image/jpeg")
    put(alice, ticket["presigned_url"], b"bytes", "text/plain")

    response = alice.post(f"/api/files/confirm_upload{slash}", json={"s3_key": "alice/a.jpg"})

    assert response.status_code == 200
    assert response.get_json() == {"message": "Upload confirmed successfully"}
    assert content(alice, "alice/a.jpg") == b"bytes"
    metadata = details(alice, "alice/a.jpg")["metadata"]
    del metadata["last_modified"]
    assert metadata == {"tier": "standard", "size": 5, "content_type": "image/jpeg"}


@pytest.mark.parametrize("slash", ["", "/"])
def test_several_are_confirmed_and_one_that_fails_stops_no_other(alice: Caller, slash: str) -> None:
    ticket = begin(alice, "b.jpg", 1)
    put(alice, ticket["presigned_url"], b"b")
    begin(alice, "never.jpg", 1)

    response = alice.post(
        f"/api/files/confirm_uploads{slash}",
        json={"s3_keys": ["alice/never.jpg", "alice/b.jpg", "bob/c.jpg"]},
    )

    assert response.status_code == 200
    answer = response.get_json()
    assert answer["message"] == "Upload confirmation processed"
    never, good, foreign = answer["results"]
    assert good == {"s3_key": "alice/b.jpg", "status": "success", "message": "Upload confirmed"}
    assert (never["s3_key"], never["status"]) == ("alice/never.jpg", "error")
    assert "not arrived" in never["message"]
    assert (foreign["s3_key"], foreign["status"]) == ("bob/c.jpg", "error")


def test_what_never_arrived_is_not_found(alice: Caller) -> None:
    begin(alice, "a.jpg", 5)

    response = confirm(alice, "alice/a.jpg")

    assert response.status_code == 404
    assert response.get_json()["code"] == "RESOURCE_NOT_FOUND"


@pytest.mark.parametrize("key", ["alice/none.jpg", "alice/.uploads/x/none.jpg", "", "/", "\t"])
def test_what_nobody_asked_for_is_not_found(alice: Caller, key: str) -> None:
    assert confirm(alice, key).status_code == 404


def test_confirming_again_is_answered_alike(alice: Caller) -> None:
    upload(alice, "a.jpg", b"first")

    response = confirm(alice, "alice/a.jpg")

    assert response.status_code == 200
    assert response.get_json() == {"message": "Upload confirmed successfully"}


@one_stack
@pytest.mark.parametrize("sent", [b"", b"byte", b"bytes!", b"x" * 1_000_000])
def test_a_url_takes_exactly_the_bytes_that_were_declared(
    app: Flask, alice: Caller, sent: bytes
) -> None:
    ticket = begin(alice, "a.jpg", 5)

    status = put(alice, ticket["presigned_url"], sent)

    assert status == 400
    with app.app_context():
        assert not runtime().storage.list_objects("alice/").objects
    assert confirm(alice, ticket["s3_key"]).status_code == 404


@pytest.mark.parametrize("sent", [b"", b"byte", b"bytes!"])
def test_a_wrong_size_is_refused_and_removed_and_can_be_sent_again(
    alice: Caller, sent: bytes
) -> None:
    ticket = begin(alice, "a.jpg", 5)
    put_unchecked(alice, ticket["presigned_url"], sent)

    response = confirm(alice, ticket["s3_key"])

    assert response.status_code == 400
    assert "file_size" in response.get_json()["errors"]
    assert stored_keys(alice) == []
    assert confirm(alice, ticket["s3_key"]).status_code == 404
    put(alice, ticket["presigned_url"], b"bytes")
    assert confirm(alice, ticket["s3_key"]).status_code == 200


def test_an_empty_file_is_fine(alice: Caller) -> None:
    upload(alice, "empty", b"")

    assert content(alice, "alice/empty") == b""


def test_a_file_can_go_straight_into_the_archive(alice: Caller) -> None:
    upload(alice, "a.jpg", b"cold", tier="GLACIER")

    assert details(alice, "alice/a.jpg")["metadata"]["tier"] == "glacier"


def test_an_upload_neither_hides_nor_harms_the_file_that_is_there(alice: Caller) -> None:
    upload(alice, "a.jpg", b"older")
    before = details(alice, "alice/a.jpg")

    ticket = begin(alice, "a.jpg", 3)
    put(alice, ticket["presigned_url"], b"new")

    assert content(alice, "alice/a.jpg") == b"older"
    assert details(alice, "alice/a.jpg") == before
    assert stored_keys(alice) == ["alice/a.jpg"]


def test_a_replaced_file_keeps_its_ids_and_its_earlier_version(app: Flask, alice: Caller) -> None:
    upload(alice, "a.jpg", b"older")
    object_id = details(alice, "alice/a.jpg")["object_id"]
    number = alice.get("/api/files").get_json()["files"][0]["id"]

    upload(alice, "a.jpg", b"newer!")

    assert content(alice, object_id) == b"newer!"
    assert content(alice, str(number)) == b"newer!"
    with app.app_context():
        assert len(runtime().storage.list_versions(Key("alice/a.jpg"))) == 2


@pytest.mark.parametrize("last", [0, 1])
def test_of_two_open_uploads_of_one_name_the_one_confirmed_last_wins(
    alice: Caller, last: int
) -> None:
    bodies = [b"first", b"second"]
    tickets = [begin(alice, "a.jpg", len(body)) for body in bodies]
    for ticket, body in zip(tickets, bodies, strict=True):
        put(alice, ticket["presigned_url"], body)
    assert tickets[0]["s3_key"] != tickets[1]["s3_key"]

    assert confirm(alice, tickets[1 - last]["s3_key"]).status_code == 200
    assert content(alice, "alice/a.jpg") == bodies[1 - last]
    assert confirm(alice, tickets[last]["s3_key"]).status_code == 200

    assert content(alice, "alice/a.jpg") == bodies[last]
    assert all(confirm(alice, ticket["s3_key"]).status_code == 200 for ticket in tickets)
    assert content(alice, "alice/a.jpg") == bodies[last]


def test_a_url_used_again_after_confirming_changes_nothing(alice: Caller) -> None:
    ticket = begin(alice, "a.jpg", 5)
    put(alice, ticket["presigned_url"], b"first")
    confirm(alice, ticket["s3_key"])

    put(alice, ticket["presigned_url"], b"later")

    assert confirm(alice, ticket["s3_key"]).status_code == 200
    assert content(alice, "alice/a.jpg") == b"first"
    assert stored_keys(alice) == ["alice/a.jpg"]


def _give_up(_app: Flask, alice: Caller, ticket: dict[str, Any]) -> None:
    alice.delete("/api/files", json={"s3_key": ticket["s3_key"]})


def _confirm(_app: Flask, alice: Caller, ticket: dict[str, Any]) -> None:
    assert put(alice, ticket["presigned_url"], b"first") == 200
    confirm(alice, ticket["s3_key"])


def _disable(app: Flask, alice: Caller, _ticket: dict[str, Any]) -> None:
    app.test_cli_runner().invoke(args=["users", "disable", alice.username])


def _delete(app: Flask, alice: Caller, _ticket: dict[str, Any]) -> None:
    app.test_cli_runner().invoke(args=["users", "delete", "--yes", alice.username])


@one_stack
@pytest.mark.parametrize("end", [_give_up, _confirm, _disable, _delete])
def test_a_url_takes_nothing_once_no_upload_reserves_its_bytes(
    app: Flask, alice: Caller, end: Any
) -> None:
    ticket = begin(alice, "a.jpg", 5)
    end(app, alice, ticket)

    assert put(alice, ticket["presigned_url"], b"later") == 409
    assert staged_keys(app) == []


@one_stack
def test_nothing_is_left_of_bytes_whose_upload_is_given_up_while_they_come(
    app: Flask, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = begin(alice, "a.jpg", 5)
    with app.app_context():
        storage = runtime().storage
    store = storage.put

    def give_up_meanwhile(*args: Any, **kwargs: Any) -> Any:
        _give_up(app, alice, ticket)
        return store(*args, **kwargs)

    monkeypatch.setattr(storage, "put", give_up_meanwhile)

    assert put(alice, ticket["presigned_url"], b"later") == 409
    assert staged_keys(app) == []


def test_an_upload_that_is_not_confirmed_opens_nowhere_and_lists_as_pending(
    alice: Caller,
) -> None:
    ticket = begin(alice, "a.jpg", 5, content_type="image/jpeg")
    before = stored_keys(alice)
    put(alice, ticket["presigned_url"], b"bytes")

    (file,) = alice.get("/api/v3/files").get_json()["files"]

    assert before == []
    assert (file["s3_key"], file["upload_complete"]) == ("alice/a.jpg", "pending")
    assert alice.get("/api/v2/files").get_json()["total"] == 0
    assert alice.get("/api/files/alice/a.jpg/download_file").status_code == 404


def test_an_upload_of_someone_else_can_not_be_confirmed(
    alice: Caller, bob: Caller, admin: Caller
) -> None:
    ticket = begin(alice, "a.jpg", 5)
    put(alice, ticket["presigned_url"], b"bytes")

    assert confirm(bob, "alice/a.jpg").status_code == 404
    assert confirm(admin, "alice/a.jpg").status_code == 404


def test_a_file_replaces_one_that_expired_as_a_new_one(
    app: Flask, alice: Caller, clock: FakeClock
) -> None:
    upload(alice, "a.jpg", b"older")
    old = details(alice, "alice/a.jpg")["object_id"]
    with app.app_context():
        db.session.query(FileUpload).filter_by(object_id=old).update({"expires_at": clock.now})
        db.session.commit()

    upload(alice, "a.jpg", b"newer!")

    assert content(alice, "alice/a.jpg") == b"newer!"


def test_nothing_waits_in_storage_after_confirming(app: Flask, alice: Caller) -> None:
    upload(alice, "a.jpg")

    with app.app_context():
        keys = [each.key for each in runtime().storage.list_objects().objects]
    assert not any(is_staging(key) for key in keys)


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.light
def test_what_arrived_is_looked_at_once(
    make_app: Callable[..., Flask], app: Flask, alice: Caller
) -> None:
    ticket = begin(alice, "a.txt", 5)
    put(alice, ticket["presigned_url"], b"bytes")
    with app.app_context():
        storage = CountingStorage(runtime().storage)
    counted = replace(alice, client=make_app(storage=storage).test_client())

    assert confirm(counted, ticket["s3_key"]).status_code == 200
    assert [verb for verb, *_ in storage.asked].count("head") == 1


@pytest.mark.light
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("file_name", None),
        ("file_name", ""),
        ("file_name", 5),
        ("file_name", "a/b"),
        ("file_name", "/"),
        ("file_name", ".."),
        ("file_name", " \t"),
        ("file_name", "x" * (1025 - len("alice/"))),
        ("file_size", None),
        ("file_size", -1),
        ("file_size", 1.5),
        ("file_size", "5"),
        ("file_size", True),
        ("content_type", "jpeg"),
        ("content_type", "image/jpeg\r\nX: y"),
        ("content_type", "image/jp\u00e9g"),
        ("content_type", 5),
        ("content_type", "a/" + "b" * 254),
        ("tier", "deep"),
        ("tier", 5),
    ],
)
def test_a_bad_file_is_refused_by_the_name_of_its_field(
    alice: Caller, field: str, value: Any
) -> None:
    body = {"file_name": "a.jpg", "file_size": 1, field: value}

    response = alice.post("/api/files/upload", json=body)

    assert response.status_code == 400
    answer = response.get_json()
    assert answer["code"] == "VALIDATION_ERROR"
    assert list(answer["errors"]) == [field]
    assert answer["successful"] == []
    (failed,) = answer["failed"]
    assert failed["status"] == "failed"
    assert failed["error"] == answer["error"] == answer["detail"]


@pytest.mark.light
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("file_name", "x" * (1024 - len("alice/"))),
        ("file_name", "Grüße, 世界 #1?+%.txt"),
        ("file_size", 0),
        ("content_type", None),
        ("content_type", "text/plain; charset=utf-8"),
        ("tier", None),
        ("tier", "Glacier"),
    ],
)
def test_a_file_at_the_edge_is_taken(alice: Caller, field: str, value: Any) -> None:
    body = {"file_name": "a.jpg", "file_size": 1, field: value}

    assert alice.post("/api/files/upload", json=body).status_code == 200


@pytest.mark.light
def test_the_largest_file_is_the_configured_one(
    make_app: Callable[..., Flask], alice: Caller
) -> None:
    client = make_app(max_file_upload_size=10).test_client()

    def status(size: int) -> Any:
        body = {"file_name": "a", "file_size": size}
        return client.post("/api/files/upload", json=body, headers=alice.headers)

    assert status(10).status_code == 200
    assert status(11).status_code == 400
    assert status(11).get_json()["code"] == "FILE_TOO_LARGE"


@pytest.mark.light
def test_the_good_of_a_mixed_request_get_urls_and_the_bad_reasons(alice: Caller) -> None:
    files = [{"file_name": "good", "file_size": 1}, {"file_name": "a/b", "file_size": 1}, 5]

    answer = alice.post("/api/files/upload", json={"files": files}).get_json()

    assert [each["file_name"] for each in answer["successful"]] == ["good"]
    assert answer["failed"] == [
        {
            "file_name": "a/b",
            "status": "failed",
            "error": "file_name must not have a / in it.",
        },
        {
            "file_name": "",
            "status": "failed",
            "error": "Each of files must be an object with a file_name.",
        },
    ]
    assert answer["message"] == "Successfully generated presigned URLs for 1 files. 2 files failed."


@pytest.mark.light
@pytest.mark.parametrize("is_single", [True, False])
def test_where_every_file_is_bad_each_stands_with_its_reason(
    alice: Caller, is_single: bool
) -> None:
    bad = {"file_name": "a/b", "file_size": 1}

    response = alice.post("/api/files/upload", json=bad if is_single else {"files": [bad]})

    reason = "file_name must not have a / in it."
    assert response.status_code == 400
    assert response.get_json() == {
        "error": reason,
        "detail": reason,
        "code": "VALIDATION_ERROR",
        "errors": {"file_name": [reason]},
        "message": "Successfully generated presigned URLs for 0 files. 1 files failed.",
        "successful": [],
        "failed": [{"file_name": "a/b", "status": "failed", "error": reason}],
    }


@pytest.mark.light
@pytest.mark.parametrize(("count", "status"), [(0, 400), (1, 200), (100, 200), (101, 400)])
def test_a_request_has_1_to_100_files(alice: Caller, count: int, status: int) -> None:
    files = [{"file_name": f"{number}", "file_size": 1} for number in range(count)]

    assert alice.post("/api/files/upload", json={"files": files}).status_code == status


@pytest.mark.light
@pytest.mark.parametrize(("count", "status"), [(0, 400), (1, 200), (100, 200), (101, 400)])
def test_1_to_100_uploads_are_confirmed_at_once(alice: Caller, count: int, status: int) -> None:
    body = {"s3_keys": [f"alice/{number}" for number in range(count)]}

    assert alice.post("/api/files/confirm_uploads", json=body).status_code == status


@pytest.mark.light
@pytest.mark.parametrize("files", ["x", {}, None, 5])
def test_files_is_a_list(alice: Caller, files: Any) -> None:
    assert alice.post("/api/files/upload", json={"files": files}).status_code == 400


@pytest.mark.light
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_a_body_that_is_neither_form_nor_json_is_415(
    alice: Caller, content_type: str | None
) -> None:
    response = alice.post("/api/files/upload", data="{}", content_type=content_type)

    assert response.status_code == 415
    assert response.get_json()["code"] == "UNSUPPORTED_MEDIA_TYPE"


@pytest.mark.light
def test_each_contract_has_its_own_budget_on_the_shared_url(
    make_app: Callable[..., Flask], alice: Caller
) -> None:
    app = make_app(
        ratelimit_enabled=True,
        ratelimit_files_upload="1 per minute",
        ratelimit_drive="2 per minute",
        redis_url=None,
    )
    client = app.test_client()

    def status(**options: Any) -> int:
        return client.post("/api/files/upload", headers=alice.headers, **options).status_code

    form = {"data": {"x": "y"}, "content_type": "multipart/form-data"}
    good = {"json": {"file_name": "a", "file_size": 1}}
    statuses = [status(**form), status(**form), status(**good), status(**good), status(**good)]

    assert statuses == [400, 429, 200, 200, 429]


# --- what cleanup leaves --------------------------------------------------------------------------


def staged_keys(app: Flask) -> list[str]:
    with app.app_context():
        objects = runtime().storage.list_objects().objects
        return [each.key for each in objects if is_staging(each.key)]


def clean_up(app: Flask) -> int:
    with app.app_context():
        return maintenance().cleanup().abandoned_uploads


@both_storages
def test_cleanup_drops_what_was_sent_and_never_confirmed(
    app: Flask, alice: Caller, clock: FakeClock
) -> None:
    upload(alice, "a", b"older")
    put(alice, begin(alice, "a", 5)["presigned_url"], b"newer")
    clock.advance(hours=25)

    abandoned = clean_up(app)

    assert (abandoned, staged_keys(app)) == (1, [])
    clock.advance(hours=-25)
    assert content(alice, "a") == b"older"


@both_storages
def test_cleanup_drops_what_came_after_confirming_and_counts_no_confirmed_upload(
    app: Flask, alice: Caller, clock: FakeClock
) -> None:
    ticket = begin(alice, "a", 5)
    put(alice, ticket["presigned_url"], b"first")
    confirm(alice, ticket["s3_key"])
    put_unchecked(alice, ticket["presigned_url"], b"later")
    late = staged_keys(app)
    clock.advance(minutes=6)

    abandoned = clean_up(app)

    assert len(late) == 1
    assert (abandoned, staged_keys(app)) == (0, [])
