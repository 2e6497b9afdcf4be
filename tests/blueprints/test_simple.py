"""/s3: files for scripts and curl, with a token."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import update
from urllib3 import encode_multipart_formdata

from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.models import FileUpload
from softfactory.services import arrival
from softfactory.storage.base import StorageClass
from softfactory.storage.keys import FolderKey, Key
from tests import samples
from tests.blueprints.browser_client import keys_in_storage, put, root, rows, store, stored
from tests.conftest import Caller
from tests.doubles import CountingStorage, FailingStorage, FakeClock
from tests.stacks import one_stack


def send(caller: Caller, body: bytes = b"hello", filename: str = "file.txt") -> Any:
    encoded, content_type = encode_multipart_formdata({"file": (filename, body)})
    return caller.post("/s3/upload/", data=encoded, content_type=content_type)


def download(caller: Caller, key: str, **headers: str) -> Any:
    return caller.get(f"/s3/download/{quote(key)}/", headers=headers, buffered=True)


def delete(caller: Caller, key: str) -> Any:
    return caller.delete(f"/s3/delete/{quote(key)}/")


def listed(caller: Caller, **query: Any) -> list[str]:
    """Return the keys of a list."""
    answer = caller.get("/s3/list/", query_string=query).get_json()
    assert answer["count"] == len(answer["files"])
    return [file["key"] for file in answer["files"]]


def refused(answer: Any, status: int, code: str) -> bool:
    """Whether the answer is the one body of a failure, as ``/s3`` has it."""
    body = answer.get_json()
    return (answer.status_code, body["code"], body["success"]) == (status, code, False)


@pytest.mark.light
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_endpoints_are_described(alice: Caller, slash: str) -> None:
    answer = alice.get(f"/s3{slash}")

    assert answer.status_code == 200
    assert answer.get_json()["success"] is True
    assert {*answer.get_json()["endpoints"]} == {"upload", "download", "delete", "list"}


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_upload_is_answered_as_documented(app: Flask, alice: Caller, slash: str) -> None:
    encoded, content_type = encode_multipart_formdata({"file": ("file.txt", b"hello")})

    response = alice.post(f"/s3/upload{slash}", data=encoded, content_type=content_type)

    assert response.status_code == 201
    answer = response.get_json()
    key = answer["file_key"]
    assert key.endswith("_file.txt")
    assert "/" not in key
    with app.app_context():
        url = runtime().storage.object_url(f"alice/{key}")
    assert answer == {
        "success": True,
        "message": "File uploaded successfully",
        "file_key": key,
        "url": url,
        "original_filename": "file.txt",
    }
    assert stored(app, f"alice/{key}") == b"hello"


def test_an_upload_gets_its_row_with_the_type_of_its_content(app: Flask, alice: Caller) -> None:
    key = send(alice, samples.png(), "photo.txt").get_json()["file_key"]

    row = rows(app)[f"alice/{key}"]
    assert (row["filename"], row["content_type"]) == ("photo.txt", "image/png")
    assert (row["status"], row["user_id"]) == ("completed", alice.user_id)


def test_two_files_of_one_name_both_live(alice: Caller) -> None:
    keys = {send(alice).get_json()["file_key"] for _ in range(2)}

    assert {*listed(alice)} == keys
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("filename", "kept"),
    [
        ("päper 文书 🎉.pdf", "päper 文书 🎉.pdf"),
        ("a b+c&d=e#f%2F?.txt", "a b+c&d=e#f%2F?.txt"),
        ("../../etc/passwd", "passwd"),
        ("100%.txt", "100%.txt"),
    ],
)
def test_names_survive_the_round_trip(alice: Caller, filename: str, kept: str) -> None:
    answer = send(alice, b"hello", filename).get_json()

    assert answer["original_filename"] == kept
    assert answer["file_key"].endswith(f"_{kept}")
    assert download(alice, answer["file_key"]).data == b"hello"
    assert delete(alice, answer["file_key"]).status_code == 200


def test_an_empty_file_is_fine(alice: Caller) -> None:
    key = send(alice, b"").get_json()["file_key"]

    assert download(alice, key).data == b""


def test_a_file_over_the_limit_is_413_and_leaves_nothing(
    app: Flask, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "MAX_FORM_SIZE", 1024 * 1024)

    fits, refusal = send(alice, bytes(1024 * 1024)), send(alice, bytes(1024 * 1024 + 1))

    assert fits.status_code == 201
    assert refused(refusal, 413, "FILE_TOO_LARGE")
    assert len(rows(app)) == len(keys_in_storage(app)) == 1


@pytest.mark.light
def test_a_form_without_a_file_is_400(alice: Caller) -> None:
    encoded, content_type = encode_multipart_formdata({"name": "x"})

    answer = alice.post("/s3/upload/", data=encoded, content_type=content_type)

    assert refused(answer, 400, "VALIDATION_ERROR")
    assert "No file provided" in answer.get_json()["error"]


@pytest.mark.light
def test_what_is_no_form_is_415(alice: Caller) -> None:
    assert refused(alice.post("/s3/upload/", json={}), 415, "UNSUPPORTED_MEDIA_TYPE")


def test_storage_trouble_is_500_in_the_one_body(
    make_app: Callable[..., Flask], app: Flask, alice: Caller
) -> None:
    key = send(alice).get_json()["file_key"]
    with app.app_context():
        storage = FailingStorage(runtime().storage)
    storage.fail_before |= {"delete", "delete_many"}
    broken = make_app(storage=storage).test_client()

    answer = broken.delete(f"/s3/delete/{key}/", headers=alice.headers)

    assert refused(answer, 500, "STORAGE_ERROR")
    assert listed(alice) == [key]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_download_is_an_attachment_of_the_bytes(alice: Caller, slash: str) -> None:
    key = send(alice, samples.png(), "photo.png").get_json()["file_key"]

    answer = alice.get(f"/s3/download/{key}{slash}", buffered=True)

    assert (answer.status_code, answer.data) == (200, samples.png())
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="photo.png"')
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_download_honours_range_condition_and_head(alice: Caller) -> None:
    key = send(alice).get_json()["file_key"]
    path = f"/s3/download/{key}/"

    part = download(alice, key, Range="bytes=1-3")
    same = download(alice, key, **{"If-None-Match": part.headers["ETag"]})
    head = alice.client.head(path, headers=alice.headers)

    assert (part.status_code, part.data) == (206, b"ell")
    assert same.status_code == 304
    assert (head.status_code, head.headers["Content-Length"], head.data) == (200, "5", b"")


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_delete_is_answered_as_documented(app: Flask, alice: Caller, slash: str) -> None:
    key = send(alice).get_json()["file_key"]

    answer = alice.delete(f"/s3/delete/{key}{slash}")

    assert (answer.status_code, answer.get_json()) == (
        200,
        {"success": True, "message": "File deleted successfully", "file_key": key},
    )
    assert (keys_in_storage(app), rows(app)) == ([], {})
    assert refused(delete(alice, key), 404, "RESOURCE_NOT_FOUND")


@one_stack
def test_what_is_not_there_is_404(alice: Caller) -> None:
    for answer in (download(alice, "missing"), delete(alice, "missing")):
        assert refused(answer, 404, "RESOURCE_NOT_FOUND")
        assert "File not found" in answer.get_json()["error"]


@pytest.mark.light
@pytest.mark.parametrize("key", ["a/../b", "..", "a%2F..%2Fb", "a//b", "a%0Ab", "x" * 1025])
def test_what_is_no_key_is_400_or_no_route(alice: Caller, key: str) -> None:
    for answer in (alice.get(f"/s3/download/{key}/"), alice.delete(f"/s3/delete/{key}/")):
        assert answer.status_code in (400, 404)
        assert answer.get_json()["success"] is False


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_list_is_answered_as_documented(app: Flask, alice: Caller, slash: str) -> None:
    key = send(alice).get_json()["file_key"]
    with app.app_context():
        modified = runtime().storage.head(Key(f"alice/{key}")).last_modified

    answer = alice.get(f"/s3/list{slash}")

    assert answer.status_code == 200
    assert answer.get_json() == {
        "success": True,
        "files": [{"key": key, "size": 5, "last_modified": f"{modified:%Y-%m-%dT%H:%M:%SZ}"}],
        "count": 1,
    }


def test_keys_of_the_home_root_are_relative_and_others_whole_and_all_in_order(
    app: Flask, alice: Caller
) -> None:
    uploads = f"uploads/{alice.user_id}/u"
    for key in ("alice/zebra", "alice/images/1", uploads, root(alice) + "b", "alice/alice/x"):
        store(app, key)

    shown = listed(alice)

    assert shown == ["alice/x", "images/1", uploads, root(alice) + "b", "zebra"]
    assert [download(alice, key).status_code for key in shown] == [200] * 5


def test_a_prefix_is_of_shown_keys_and_may_be_whole(app: Flask, alice: Caller) -> None:
    uploads = f"uploads/{alice.user_id}/"
    for key in ("alice/images/1", "alice/images/2", "alice/image", uploads + "u"):
        store(app, key)
    put(alice, "b/1")

    assert listed(alice, prefix="images/") == ["images/1", "images/2"]
    assert listed(alice, prefix="alice/images/") == ["images/1", "images/2"]
    assert listed(alice, prefix="alice/") == ["image", "images/1", "images/2"]
    assert listed(alice, prefix=uploads) == [uploads + "u"]
    assert listed(alice, prefix="u") == [uploads + "u", root(alice) + "b/1"]
    assert listed(alice, prefix=root(alice) + "b/") == [root(alice) + "b/1"]


def test_whole_keys_are_taken_too(app: Flask, alice: Caller) -> None:
    key = send(alice).get_json()["file_key"]
    put(alice, "b/file.txt", b"browser")

    assert download(alice, f"alice/{key}").data == b"hello"
    assert download(alice, root(alice) + "b/file.txt").data == b"browser"
    assert delete(alice, f"alice/{key}").get_json()["file_key"] == key
    assert delete(alice, root(alice) + "b/file.txt").status_code == 200
    assert keys_in_storage(app) == []


def test_a_relative_key_is_meant_before_a_whole_one(app: Flask, alice: Caller) -> None:
    store(app, "alice/alice/x", b"relative")
    store(app, "alice/x", b"whole")

    assert download(alice, "alice/x").data == b"relative"


def test_a_list_has_as_many_as_asked_for(app: Flask, alice: Caller) -> None:
    for number in range(5):
        store(app, f"alice/{number}")

    assert listed(alice, max_keys=2) == ["0", "1"]
    assert len(listed(alice, max_keys=5000)) == 5


@pytest.mark.light
def test_a_full_page_asks_storage_for_no_root_behind_it(
    make_app: Callable[..., Flask], app: Flask, alice: Caller
) -> None:
    for number in range(3):
        store(app, f"alice/{number}")
    with app.app_context():
        storage = CountingStorage(runtime().storage)
    counted = make_app(storage=storage).test_client()

    answer = counted.get("/s3/list/", query_string={"max_keys": 2}, headers=alice.headers)

    assert answer.get_json()["count"] == 2
    assert storage.asked == [("list_objects", "alice/")]


@pytest.mark.light
def test_a_list_has_a_thousand_at_most(app: Flask, alice: Caller) -> None:
    for number in range(1003):
        store(app, f"alice/{number:04}", b"")

    assert len(listed(alice)) == len(listed(alice, max_keys=2000)) == 1000


@pytest.mark.light
@pytest.mark.parametrize("max_keys", ["0", "-1", "x", "1.5", ""])
def test_a_number_that_is_not_positive_is_400(alice: Caller, max_keys: str) -> None:
    answer = alice.get("/s3/list/", query_string={"max_keys": max_keys})

    assert refused(answer, 400, "VALIDATION_ERROR")
    assert "max_keys" in answer.get_json()["errors"]


@pytest.mark.light
def test_a_prefix_that_no_key_can_have_is_400(alice: Caller) -> None:
    answer = alice.get("/s3/list/", query_string={"prefix": "x" * 1025})

    assert refused(answer, 400, "VALIDATION_ERROR")


def test_folder_markers_and_unconfirmed_uploads_are_no_files(app: Flask, alice: Caller) -> None:
    store(app, "alice/.uploads/x/a")
    with app.app_context():
        runtime().storage.put(FolderKey("alice/folder"), [])
    alice.post("/api/s3/folder", json={"prefix": root(alice) + "folder"})

    assert listed(alice) == []
    assert listed(alice, prefix=".uploads/") == []
    assert download(alice, ".uploads/x/a").status_code == 404
    assert delete(alice, ".uploads/x/a").status_code == 404
    assert download(alice, "folder").status_code == 404


def test_an_expired_file_is_gone(app: Flask, alice: Caller, clock: FakeClock) -> None:
    key = send(alice).get_json()["file_key"]
    with app.app_context():
        db.session.execute(update(FileUpload).values(expires_at=clock.now))
        db.session.commit()

    assert listed(alice) == []
    assert download(alice, key).status_code == 404
    assert delete(alice, key).status_code == 404


def test_an_archived_file_is_202_and_is_restored(app: Flask, alice: Caller) -> None:
    with app.app_context():
        runtime().storage.put(Key("alice/cold"), [b"x"], storage_class=StorageClass.GLACIER)

    first, second = download(alice, "cold"), download(alice, "cold")

    assert refused(first, 202, "RESTORE_IN_PROGRESS")
    assert second.data == b"x"


def test_someone_elses_files_do_not_exist(app: Flask, alice: Caller, bob: Caller) -> None:
    key = send(bob).get_json()["file_key"]
    put(bob, "b.txt")

    for name in (key, f"bob/{key}", root(bob) + "b.txt"):
        assert download(alice, name).status_code == 404
        assert delete(alice, name).status_code == 404
    assert listed(alice) == listed(alice, prefix="bob/") == listed(alice, prefix=root(bob)) == []
    assert len(keys_in_storage(app)) == 2


def test_an_administrator_reaches_everyones(bob: Caller, admin: Caller) -> None:
    key = send(bob).get_json()["file_key"]

    assert listed(admin) == []
    assert listed(admin, prefix="bob/") == [f"bob/{key}"]
    assert download(admin, f"bob/{key}").data == b"hello"
    assert delete(admin, f"bob/{key}").status_code == 200


def test_the_file_shows_and_goes_through_other_contracts(alice: Caller) -> None:
    key = send(alice).get_json()["file_key"]

    files = alice.get("/api/files").get_json()["files"]
    alice.delete(f"/api/files/{files[0]['id']}")

    assert files[0]["file_key"] == f"alice/{key}"
    assert listed(alice) == []
