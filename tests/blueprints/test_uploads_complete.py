"""Completing and aborting uploads: what is refused, what is repeated, what meets at one moment."""

import threading
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
import requests
from flask import Flask

from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.models import FileUpload, UploadStatus
from softfactory.storage.keys import Key
from tests.blueprints.uploads_client import (
    BODY,
    PART_SIZE,
    begin,
    complete,
    part_of,
    put,
    send,
    send_all,
    status,
    upload,
)
from tests.conftest import Caller
from tests.doubles import FailingStorage, FakeClock
from tests.stacks import both_databases, one_stack


def stored_bytes(app: Flask, file_id: str) -> bytes:
    with app.app_context():
        file = db.session.get_one(FileUpload, int(file_id))
        with runtime().storage.open(Key(file.file_key)) as stored:
            return b"".join(stored.chunks())


def open_uploads(app: Flask) -> int:
    with app.app_context():
        return len(list(runtime().storage.list_multiparts()))


def test_a_completed_upload_is_answered_as_documented(
    app: Flask, alice: Caller, clock: FakeClock
) -> None:
    begun = begin(alice)

    response = complete(alice, begun, send_all(alice, begun))

    assert response.status_code == 200
    answer = response.get_json()
    file_id = begun["file_obj"]["id"]
    assert (
        answer.items()
        >= {
            "id": file_id,
            "file_name": "large-video.mp4",
            "file_size": len(BODY),
            "file_content_type": "video/mp4",
            "upload_status": "completed",
            "created": f"{clock.now:%Y-%m-%dT%H:%M:%SZ}",
        }.items()
    )
    assert answer["url"] == alice.get(f"/api/files/{file_id}").get_json()["cdn_url"]
    assert stored_bytes(app, file_id) == BODY


def test_a_completed_upload_shows_in_files_with_the_declared_type(alice: Caller) -> None:
    done = upload(alice, file_content_type="application/pdf", file_name="a.pdf")

    info = alice.get(f"/api/files/{done['id']}").get_json()

    assert info["content_type"] == "application/pdf"
    assert info["category"] == "document"
    assert info["original_filename"] == "a.pdf"


@one_stack
def test_parts_may_be_named_in_any_order_and_with_quotes(alice: Caller) -> None:
    begun = begin(alice)
    parts = send_all(alice, begun)
    quoted = [part | {"etag": '"' + part["etag"].strip('"') + '"'} for part in parts]

    assert complete(alice, begun, quoted[::-1]).status_code == 200


def test_completing_again_gives_the_same_answer(alice: Caller) -> None:
    begun = begin(alice)
    parts = send_all(alice, begun)

    first, second = (complete(alice, begun, parts) for _ in range(2))

    assert second.status_code == 200
    assert second.get_json() == first.get_json()


@both_databases  # moto itself knows no two at once; the real server is in tests/e2e
def test_of_two_at_once_both_get_the_same_answer(app: Flask, alice: Caller) -> None:
    begun = begin(alice)
    parts = send_all(alice, begun)
    path = f"/v1/files/uploads/{begun['file_obj']['id']}/complete/"
    barrier = threading.Barrier(4)
    answers = []

    def run() -> None:
        client = app.test_client()
        barrier.wait()
        answers.append(client.post(path, json={"parts": parts}, headers=alice.headers))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.get_data() for answer in answers}) == 1
    assert alice.get("/v1/files/").get_json()["count"] == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda parts: parts[:1],
        lambda parts: [parts[0], parts[0]],
        lambda parts: [*parts, parts[0]],
        lambda parts: [*parts, {"part_number": 3, "etag": "x"}],
        lambda parts: [parts[0], parts[1] | {"etag": "0" * 32}],
        lambda parts: [parts[0], parts[1] | {"etag": parts[0]["etag"]}],
    ],
    ids=["one left out", "one twice", "one too many", "unknown part", "wrong etag", "swapped etag"],
)
def test_wrong_parts_are_400_and_leave_the_upload_open(
    alice: Caller, spoil: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> None:
    begun = begin(alice)
    parts = send_all(alice, begun)

    refused = complete(alice, begun, spoil(parts))

    assert refused.status_code == 400
    assert list(refused.get_json()["errors"]) == ["parts"]
    assert status(alice, begun) == "uploading"
    assert complete(alice, begun, parts).status_code == 200


@one_stack
def test_a_part_that_did_not_arrive_is_400(alice: Caller) -> None:
    begun = begin(alice)
    etag = send(alice, begun["presigned_urls"][0]["url"], part_of(BODY, 1))

    named = [{"part_number": n, "etag": etag} for n in (1, 2)]

    assert complete(alice, begun, named).status_code == 400
    assert status(alice, begun) == "uploading"


def test_parts_that_do_not_add_up_are_400_where_storage_took_them(
    alice: Caller, storage_settings: dict[str, Any]
) -> None:
    begun = begin(alice)
    url = begun["presigned_urls"][1]["url"]
    first = send(alice, begun["presigned_urls"][0]["url"], part_of(BODY, 1))
    wrong = put(alice, url, b"too short")
    if storage_settings["upload_storage_handler"] == "local":
        assert wrong.status_code == 400
        return

    named = [
        {"part_number": 1, "etag": first},
        {"part_number": 2, "etag": wrong.headers["ETag"]},
    ]
    refused = complete(alice, begun, named)
    named[1]["etag"] = send(alice, url, part_of(BODY, 2))

    assert refused.status_code == 400
    assert "file_size" in refused.get_json()["error"]
    assert complete(alice, begun, named).status_code == 200


@pytest.mark.light
@pytest.mark.parametrize(
    "parts",
    [
        None,
        [],
        "all",
        [{}],
        [{"part_number": 0, "etag": "x"}],
        [{"part_number": 10_001, "etag": "x"}],
        [{"part_number": "one", "etag": "x"}],
        [{"part_number": 1}],
        [{"part_number": 1, "etag": ""}],
    ],
)
def test_what_names_no_parts_is_400(alice: Caller, parts: Any) -> None:
    begun = begin(alice)

    response = complete(alice, begun, parts)

    assert response.status_code == 400
    assert all(field.startswith("parts") for field in response.get_json()["errors"])


@pytest.mark.parametrize("moment", ["fail_before", "fail_after"])
def test_storage_that_fails_to_complete_is_500_and_completing_again_repairs_it(
    make_app: Callable[..., Flask], app: Flask, alice: Caller, moment: str
) -> None:
    begun = begin(alice)
    parts = send_all(alice, begun)
    with app.app_context():
        storage = FailingStorage(runtime().storage)
    getattr(storage, moment).add("complete_multipart")
    path = f"/v1/files/uploads/{begun['file_obj']['id']}/complete/"
    failed = (
        make_app(storage=storage)
        .test_client()
        .post(path, json={"parts": parts}, headers=alice.headers)
    )

    repaired = complete(alice, begun, parts)

    assert failed.status_code == 500
    assert repaired.status_code == 200
    assert stored_bytes(app, begun["file_obj"]["id"]) == BODY
    assert alice.get("/v1/files/").get_json()["count"] == 1


def test_resuming_repairs_it_too(app: Flask, alice: Caller) -> None:
    begun = begin(alice)
    parts = send_all(alice, begun)
    with app.app_context():
        file = db.session.get_one(FileUpload, int(begun["file_obj"]["id"]))
        named = [(part["part_number"], part["etag"]) for part in parts]
        runtime().storage.complete_multipart(Key(file.file_key), begun["upload_id"], named)

    resumed = alice.get(f"/v1/files/uploads/{begun['file_obj']['id']}/").get_json()

    assert resumed["file_obj"]["upload_status"] == "completed"
    assert resumed["presigned_urls"] == []
    assert status(alice, begun) == "completed"


def test_an_upload_that_storage_lost_has_failed(app: Flask, alice: Caller) -> None:
    begun = begin(alice)
    parts = send_all(alice, begun)
    with app.app_context():
        file = db.session.get_one(FileUpload, int(begun["file_obj"]["id"]))
        runtime().storage.abort_multipart(Key(file.file_key), begun["upload_id"])

    first, second = (complete(alice, begun, parts) for _ in range(2))

    assert (first.status_code, second.status_code) == (404, 409)
    assert status(alice, begun) == "failed"


def test_resuming_gives_what_arrived_and_urls_for_the_rest(alice: Caller) -> None:
    begun = begin(alice, 3 * PART_SIZE)
    etag = send(alice, begun["presigned_urls"][1]["url"], part_of(BODY, 1))

    resumed = alice.get(f"/v1/files/uploads/{begun['file_obj']['id']}/").get_json()

    assert resumed["file_obj"] == begun["file_obj"]
    assert resumed["upload_id"] == begun["upload_id"]
    assert resumed["parts"] == [{"part_number": 2, "etag": etag.strip('"'), "size": PART_SIZE}]
    assert [part["part_number"] for part in resumed["presigned_urls"]] == [1, 3]
    assert resumed["expires_in"] == 3600


def test_a_resumed_upload_completes(app: Flask, alice: Caller) -> None:
    begun = begin(alice)
    first = send(alice, begun["presigned_urls"][0]["url"], part_of(BODY, 1))
    resumed = alice.get(f"/v1/files/uploads/{begun['file_obj']['id']}/").get_json()

    second = send(alice, resumed["presigned_urls"][0]["url"], part_of(BODY, 2))
    named = [{"part_number": 1, "etag": first}, {"part_number": 2, "etag": second}]
    done = complete(alice, begun, named)

    assert done.status_code == 200
    assert stored_bytes(app, begun["file_obj"]["id"]) == BODY


def test_aborting_drops_the_parts_and_shows_as_aborted(app: Flask, alice: Caller) -> None:
    begun = begin(alice)
    parts = send_all(alice, begun)

    response = alice.delete(f"/v1/files/uploads/{begun['file_obj']['id']}/")

    assert (response.status_code, response.get_data()) == (204, b"")
    assert status(alice, begun) == "aborted"
    assert open_uploads(app) == 0
    assert complete(alice, begun, parts).status_code == 409
    resumed = alice.get(f"/v1/files/uploads/{begun['file_obj']['id']}/").get_json()
    assert resumed["file_obj"]["upload_status"] == "aborted"
    assert resumed["parts"] == resumed["presigned_urls"] == []


def test_aborting_twice_is_fine(alice: Caller) -> None:
    begun = begin(alice)

    answers = [alice.delete(f"/v1/files/uploads/{begun['file_obj']['id']}/") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]


def test_aborting_a_completed_upload_is_409_and_harms_nothing(app: Flask, alice: Caller) -> None:
    done = upload(alice)

    response = alice.delete(f"/v1/files/uploads/{done['id']}/")

    assert response.status_code == 409
    assert stored_bytes(app, done["id"]) == BODY


def test_aborting_what_storage_has_just_completed_is_409(app: Flask, alice: Caller) -> None:
    begun = begin(alice)
    parts = send_all(alice, begun)
    with app.app_context():
        file = db.session.get_one(FileUpload, int(begun["file_obj"]["id"]))
        named = [(part["part_number"], part["etag"]) for part in parts]
        runtime().storage.complete_multipart(Key(file.file_key), begun["upload_id"], named)

    response = alice.delete(f"/v1/files/uploads/{begun['file_obj']['id']}/")

    assert response.status_code == 409
    assert complete(alice, begun, parts).status_code == 200


def test_storage_that_fails_to_abort_leaves_the_upload_open(
    make_app: Callable[..., Flask], app: Flask, alice: Caller
) -> None:
    begun = begin(alice)
    parts = send_all(alice, begun)
    with app.app_context():
        storage = FailingStorage(runtime().storage)
    storage.fail_before.add("abort_multipart")
    path = f"/v1/files/uploads/{begun['file_obj']['id']}/"

    failed = make_app(storage=storage).test_client().delete(path, headers=alice.headers)

    assert failed.status_code == 500
    assert status(alice, begun) == "uploading"
    assert complete(alice, begun, parts).status_code == 200


def test_deleting_an_unfinished_upload_leaves_nothing(app: Flask, alice: Caller) -> None:
    begun = begin(alice)
    send_all(alice, begun)

    response = alice.delete(f"/v1/files/{begun['file_obj']['id']}/")

    assert response.status_code == 204
    assert open_uploads(app) == 0
    assert alice.get(f"/v1/files/{begun['file_obj']['id']}/").status_code == 404


@one_stack
def test_someone_elses_upload_is_403(alice: Caller, bob: Caller) -> None:
    begun = begin(alice)
    path = f"/v1/files/uploads/{begun['file_obj']['id']}/"

    for response in (
        bob.get(path),
        bob.delete(path),
        bob.post(f"{path}complete/", json={"parts": [{"part_number": 1, "etag": "x"}]}),
    ):
        assert response.status_code == 403
        assert response.get_json()["code"] == "PERMISSION_DENIED"
    assert status(alice, begun) == "uploading"


def test_an_administrator_reads_and_aborts_but_does_not_write(alice: Caller, admin: Caller) -> None:
    begun = begin(alice)
    path = f"/v1/files/uploads/{begun['file_obj']['id']}/"

    read = admin.get(path).get_json()
    completed = admin.post(f"{path}complete/", json={"parts": [{"part_number": 1, "etag": "x"}]})
    aborted = admin.delete(path)

    assert (read["file_obj"]["upload_status"], read["presigned_urls"]) == ("uploading", [])
    assert completed.status_code == 403
    assert aborted.status_code == 204


@pytest.mark.light
@pytest.mark.parametrize("file_id", ["0", "999", "abc", "-1", "9" * 30, "9" * 5000])
def test_an_upload_that_is_not_there_is_404(alice: Caller, file_id: str) -> None:
    path = f"/v1/files/uploads/{file_id}/"

    assert alice.get(path).status_code == 404
    assert alice.delete(path).status_code == 404
    named = {"parts": [{"part_number": 1, "etag": "x"}]}
    assert alice.post(f"{path}complete/", json=named).status_code == 404


def test_a_file_that_came_as_one_is_no_upload(alice: Caller) -> None:
    form = {"file": (BytesIO(b"%PDF-1.7\n%%EOF\n"), "a.pdf")}
    file_id = alice.post("/api/files/upload", data=form).get_json()["file_id"]

    assert alice.get(f"/v1/files/uploads/{file_id}/").status_code == 404
    assert alice.delete(f"/v1/files/uploads/{file_id}/").status_code == 404
    assert alice.get(f"/v1/files/{file_id}/").get_json()["upload_status"] == "completed"


def test_completing_moves_no_bytes_on_local_storage(
    app: Flask, alice: Caller, storage_settings: dict[str, Any]
) -> None:
    if storage_settings["upload_storage_handler"] != "local":
        pytest.skip("S3 joins the parts itself")
    begun = begin(alice)
    parts = send_all(alice, begun)
    media = storage_settings["media_root"]
    before = {path.stat().st_ino for path in media.rglob("*") if path.stat().st_size == len(BODY)}

    complete(alice, begun, parts)

    after = {path.stat().st_ino for path in media.rglob("*") if path.stat().st_size == len(BODY)}
    assert after == before != set()


def test_what_came_in_parts_is_what_a_signed_url_gives(alice: Caller) -> None:
    done = upload(alice)

    body = {"file_id": int(done["id"])}
    link = alice.post("/api/files/presigned-url", json=body).get_json()["presigned_url"]

    if link.startswith("http://localhost"):
        with alice.client.get(link.removeprefix("http://localhost:8000")) as response:
            assert response.get_data() == BODY
    else:
        assert requests.get(link, timeout=30).content == BODY


def test_every_status_is_one_that_the_document_names() -> None:
    documented = {"pending", "uploading", "completed", "failed", "aborted"}

    assert {status.value for status in UploadStatus} == documented
