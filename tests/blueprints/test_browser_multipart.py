"""/api/s3/multipart: parts to a key that the client names."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.models import FileUpload
from softfactory.storage.keys import Key
from tests.blueprints.uploads_client import BODY, PART_SIZE, begin, part_of, put, send
from tests.conftest import Caller
from tests.doubles import FailingStorage, FakeClock
from tests.stacks import both_databases, one_stack


def initiate(caller: Caller, name: str = "large-file.zip", **more: Any) -> dict[str, str]:
    """Begin an upload below the caller's own prefix; return what names it from now on."""
    key = f"users/{caller.uuid}/{name}"
    response = caller.post("/api/s3/multipart/initiate", json={"key": key, **more})
    assert response.status_code == 200, response.get_json()
    answer: dict[str, str] = response.get_json()
    assert list(answer) == ["upload_id"]
    return {"key": key, **answer}


def part_url(caller: Caller, reference: dict[str, str], number: int) -> Any:
    body = {**reference, "part_number": number}
    return caller.post("/api/s3/multipart/part-url", json=body)


def send_part(
    caller: Caller, reference: dict[str, str], number: int, body: bytes
) -> dict[str, Any]:
    url = part_url(caller, reference, number).get_json()["url"]
    return {"part_number": number, "etag": send(caller, url, body)}


def send_both(caller: Caller, reference: dict[str, str]) -> list[dict[str, Any]]:
    return [send_part(caller, reference, n, part_of(BODY, n)) for n in (2, 1)]


def complete(caller: Caller, reference: dict[str, str], parts: Any) -> Any:
    return caller.post("/api/s3/multipart/complete", json={**reference, "parts": parts})


def list_parts(caller: Caller, reference: dict[str, str]) -> Any:
    return caller.get("/api/s3/multipart/parts", query_string=reference)


def stored(app: Flask, key: str) -> bytes:
    with app.app_context(), runtime().storage.open(Key(key)) as opened:
        return b"".join(opened.chunks())


@one_stack
def test_an_upload_completes_with_parts_named_in_any_order(app: Flask, alice: Caller) -> None:
    reference = initiate(alice)
    parts = send_both(alice, reference)

    response = complete(alice, reference, parts)

    assert response.status_code == 200
    answer = response.get_json()
    with app.app_context():
        etag = runtime().storage.head(Key(reference["key"])).etag
    assert answer == {
        "key": reference["key"],
        "etag": etag,
        "message": "File uploaded successfully",
    }
    assert stored(app, reference["key"]) == BODY


def test_what_was_completed_is_a_file_in_every_contract(alice: Caller) -> None:
    reference = initiate(alice)
    complete(alice, reference, send_both(alice, reference))

    listed = alice.get("/v1/files/").get_json()["results"]

    assert [(file["file_name"], file["file_size"]) for file in listed] == [
        ("large-file.zip", len(BODY))
    ]
    assert listed[0]["file_content_type"] == "application/zip"
    assert alice.get("/api/files").get_json()["files"][0]["file_key"] == reference["key"]


def test_nothing_shows_until_it_is_completed(app: Flask, alice: Caller) -> None:
    reference = initiate(alice)
    send_part(alice, reference, 1, b"x")

    assert alice.get("/v1/files/").get_json()["count"] == 0
    with app.app_context():
        assert runtime().storage.list_objects().objects == []


def test_the_content_type_may_be_said(alice: Caller) -> None:
    reference = initiate(alice, content_type="video/mp4")
    complete(alice, reference, [send_part(alice, reference, 1, b"x")])

    listed = alice.get("/v1/files/").get_json()["results"]

    assert listed[0]["file_content_type"] == "video/mp4"


@pytest.mark.light
@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.mp4", "video/mp4"),
        ("a.tar", "application/x-tar"),
        ("a.tar.gz", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ],
)
def test_the_content_type_is_the_extensions_where_nothing_is_said(
    alice: Caller, name: str, content_type: str
) -> None:
    reference = initiate(alice, name)
    complete(alice, reference, [send_part(alice, reference, 1, b"x")])

    listed = alice.get("/v1/files/").get_json()["results"]

    assert listed[0]["file_content_type"] == content_type


@pytest.mark.light
def test_a_content_type_that_is_none_is_400(alice: Caller) -> None:
    body = {"key": f"users/{alice.uuid}/a", "content_type": "video\r\nX-Evil: 1"}

    response = alice.post("/api/s3/multipart/initiate", json=body)

    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == ["content_type"]


def test_a_part_url_is_answered_with_its_number_and_life(alice: Caller) -> None:
    response = part_url(alice, initiate(alice), 7)

    assert response.status_code == 200
    answer = response.get_json()
    assert answer.pop("url").startswith("http")
    assert answer == {"part_number": 7, "expires_in": 3600}


def test_the_parts_that_arrived_are_listed_by_number(alice: Caller) -> None:
    reference = initiate(alice)
    sent = send_both(alice, reference)

    response = list_parts(alice, reference)

    assert response.status_code == 200
    etags = {part["part_number"]: part["etag"].strip('"') for part in sent}
    assert response.get_json() == {
        "parts": [
            {"part_number": 1, "etag": etags[1], "size": PART_SIZE},
            {"part_number": 2, "etag": etags[2], "size": len(BODY) - PART_SIZE},
        ]
    }


def test_an_upload_to_a_taken_key_hides_nothing_and_replaces_it_when_completed(
    app: Flask, alice: Caller
) -> None:
    first = initiate(alice, "a.txt")
    complete(alice, first, [send_part(alice, first, 1, b"old")])
    before = alice.get("/v1/files/").get_json()["results"]

    second = initiate(alice, "a.txt")
    parts = send_both(alice, second)
    meanwhile = alice.get("/v1/files/").get_json()["results"]
    old_bytes = stored(app, second["key"])
    complete(alice, second, parts)
    after = alice.get("/v1/files/").get_json()["results"]

    assert (meanwhile, old_bytes) == (before, b"old")
    assert [file["id"] for file in after] == [file["id"] for file in before]
    assert after[0]["file_size"] == len(BODY)
    assert stored(app, second["key"]) == BODY


def test_what_replaces_an_expiring_file_does_not_expire(
    app: Flask, alice: Caller, clock: FakeClock
) -> None:
    first = initiate(alice, "a.txt")
    complete(alice, first, [send_part(alice, first, 1, b"old")])
    with app.app_context():
        db.session.query(FileUpload).one().expires_at = clock() + timedelta(minutes=1)
        db.session.commit()

    second = initiate(alice, "a.txt")
    complete(alice, second, [send_part(alice, second, 1, b"new")])
    clock.advance(minutes=2)

    [file] = alice.get("/v1/files/").get_json()["results"]
    assert file["expires_at"] is None
    assert stored(app, second["key"]) == b"new"


def test_of_two_open_uploads_the_one_completed_last_wins(app: Flask, alice: Caller) -> None:
    references = [initiate(alice, "a.txt") for _ in range(2)]
    parts = [
        send_part(alice, reference, 1, body)
        for reference, body in zip(references, (b"first", b"second"), strict=True)
    ]

    for index in (1, 0):
        assert complete(alice, references[index], [parts[index]]).status_code == 200

    assert stored(app, references[0]["key"]) == b"first"
    assert alice.get("/v1/files/").get_json()["count"] == 1
    with app.app_context():
        assert len(db.session.scalars(select(FileUpload)).all()) == 1


def test_completing_again_gives_the_same_answer(alice: Caller) -> None:
    reference = initiate(alice)
    parts = send_both(alice, reference)

    first, second = (complete(alice, reference, parts) for _ in range(2))

    assert (second.status_code, second.get_json()) == (200, first.get_json())


@pytest.mark.parametrize("moment", ["fail_before", "fail_after"])
def test_storage_that_fails_to_complete_is_500_and_completing_again_repairs_it(
    make_app: Callable[..., Flask], app: Flask, alice: Caller, moment: str
) -> None:
    reference = initiate(alice)
    parts = send_both(alice, reference)
    with app.app_context():
        storage = FailingStorage(runtime().storage)
    getattr(storage, moment).add("complete_multipart")
    failed = (
        make_app(storage=storage)
        .test_client()
        .post(
            "/api/s3/multipart/complete", json={**reference, "parts": parts}, headers=alice.headers
        )
    )

    repaired = complete(alice, reference, parts)

    assert (failed.status_code, repaired.status_code) == (500, 200)
    assert stored(app, reference["key"]) == BODY
    assert alice.get("/v1/files/").get_json()["count"] == 1


def test_an_upload_that_storage_lost_is_not_taken_for_the_file_that_was_there(
    app: Flask, alice: Caller
) -> None:
    first, second = (initiate(alice, "a.txt") for _ in range(2))
    complete(alice, first, [send_part(alice, first, 1, b"old")])
    part = send_part(alice, second, 1, b"new")
    with app.app_context():
        runtime().storage.abort_multipart(Key(second["key"]), second["upload_id"])

    refused = complete(alice, second, [part])

    assert refused.status_code == 404
    assert stored(app, first["key"]) == b"old"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda parts: [*parts, parts[0]],
        lambda parts: [*parts, {"part_number": 3, "etag": "x"}],
        lambda parts: [parts[0] | {"etag": "0" * 32}, parts[1]],
    ],
    ids=["one twice", "unknown part", "wrong etag"],
)
def test_wrong_parts_are_400_and_leave_the_upload_open(
    alice: Caller, spoil: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> None:
    reference = initiate(alice)
    parts = send_both(alice, reference)

    refused = complete(alice, reference, spoil(parts))

    assert refused.status_code == 400
    assert list(refused.get_json()["errors"]) == ["parts"]
    assert complete(alice, reference, parts).status_code == 200


@one_stack
def test_a_small_part_before_the_last_is_400(alice: Caller) -> None:
    reference = initiate(alice)
    parts = [send_part(alice, reference, n, b"small") for n in (1, 2)]

    refused = complete(alice, reference, parts)

    assert refused.status_code == 400
    assert str(PART_SIZE) in refused.get_json()["error"]


def test_aborting_drops_the_parts(app: Flask, alice: Caller) -> None:
    reference = initiate(alice)
    parts = send_both(alice, reference)

    response = alice.delete("/api/s3/multipart", json=reference)

    assert response.status_code == 200
    assert response.get_json() == {"message": "Upload aborted successfully"}
    with app.app_context():
        assert list(runtime().storage.list_multiparts()) == []
    assert complete(alice, reference, parts).status_code == 409
    assert part_url(alice, reference, 1).status_code == 409
    assert list_parts(alice, reference).status_code == 404
    assert alice.delete("/api/s3/multipart", json=reference).status_code == 200


@both_databases  # S3 itself answers elsewhere
@pytest.mark.parametrize("end", ["completed", "aborted"])
def test_a_part_of_an_upload_that_ended_is_409(alice: Caller, end: str) -> None:
    reference = initiate(alice)
    url = part_url(alice, reference, 1).get_json()["url"]
    if end == "completed":
        complete(alice, reference, [send_part(alice, reference, 1, b"x")])
    else:
        alice.delete("/api/s3/multipart", json=reference)

    response = put(alice, url, b"too late")

    assert response.status_code == 409
    assert end in response.get_json()["error"]


def test_aborting_harms_no_file_of_the_key(app: Flask, alice: Caller) -> None:
    first = initiate(alice, "a.txt")
    complete(alice, first, [send_part(alice, first, 1, b"old")])
    second = initiate(alice, "a.txt")

    alice.delete("/api/s3/multipart", json=second)

    assert stored(app, first["key"]) == b"old"
    assert alice.get("/v1/files/").get_json()["count"] == 1


def test_aborting_a_completed_upload_is_409(app: Flask, alice: Caller) -> None:
    reference = initiate(alice)
    complete(alice, reference, send_both(alice, reference))

    assert alice.delete("/api/s3/multipart", json=reference).status_code == 409
    assert part_url(alice, reference, 1).status_code == 409
    assert stored(app, reference["key"]) == BODY


@one_stack
def test_an_unknown_upload_is_404(alice: Caller) -> None:
    known = initiate(alice)
    unknown = {"key": known["key"], "upload_id": "0" * 32}
    elsewhere = {"key": f"users/{alice.uuid}/other", "upload_id": known["upload_id"]}
    parts = [{"part_number": 1, "etag": "x"}]

    for reference in (unknown, elsewhere):
        assert part_url(alice, reference, 1).status_code == 404
        assert list_parts(alice, reference).status_code == 404
        assert complete(alice, reference, parts).status_code == 404
        assert alice.delete("/api/s3/multipart", json=reference).status_code == 404


@one_stack
def test_a_foreign_key_is_403(alice: Caller, bob: Caller) -> None:
    reference = initiate(alice)
    parts = [send_part(alice, reference, 1, b"x")]

    initiated = bob.post("/api/s3/multipart/initiate", json={"key": reference["key"]})

    assert initiated.status_code == 403
    assert part_url(bob, reference, 1).status_code == 403
    assert list_parts(bob, reference).status_code == 403
    assert complete(bob, reference, parts).status_code == 403
    assert bob.delete("/api/s3/multipart", json=reference).status_code == 403
    assert complete(alice, reference, parts).status_code == 200


def test_an_administrator_reads_and_aborts_but_does_not_write(alice: Caller, admin: Caller) -> None:
    reference = initiate(alice)
    parts = [send_part(alice, reference, 1, b"x")]

    assert len(list_parts(admin, reference).get_json()["parts"]) == 1
    assert part_url(admin, reference, 1).status_code == 403
    assert complete(admin, reference, parts).status_code == 403
    assert admin.delete("/api/s3/multipart", json=reference).status_code == 200


def test_every_root_of_ones_own_can_be_uploaded_to(app: Flask, alice: Caller) -> None:
    for key in (f"uploads/{alice.user_id}/a b+#?.bin", "alice/ü.bin"):
        answer = alice.post("/api/s3/multipart/initiate", json={"key": key}).get_json()
        reference = {"key": key, **answer}

        assert complete(alice, reference, [send_part(alice, reference, 1, b"x")]).status_code == 200
        assert stored(app, key) == b"x"


def test_what_a_client_began_with_its_own_credentials_can_be_finished_here(
    app: Flask, alice: Caller
) -> None:
    key = f"users/{alice.uuid}/own.bin"
    with app.app_context():
        reference = {"key": key, "upload_id": runtime().storage.create_multipart(Key(key))}

    done = complete(alice, reference, [send_part(alice, reference, 1, b"x")])

    assert done.status_code == 200
    assert alice.get("/v1/files/").get_json()["count"] == 1


def test_an_upload_of_the_other_contract_is_held_to_its_declaration(
    app: Flask, alice: Caller
) -> None:
    begun = begin(alice)
    with app.app_context():
        key = db.session.scalars(select(FileUpload.file_key)).one()
    reference = {"key": key, "upload_id": begun["upload_id"]}
    part = send_part(alice, reference, 2, part_of(BODY, 2))

    refused = complete(alice, reference, [part])
    done = complete(alice, reference, [part, send_part(alice, reference, 1, part_of(BODY, 1))])

    assert (refused.status_code, done.status_code) == (400, 200)
    assert stored(app, key) == BODY


@pytest.mark.parametrize("moment", ["fail_before", "fail_after"])
def test_storage_that_does_not_begin_leaves_no_row(
    make_app: Callable[..., Flask], app: Flask, alice: Caller, moment: str
) -> None:
    with app.app_context():
        storage = FailingStorage(runtime().storage)
    getattr(storage, moment).add("create_multipart")
    client = make_app(storage=storage).test_client()
    body = {"key": f"users/{alice.uuid}/a"}

    response = client.post("/api/s3/multipart/initiate", json=body, headers=alice.headers)

    assert response.status_code == 500
    with app.app_context():
        assert db.session.scalars(select(FileUpload)).all() == []


def test_an_expired_part_url_is_refused(
    alice: Caller, clock: Any, storage_settings: dict[str, Any]
) -> None:
    url = part_url(alice, initiate(alice), 1).get_json()["url"]
    if storage_settings["upload_storage_handler"] == "s3":
        pytest.skip("moto checks no signature; the real server is in tests/e2e")

    clock.advance(hours=1)

    assert put(alice, url, b"x").status_code == 403


@pytest.mark.light
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key", "a//b"),
        ("key", "../a"),
        ("key", "alice/.uploads/0/a"),
        ("key", "a/"),
        ("key", ""),
        ("key", 7),
        ("upload_id", ""),
        ("upload_id", 7),
        ("part_number", 0),
        ("part_number", 10_001),
        ("part_number", "one"),
    ],
)
def test_what_is_wrong_is_400_and_named(alice: Caller, field: str, value: Any) -> None:
    body = {"key": f"users/{alice.uuid}/a", "upload_id": "x", "part_number": 1, field: value}

    response = alice.post("/api/s3/multipart/part-url", json=body)

    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == [field]
