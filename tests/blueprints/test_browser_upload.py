"""POST /api/s3/upload: where the bytes go, what replaces what, and that a refusal leaves nothing."""

import hashlib
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.models import FileUpload
from softfactory.services import arrival
from tests import samples
from tests.blueprints.browser_client import (
    encoded,
    keys_in_storage,
    listed,
    put,
    root,
    rows,
    store,
    stored,
)
from tests.conftest import Caller
from tests.doubles import FailingStorage, FakeClock
from tests.stacks import one_stack


def form(caller: Caller, *fields: tuple[str, Any]) -> Any:
    return caller.post("/api/s3/upload", **encoded(*fields))


@pytest.mark.parametrize("key_first", [True, False])
def test_an_upload_is_answered_as_documented_whatever_its_order(
    app: Flask, alice: Caller, key_first: bool
) -> None:
    response = put(alice, "folder/file.txt", b"hello", key_first=key_first)

    key = root(alice) + "folder/file.txt"
    assert response.status_code == 200
    answer = response.get_json()
    assert answer == {
        "key": key,
        "etag": rows(app)[key]["etag"],
        "message": "File uploaded successfully",
    }
    assert stored(app, key) == b"hello"


@pytest.mark.parametrize("key_first", [True, False])
def test_a_large_file_arrives_whole_whatever_its_order(
    app: Flask, alice: Caller, key_first: bool
) -> None:
    body = samples.pdf(size=11 * 1024 * 1024 + 17)

    put(alice, "big.pdf", body, key_first=key_first)

    assert stored(app, root(alice) + "big.pdf") == body


def test_an_upload_gets_its_row(app: Flask, alice: Caller) -> None:
    body = samples.png()

    put(alice, "photo.jpg", body)

    row = rows(app)[root(alice) + "photo.jpg"]
    assert row.pop("id")
    assert row.pop("object_id")
    assert row.pop("etag")
    assert row == {
        "size": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "status": "completed",
        "content_type": "image/png",
        "filename": "photo.jpg",
        "user_id": alice.user_id,
    }


def test_an_empty_file_is_fine(app: Flask, alice: Caller) -> None:
    assert put(alice, "empty", b"").status_code == 200
    assert rows(app)[root(alice) + "empty"]["size"] == 0


@pytest.mark.parametrize(
    "name",
    ["päper 文书 🎉.pdf", "a b+c&d=e#f%2F?.txt", "...", "a/b/c/d/e", "A", "a\\b", "x" * 900],
)
def test_names_keep_every_character(app: Flask, alice: Caller, name: str) -> None:
    assert put(alice, name).status_code == 200
    assert stored(app, root(alice) + name) == b"hello"


@pytest.mark.parametrize("which", ["uploads", "home"])
def test_all_of_the_users_roots_take_uploads(app: Flask, alice: Caller, which: str) -> None:
    key = {"uploads": f"uploads/{alice.user_id}/a.txt", "home": "alice/a.txt"}[which]

    response = form(alice, ("key", key), ("file", ("a.txt", b"hello")))

    assert response.status_code == 200
    assert stored(app, key) == b"hello"


def test_replacing_makes_a_version_and_keeps_the_ids(app: Flask, alice: Caller) -> None:
    key = root(alice) + "file.txt"
    put(alice, "file.txt", b"old")
    before = rows(app)[key]

    put(alice, "file.txt", b"newer")

    after = rows(app)[key]
    assert (after["id"], after["object_id"]) == (before["id"], before["object_id"])
    assert (after["size"], stored(app, key)) == (5, b"newer")
    versions = alice.get("/api/s3/object/versions", query_string={"key": key}).get_json()
    assert [version["size"] for version in versions] == [5, 3]


def test_an_object_that_has_no_row_gets_one_when_it_is_replaced(app: Flask, alice: Caller) -> None:
    key = root(alice) + "own.txt"
    store(app, key, b"by my own client")

    put(alice, "own.txt", b"hello")

    assert rows(app)[key]["size"] == 5


def test_replacing_an_expired_file_brings_nothing_of_it_back(
    app: Flask, alice: Caller, clock: FakeClock
) -> None:
    key = root(alice) + "file.txt"
    put(alice, "file.txt", b"secret")
    with app.app_context():
        db.session.execute(update(FileUpload).values(expires_at=clock.now))
        db.session.commit()

    assert put(alice, "file.txt", b"new").status_code == 200

    versions = alice.get("/api/s3/object/versions", query_string={"key": key}).get_json()
    assert [version["size"] for version in versions] == [3]
    clock.advance(days=1)
    assert listed(alice) == [key]


@one_stack
@pytest.mark.parametrize("key_first", [True, False])
def test_a_key_of_someone_else_is_403_and_stores_nothing(
    app: Flask, alice: Caller, bob: Caller, admin: Caller, key_first: bool
) -> None:
    keys = [f"users/{bob.uuid}/a", f"uploads/{bob.user_id}/a", "users/a", f"users/{alice.uuid}x/a"]

    responses = [put(caller, key, key_first=key_first) for key in keys for caller in (alice, admin)]

    assert {response.status_code for response in responses} == {403}
    assert {response.get_json()["code"] for response in responses} == {"PERMISSION_DENIED"}
    assert (keys_in_storage(app), rows(app)) == ([], {})


@pytest.mark.light
@pytest.mark.parametrize(
    "name",
    ["../x", "a/../b", "a//b", "./a", "a/.", "a/", "", "a\nb", "a\x7fb", "x" * 1024, ".."],
)
@pytest.mark.parametrize("key_first", [True, False])
def test_what_is_no_key_is_400(app: Flask, alice: Caller, name: str, key_first: bool) -> None:
    response = put(alice, name, key_first=key_first)

    assert response.status_code == 400
    assert "key" in response.get_json()["errors"]
    assert keys_in_storage(app) == []


@pytest.mark.light
def test_where_unconfirmed_uploads_wait_nothing_is_put(app: Flask, alice: Caller) -> None:
    response = form(alice, ("key", "alice/.uploads/x/a"), ("file", ("a", b"hello")))

    assert (response.status_code, keys_in_storage(app)) == (400, [])


@pytest.mark.light
def test_a_form_without_a_key_is_400(app: Flask, alice: Caller) -> None:
    response = form(alice, ("file", ("a.txt", b"hello")))

    assert response.status_code == 400
    assert "key" in response.get_json()["errors"]
    assert keys_in_storage(app) == []


@pytest.mark.light
def test_a_form_without_a_file_is_400(alice: Caller) -> None:
    response = form(alice, ("key", root(alice) + "a"))

    assert response.status_code == 400
    assert "No file provided" in response.get_json()["error"]


@pytest.mark.light
def test_what_is_no_form_is_415(alice: Caller) -> None:
    assert alice.post("/api/s3/upload", json={"key": root(alice) + "a"}).status_code == 415


@pytest.mark.parametrize("key_first", [True, False])
def test_a_file_over_the_limit_is_413_and_leaves_what_was_there(
    app: Flask, alice: Caller, monkeypatch: pytest.MonkeyPatch, key_first: bool
) -> None:
    monkeypatch.setattr(arrival, "MAX_FORM_SIZE", 2 * 1024 * 1024)
    put(alice, "file.txt", b"old")

    fits = put(alice, "fits", bytes(2 * 1024 * 1024), key_first=key_first)
    responses = [
        put(alice, name, bytes(2 * 1024 * 1024 + 1), key_first=key_first)
        for name in ("file.txt", "other")
    ]

    assert fits.status_code == 200
    assert [response.status_code for response in responses] == [413, 413]
    assert responses[0].get_json()["code"] == "FILE_TOO_LARGE"
    assert listed(alice) == [root(alice) + name for name in ("file.txt", "fits")]
    assert stored(app, root(alice) + "file.txt") == b"old"
    assert len(rows(app)) == 2


@pytest.mark.light
def test_the_limit_is_100_megabytes() -> None:
    assert arrival.MAX_FORM_SIZE == 104_857_600


@pytest.mark.parametrize("key_first", [True, False])
def test_an_upload_that_is_cut_off_changes_nothing(
    app: Flask, alice: Caller, key_first: bool
) -> None:
    put(alice, "file.txt", b"old")
    key, file = ("key", root(alice) + "file.txt"), ("file", ("a", bytes(3_000_000)))
    whole = encoded(key, file) if key_first else encoded(file, key)

    response = alice.post("/api/s3/upload", **{**whole, "data": whole["data"][:2_000_000]})

    assert response.status_code == 400
    assert stored(app, root(alice) + "file.txt") == b"old"


def test_storage_trouble_is_500_shows_no_file_and_can_be_tried_again(
    make_app: Callable[..., Flask], app: Flask, alice: Caller
) -> None:
    with app.app_context():
        storage = FailingStorage(runtime().storage)
    storage.fail_before.add("put")
    broken = make_app(storage=storage).test_client()
    form = encoded(("key", root(alice) + "a"), ("file", ("a", b"hello")))

    response = broken.post("/api/s3/upload", **form, headers=alice.headers)

    assert response.status_code == 500
    assert listed(alice) == []
    assert alice.get("/api/files").get_json()["total"] == 0
    assert put(alice, "a").status_code == 200
    assert rows(app)[root(alice) + "a"]["status"] == "completed"


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls at once, each in its own thread, and return what they returned."""
    start = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(at: int) -> None:
        start.wait()
        results[at] = calls[at]()

    threads = [threading.Thread(target=run, args=(at,)) for at in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_two_uploads_to_one_key_at_once_end_with_row_and_storage_agreeing(
    app: Flask, alice: Caller
) -> None:
    key = root(alice) + "contested"
    for turn in range(6):
        bodies = [bytes([turn, number]) * (1000 * (number + 1)) for number in range(3)]

        responses = together(*(partial(put, alice, "contested", body) for body in bodies))

        assert {response.status_code for response in responses} == {200}
        row, content = rows(app)[key], stored(app, key)
        assert content in bodies
        assert row["size"] == len(content)
        assert row["sha256"] in (None, hashlib.sha256(content).hexdigest())


def test_uploads_and_deletes_of_one_key_at_once_end_with_row_and_storage_agreeing(
    app: Flask, alice: Caller
) -> None:
    key = root(alice) + "contested"
    for turn in range(8):
        put(alice, "contested", b"before")

        together(
            partial(put, alice, "contested", bytes([turn]) * 1000),
            lambda: alice.delete("/api/s3/object", json={"key": key}),
        )

        there = keys_in_storage(app)
        assert list(rows(app)) == there
        if there:
            assert rows(app)[key]["size"] == len(stored(app, key))


def test_the_file_shows_through_the_files_contract(alice: Caller) -> None:
    put(alice, "doc.pdf", samples.pdf())

    files = alice.get("/api/files").get_json()["files"]

    assert [file["file_key"] for file in files] == [root(alice) + "doc.pdf"]
    assert files[0]["content_type"] == "application/pdf"
