"""Drive: what is done with one file, by every identifier, for its owner, others and admins."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.models import FileUpload
from softfactory.storage.base import StorageClass
from softfactory.storage.keys import Key
from tests import samples
from tests.blueprints.drive_client import (
    begin,
    confirm,
    content,
    details,
    fetch,
    put,
    stored_keys,
    upload,
)
from tests.blueprints.test_files_upload import send
from tests.conftest import Caller
from tests.doubles import FailingStorage, FakeClock
from tests.stacks import both_databases, both_storages, one_stack

GETS = ["download_file", "download_presigned_url", "refresh", "details"]


@pytest.fixture
def picture(alice: Caller) -> str:
    """A file of alice's."""
    return upload(alice, "a picture.jpg", b"pixels", content_type="image/jpeg")


@pytest.fixture
def without_row(app: Flask, alice: Caller) -> str:
    """A file that alice put into storage herself."""
    key = "alice/own/raw.txt"
    with app.app_context():
        runtime().storage.put(Key(key), [b"raw"], content_type="text/plain")
    return key


def identifiers(app: Flask, caller: Caller, key: str) -> dict[str, str]:
    """Return every identifier of the file, by kind."""
    with app.app_context():
        row = db.session.query(FileUpload).filter_by(file_key=key, status="completed").one()
        name = key.removeprefix(f"{caller.username}/")
        return {
            "key": key,
            "file id": f"{caller.username}-{name}",
            "object id": row.object_id,
            "number": str(row.id),
            "name": name,
        }


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("action", [*GETS, "change_tier"])
@both_storages
def test_every_identifier_opens_every_route(
    app: Flask, alice: Caller, picture: str, action: str, slash: str
) -> None:
    def status(identifier: str) -> int:
        path = f"/api/files/{quote(identifier)}/{action}{slash}"
        if action == "change_tier":
            response = alice.post(path, json={"target_tier": "standard"})
        else:
            response = alice.get(path)
        with response:
            return int(response.status_code)

    statuses = {kind: status(each) for kind, each in identifiers(app, alice, picture).items()}

    assert statuses == dict.fromkeys(statuses, 200)


@pytest.mark.parametrize(
    "name", ["100%.txt", "a%2Fb", "Grüße 世界.txt", "a+b", "a#b?c=d&e", "a b", "details", "x-y-z"]
)
@both_storages
def test_a_name_opens_raw_and_encoded(alice: Caller, name: str) -> None:
    key = upload(alice, name, name.encode())

    answers = [
        content(alice, quote(key)),
        content(alice, quote(key, safe="")),
        content(alice, quote(f"alice-{name}", safe="")),
        content(alice, quote(name)),
    ]

    assert answers == [name.encode()] * 4


def test_details_have_every_documented_field(
    app: Flask, alice: Caller, picture: str, clock: FakeClock
) -> None:
    answer = details(alice, "alice-a picture.jpg")

    with app.app_context():
        url = runtime().storage.object_url(picture)
    modified = answer["metadata"].pop("last_modified")
    assert len(modified) == len("2023-05-15T14:30:45.123Z")
    assert modified.endswith("Z")
    assert len(answer.pop("object_id")) == 24
    assert answer == {
        "file_name": "a picture.jpg",
        "simple_url": url,
        "metadata": {"tier": "standard", "size": 6, "content_type": "image/jpeg"},
        "upload_complete": "complete",
        "id": "alice-a picture.jpg",
        "s3_key": picture,
        "exists_in_db": True,
    }


def test_an_object_without_a_row_has_details_and_opens(alice: Caller, without_row: str) -> None:
    answer = details(alice, without_row)

    assert answer["exists_in_db"] is False
    assert answer["id"] == without_row
    assert answer["metadata"]["content_type"] == "text/plain"
    assert content(alice, "own/raw.txt") == b"raw"
    assert content(alice, "alice-own/raw.txt") == b"raw"
    assert alice.get(f"/api/files/{without_row}/refresh").status_code == 200
    url = alice.get(f"/api/files/{without_row}/download_presigned_url").get_json()
    assert fetch(alice, url["presigned_url"]) == b"raw"


@one_stack
def test_an_object_without_a_row_can_be_renamed_archived_and_deleted(
    alice: Caller, without_row: str
) -> None:
    body = {"s3_key": without_row, "new_filename": "named.txt"}
    renamed = alice.post("/api/files/rename", json=body).get_json()["new_s3_key"]
    tier = {"target_tier": "glacier"}

    assert renamed == "alice/own/named.txt"
    assert alice.post(f"/api/files/{renamed}/change_tier", json=tier).status_code == 200
    assert alice.delete("/api/files", json={"s3_key": renamed}).status_code == 200
    assert stored_keys(alice) == []


def test_deleting_an_object_without_a_row_is_seen_at_once(alice: Caller, without_row: str) -> None:
    assert stored_keys(alice) == [without_row]

    alice.delete("/api/files", json={"s3_key": without_row})

    assert stored_keys(alice) == []


def test_a_file_of_another_contract_opens_by_every_identifier(app: Flask, alice: Caller) -> None:
    sent = send(alice, samples.pdf()).get_json()
    object_id = details(alice, sent["file_key"])["object_id"]

    assert details(alice, sent["file_key"])["id"] == object_id
    for identifier in (object_id, str(sent["file_id"]), sent["file_key"]):
        assert content(alice, identifier) == samples.pdf()


def test_a_download_is_an_attachment_of_its_own_name(alice: Caller, picture: str) -> None:
    with alice.get(f"/api/files/{picture}/download_file", headers={"Range": "bytes=1-3"}) as sent:
        assert sent.status_code == 206
        assert sent.get_data() == b"ixe"
        assert sent.headers["Content-Type"] == "image/jpeg"
        assert sent.headers["Content-Disposition"].startswith(
            'attachment; filename="a picture.jpg"'
        )


def test_a_presigned_url_gives_the_bytes_without_a_login(alice: Caller, picture: str) -> None:
    answer = alice.get(f"/api/files/{picture}/download_presigned_url").get_json()

    assert answer["file_name"] == "a picture.jpg"
    assert fetch(alice, answer["presigned_url"]) == b"pixels"


# --- whose ----------------------------------------------------------------------------------------


@both_storages
def test_someone_elses_file_is_not_found(
    app: Flask, alice: Caller, bob: Caller, picture: str
) -> None:
    answers = [
        bob.get(f"/api/files/{quote(identifier)}/{action}")
        for identifier in identifiers(app, alice, picture).values()
        for action in GETS
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert all("File not found in S3" in answer.get_json()["error"] for answer in answers)


def test_nobody_else_changes_a_file(alice: Caller, bob: Caller, picture: str) -> None:
    rename = {"s3_key": picture, "new_filename": "b"}
    tier = {"target_tier": "glacier"}

    assert bob.post("/api/files/rename", json=rename).status_code == 404
    assert bob.delete("/api/files", json={"s3_key": picture}).status_code == 404
    assert bob.post(f"/api/files/{quote(picture)}/change_tier", json=tier).status_code == 404
    assert content(alice, picture) == b"pixels"


@pytest.mark.parametrize("kind", ["key", "file id", "object id", "number"])
def test_an_administrator_reads_everywhere_and_writes_only_their_own(
    app: Flask, alice: Caller, admin: Caller, picture: str, kind: str
) -> None:
    identifier = quote(identifiers(app, alice, picture)[kind])
    tier = {"target_tier": "glacier"}
    rename = {"s3_key": picture, "new_filename": "b"}

    assert content(admin, identifier) == b"pixels"
    assert details(admin, identifier)["s3_key"] == picture
    assert admin.post(f"/api/files/{identifier}/change_tier", json=tier).status_code == 404
    assert admin.post("/api/files/rename", json=rename).status_code == 404
    assert admin.delete("/api/files", json={"s3_key": picture}).status_code == 200


@one_stack
def test_a_file_id_that_fits_two_users_files_is_a_conflict_that_names_both(
    sign_in: Callable[..., Caller], admin: Caller
) -> None:
    one, other = sign_in("abc"), sign_in("abc-def")
    keys = [upload(one, "def-x"), upload(other, "x")]

    answer = admin.get("/api/files/abc-def-x/details")

    assert (answer.status_code, answer.get_json()["code"]) == (409, "CONFLICT")
    assert all(key in answer.get_json()["error"] for key in keys)
    assert details(one, "abc-def-x")["s3_key"] == keys[0]
    assert details(other, "abc-def-x")["s3_key"] == keys[1]
    assert details(admin, keys[0])["s3_key"] == keys[0]


@pytest.mark.light
@pytest.mark.parametrize("action", GETS)
def test_what_is_not_there_is_not_found(alice: Caller, action: str) -> None:
    names = ["none", "alice/none", "alice-none", "0" * 24, "7", "9" * 30, "a//b", ".."]
    names += ["alice/.uploads/x", "alice/" + "-" * 900, "x" * 2000]

    answers = [alice.get(f"/api/files/{name}/{action}") for name in names]

    assert [answer.status_code for answer in answers] == [404] * len(names)
    assert {answer.get_json()["code"] for answer in answers} == {"RESOURCE_NOT_FOUND"}


@both_storages
def test_a_row_whose_object_is_gone_is_not_found(app: Flask, alice: Caller, picture: str) -> None:
    with app.app_context():
        runtime().storage.delete(Key(picture))

    for action in ("download_file", "refresh", "details"):
        response = alice.get(f"/api/files/{quote(picture)}/{action}")
        assert response.status_code == 404
        assert "File not found in S3" in response.get_json()["error"]


@both_storages
def test_an_expired_file_is_gone(app: Flask, alice: Caller, picture: str, clock: FakeClock) -> None:
    names = identifiers(app, alice, picture).values()
    with app.app_context():
        db.session.query(FileUpload).filter_by(file_key=picture).update({"expires_at": clock.now})
        db.session.commit()

    statuses = {
        alice.get(f"/api/files/{quote(name)}/{action}").status_code
        for name in names
        for action in GETS
    }

    assert statuses == {404}
    assert alice.delete("/api/files", json={"s3_key": picture}).status_code == 404


# --- deleting and renaming ------------------------------------------------------------------------


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_deleted_file_is_gone_everywhere(alice: Caller, picture: str, slash: str) -> None:
    response = alice.delete(f"/api/files{slash}", json={"s3_key": picture})

    assert response.status_code == 200
    assert response.get_json() == {"message": "File deleted successfully."}
    assert alice.get("/api/files").get_json()["total"] == 0
    assert stored_keys(alice) == []
    assert alice.delete("/api/files", json={"s3_key": picture}).status_code == 404


@both_storages
def test_deleting_gives_up_an_upload_that_is_not_confirmed(alice: Caller) -> None:
    ticket = begin(alice, "a", 5)
    put(alice, ticket["presigned_url"], b"bytes")

    response = alice.delete("/api/files", json={"s3_key": "alice/a"})

    assert response.status_code == 200
    assert stored_keys(alice) == []
    assert confirm(alice, "alice/a").status_code == 404


@both_storages
def test_a_file_that_storage_can_not_delete_is_still_there(
    app: Flask, make_app: Callable[..., Flask], alice: Caller, picture: str
) -> None:
    with app.app_context():
        failing = FailingStorage(runtime().storage)
    failing.fail_before.add("delete")
    client = make_app(storage=failing).test_client()

    response = client.delete("/api/files", json={"s3_key": picture}, headers=alice.headers)

    assert response.status_code == 500
    assert response.get_json()["code"] == "STORAGE_ERROR"
    assert content(alice, picture) == b"pixels"


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_renamed_file_keeps_its_folder_and_ids(app: Flask, alice: Caller, slash: str) -> None:
    upload(alice, "old.jpg", b"pixels")
    before = identifiers(app, alice, "alice/old.jpg")

    response = alice.post(
        f"/api/files/rename{slash}", json={"s3_key": "alice/old.jpg", "new_filename": "new.jpg"}
    )

    assert response.status_code == 200
    assert response.get_json() == {
        "message": "File renamed successfully.",
        "new_s3_key": "alice/new.jpg",
        "new_filename": "new.jpg",
    }
    after = identifiers(app, alice, "alice/new.jpg")
    assert (after["number"], after["object id"]) == (before["number"], before["object id"])
    assert content(alice, before["object id"]) == b"pixels"
    assert alice.get("/api/files/old.jpg/details").status_code == 404


def test_a_name_that_is_taken_is_a_conflict(alice: Caller, picture: str) -> None:
    upload(alice, "taken", b"other")

    response = alice.post("/api/files/rename", json={"s3_key": picture, "new_filename": "taken"})

    assert response.status_code == 409
    assert response.get_json()["code"] == "CONFLICT"
    assert content(alice, picture) == b"pixels"
    assert content(alice, "taken") == b"other"


@one_stack
def test_a_file_can_be_renamed_to_its_own_name(alice: Caller, picture: str) -> None:
    body = {"s3_key": picture, "new_filename": "a picture.jpg"}

    assert alice.post("/api/files/rename", json=body).status_code == 200
    assert content(alice, picture) == b"pixels"


@pytest.mark.light
@pytest.mark.parametrize("name", ["", "a/b", "/", "..", " ", None, 5, "x" * 1020])
def test_a_name_that_is_none_is_refused(alice: Caller, picture: str, name: Any) -> None:
    response = alice.post("/api/files/rename", json={"s3_key": picture, "new_filename": name})

    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == ["new_filename"]


def rename(caller: Caller, key: str, name: str) -> Any:
    body = {"s3_key": key, "new_filename": name}
    client = caller.client.application.test_client()
    return client.post("/api/files/rename", json=body, headers=caller.headers)


def test_a_repeated_rename_is_answered_as_the_first(alice: Caller, picture: str) -> None:
    first = rename(alice, picture, "new.jpg")

    again = rename(alice, picture, "new.jpg")

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.get_json() == first.get_json()
    assert content(alice, "new.jpg") == b"pixels"


def test_a_repeated_rename_of_a_file_without_a_row_is_answered_as_the_first(
    alice: Caller, without_row: str
) -> None:
    first = rename(alice, without_row, "new.jpg")

    again = rename(alice, without_row, "new.jpg")

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.get_json() == first.get_json()


def test_the_same_rename_twice_at_once_succeeds_twice(alice: Caller, picture: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: rename(alice, picture, "new.jpg"), range(4)))

    assert {answer.status_code for answer in answers} == {200}
    assert stored_keys(alice) == ["alice/new.jpg"]
    assert content(alice, "new.jpg") == b"pixels"


@both_databases
def test_no_rename_that_never_was_is_answered_as_a_repeated_one(
    alice: Caller, bob: Caller, picture: str
) -> None:
    upload(alice, "other", b"other")
    upload(bob, "new.jpg", b"his")
    rename(alice, picture, "new.jpg")

    assert rename(alice, "alice/none", "other").status_code == 404
    assert rename(alice, "alice/none", "new.jpg").status_code == 404
    assert rename(alice, picture, "other").status_code == 404
    assert rename(alice, "bob/a", "new.jpg").status_code == 404
    assert rename(bob, picture, "new.jpg").status_code == 404
    rename(alice, "alice/new.jpg", "newer.jpg")
    assert rename(alice, picture, "new.jpg").status_code == 404


@both_databases
def test_a_repeated_rename_of_another_file_that_came_meanwhile_is_a_conflict(
    alice: Caller, picture: str
) -> None:
    rename(alice, picture, "new.jpg")
    upload(alice, "a picture.jpg", b"newer")

    assert rename(alice, picture, "new.jpg").status_code == 409
    assert content(alice, "new.jpg") == b"pixels"


def test_of_two_renames_to_one_name_at_once_one_succeeds(alice: Caller) -> None:
    for name in "ab":
        upload(alice, name, name.encode())

    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda name: rename(alice, f"alice/{name}", "c"), "ab")
        statuses = sorted(answer.status_code for answer in answers)

    assert statuses == [200, 409]
    assert len(stored_keys(alice)) == 2
    assert content(alice, "c") in (b"a", b"b")


def test_two_confirms_at_once_both_succeed(alice: Caller) -> None:
    ticket = begin(alice, "a", 5)
    put(alice, ticket["presigned_url"], b"bytes")

    def confirmed(_number: int) -> int:
        other = alice.client.application.test_client()
        status: int = other.post(
            "/api/files/confirm_upload", json={"s3_key": "alice/a"}, headers=alice.headers
        ).status_code
        return status

    with ThreadPoolExecutor(2) as pool:
        statuses = [*pool.map(confirmed, range(2))]

    assert statuses == [200, 200]
    assert alice.get("/api/v2/files").get_json()["total"] == 1
    assert content(alice, "a") == b"bytes"


# --- tiers ----------------------------------------------------------------------------------------


def change_tier(caller: Caller, key: str, tier: Any) -> Any:
    return caller.post(f"/api/files/{quote(key)}/change_tier", json={"target_tier": tier})


def test_a_file_goes_into_the_archive_and_comes_back(
    make_app: Callable[..., Flask], alice: Caller, picture: str
) -> None:
    archived = change_tier(alice, picture, "Glacier")
    again = change_tier(alice, picture, "glacier")
    restoring = change_tier(alice, picture, "standard")
    back = change_tier(alice, picture, "STANDARD")
    same = change_tier(alice, picture, "standard")

    assert archived.status_code == 200
    answer = archived.get_json()
    assert answer["message"] == "File successfully changed to glacier tier"
    assert answer["metadata"].pop("last_modified").endswith("Z")
    assert answer["metadata"] == {"tier": "glacier", "content_type": "image/jpeg", "size": 6}
    assert again.get_json()["message"] == "File is already in glacier tier"
    assert restoring.status_code == 202
    assert restoring.get_json()["message"] == (
        "File restoration initiated. Try changing the tier again after restoration is complete."
    )
    assert restoring.get_json()["code"] == "RESTORE_IN_PROGRESS"
    assert back.status_code == 200
    assert back.get_json()["message"] == "File successfully changed to standard tier"
    assert same.get_json()["message"] == "File is already in standard tier"
    assert content(alice, picture) == b"pixels"


@pytest.mark.parametrize("action", ["download_file", "download_presigned_url"])
def test_asking_for_an_archived_file_starts_its_restoration(
    alice: Caller, picture: str, action: str
) -> None:
    change_tier(alice, picture, "glacier")

    first = alice.get(f"/api/files/{quote(picture)}/{action}")
    second = alice.get(f"/api/files/{quote(picture)}/{action}")

    assert first.status_code == 202
    assert first.get_json()["code"] == "RESTORE_IN_PROGRESS"
    with second:
        assert second.status_code == 200


@one_stack
def test_an_archived_file_can_not_be_renamed(alice: Caller, picture: str) -> None:
    change_tier(alice, picture, "glacier")

    response = alice.post("/api/files/rename", json={"s3_key": picture, "new_filename": "b"})

    assert response.status_code == 409
    assert details(alice, picture)["metadata"]["tier"] == "glacier"


@pytest.mark.light
@pytest.mark.parametrize(
    "body", [{}, {"target_tier": None}, {"target_tier": "deep"}, {"target_tier": 5}]
)
def test_an_unknown_tier_is_refused_in_the_documents_words(
    alice: Caller, picture: str, body: dict[str, Any]
) -> None:
    response = alice.post(f"/api/files/{quote(picture)}/change_tier", json=body)

    assert response.status_code == 400
    assert response.get_json()["error"] == (
        'target_tier is required and must be either "standard" or "glacier".'
    )


def test_refreshing_writes_what_storage_says_into_the_row(
    app: Flask, alice: Caller, picture: str
) -> None:
    with app.app_context():
        runtime().storage.put(Key(picture), [b"longer bytes"], content_type="image/png")
        runtime().storage.set_storage_class(Key(picture), StorageClass.GLACIER)

    response = alice.get(f"/api/files/{quote(picture)}/refresh")

    assert response.status_code == 200
    assert response.get_json() == {
        "message": "Metadata refreshed",
        "metadata": {"tier": "glacier", "content_type": "image/png", "size": 12},
    }
    (file,) = alice.get("/api/v2/files").get_json()["files"]
    assert file["metadata"] == {"tier": "glacier", "size": 12}


@pytest.mark.light
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/files/confirm_upload"),
        ("POST", "/api/files/confirm_uploads"),
        ("POST", "/api/files/rename"),
        ("DELETE", "/api/files"),
    ],
)
def test_a_body_without_its_fields_is_refused(alice: Caller, method: str, path: str) -> None:
    response = alice.client.open(path, method=method, json={}, headers=alice.headers)

    assert response.status_code == 400
    assert response.get_json()["errors"]


@pytest.mark.light
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v2/files"),
        ("GET", "/api/v3/files"),
        ("POST", "/api/files/upload"),
        ("POST", "/api/files/confirm_upload"),
        ("POST", "/api/files/confirm_uploads"),
        ("POST", "/api/files/rename"),
        ("DELETE", "/api/files"),
        ("POST", "/api/files/a/change_tier"),
        *[("GET", f"/api/files/a/{action}") for action in GETS],
    ],
)
def test_every_route_wants_a_token(client: Any, method: str, path: str) -> None:
    assert client.open(path, method=method, json={}).status_code == 401
