"""GET /api/s3/objects, /search and /user-prefix: what is shown, in which order, page by page."""

from base64 import urlsafe_b64encode
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.models import FileUpload
from softfactory.storage.keys import FolderKey
from tests.blueprints.browser_client import listed, put, root, rows, store
from tests.conftest import Caller
from tests.doubles import FakeClock
from tests.stacks import both_storages

pytestmark = both_storages


def expire(app: Flask, clock: FakeClock, key: str) -> None:
    """Let the file of this key expire now."""
    with app.app_context():
        expired = update(FileUpload).where(FileUpload.file_key == key)
        db.session.execute(expired.values(expires_at=clock.now))
        db.session.commit()


def make_folder(caller: Caller, name: str) -> Any:
    return caller.post("/api/s3/folder", json={"prefix": root(caller) + name})


def names(caller: Caller, query: str, **options: str) -> list[str]:
    """Return the keys that a search finds, below the caller's prefix."""
    answer = caller.get("/api/s3/search", query_string={"query": query, **options})
    assert answer.status_code == 200, answer.get_json()
    return [entry["key"].removeprefix(root(caller)) for entry in answer.get_json()]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_list_has_every_documented_field(app: Flask, alice: Caller, slash: str) -> None:
    etag = put(alice, "file.txt").get_json()["etag"]
    put(alice, "subfolder/inner.txt")
    key = root(alice) + "file.txt"
    with app.app_context():
        modified = runtime().storage.list_objects(key).objects[0].last_modified

    answer = alice.get(f"/api/s3/objects{slash}")

    assert answer.status_code == 200
    assert answer.get_json() == {
        "objects": [
            {
                "key": key,
                "size": 5,
                "last_modified": f"{modified:%Y-%m-%dT%H:%M:%SZ}",
                "etag": etag,
                "storage_class": "STANDARD",
                "is_folder": False,
            },
            {
                "key": root(alice) + "subfolder/",
                "size": 0,
                "last_modified": "",
                "etag": "",
                "storage_class": "",
                "is_folder": True,
            },
        ],
        "prefix": root(alice),
        "continuation_token": None,
        "has_more": False,
    }


def test_an_empty_list_is_empty(alice: Caller) -> None:
    answer = alice.get("/api/s3/objects").get_json()

    assert (answer["objects"], answer["has_more"]) == ([], False)


def test_objects_and_folders_stand_in_key_order(alice: Caller) -> None:
    for name in ("b/x", "a", "c", "b.txt", "B", "é", "z/1", "z/2"):
        put(alice, name)

    shown = [key.removeprefix(root(alice)) for key in listed(alice)]

    assert shown == ["B", "a", "b.txt", "b/", "c", "z/", "é"]


def test_pages_follow_each_other_without_gap_or_repetition(alice: Caller) -> None:
    for name in ("a", "b/1", "b/2", "c", "d/1", "e"):
        put(alice, name)

    found, sizes, token = [], [], None
    while True:
        query = {"max_keys": 2, **({"continuation_token": token} if token else {})}
        page = alice.get("/api/s3/objects", query_string=query).get_json()
        found += [entry["key"].removeprefix(root(alice)) for entry in page["objects"]]
        sizes.append(len(page["objects"]))
        token = page["continuation_token"]
        assert page["has_more"] == (token is not None)
        if token is None:
            break

    assert found == ["a", "b/", "c", "d/", "e"]
    assert sizes == [2, 2, 1]


def test_what_a_client_wrote_itself_shows_too(app: Flask, alice: Caller) -> None:
    store(app, root(alice) + "own.txt")

    assert listed(alice) == [root(alice) + "own.txt"]


def test_a_folder_is_listed_without_its_own_marker(alice: Caller) -> None:
    make_folder(alice, "folder")
    put(alice, "folder/a")

    assert listed(alice) == [root(alice) + "folder/"]
    assert listed(alice, prefix=root(alice) + "folder/") == [root(alice) + "folder/a"]
    assert listed(alice, prefix=root(alice) + "folder/", max_keys=1) == [root(alice) + "folder/a"]


def test_a_prefix_without_a_slash_works_as_in_s3(alice: Caller) -> None:
    for name in ("photo.png", "photos/1", "pile"):
        put(alice, name)

    shown = listed(alice, prefix=root(alice) + "photo")

    assert shown == [root(alice) + "photo.png", root(alice) + "photos/"]


def test_all_of_the_users_roots_can_be_listed(app: Flask, alice: Caller) -> None:
    for key in (f"uploads/{alice.user_id}/a", "alice/b"):
        store(app, key)

    assert listed(alice, prefix=f"uploads/{alice.user_id}/") == [f"uploads/{alice.user_id}/a"]
    assert listed(alice, prefix="alice/") == ["alice/b"]


def test_what_waits_to_be_confirmed_is_not_shown(app: Flask, alice: Caller) -> None:
    for key in ("alice/.uploads/x/a", "alice/b", "alice/.uploads-not"):
        store(app, key)

    assert listed(alice, prefix="alice/") == ["alice/.uploads-not", "alice/b"]
    assert listed(alice, prefix="alice/.uploads/") == []
    assert listed(alice, prefix="alice/", max_keys=1) == ["alice/.uploads-not"]
    assert names(alice, "a", prefix="alice/") == ["alice/.uploads-not"]


def test_what_has_expired_is_not_shown(app: Flask, alice: Caller, clock: FakeClock) -> None:
    for name in ("a", "b", "c"):
        put(alice, name)

    expire(app, clock, root(alice) + "a")

    assert listed(alice) == [root(alice) + "b", root(alice) + "c"]
    assert listed(alice, max_keys=1) == [root(alice) + "b"]
    assert names(alice, "a") == []


@pytest.mark.light
def test_a_prefix_outside_the_users_roots_is_403(alice: Caller, bob: Caller) -> None:
    outside = [
        f"users/{bob.uuid}/", f"uploads/{bob.user_id}/", "bob/", "users/", "uploads/", "alice",
        f"users/{alice.uuid}", f"uploads/{alice.user_id}", "x", "alice2/",
    ]  # fmt: skip

    answers = [
        alice.get(path, query_string={"prefix": prefix, "query": "x"})
        for path in ("/api/s3/objects", "/api/s3/search")
        for prefix in outside
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert {answer.get_json()["code"] for answer in answers} == {"PERMISSION_DENIED"}


def test_an_administrator_lists_everywhere(alice: Caller, admin: Caller) -> None:
    put(alice, "file.txt")

    assert listed(admin, prefix=root(alice)) == [root(alice) + "file.txt"]
    assert listed(admin, prefix="") == ["users/"]
    assert listed(admin) == []


@pytest.mark.light
def test_an_empty_prefix_is_the_users_own(alice: Caller) -> None:
    put(alice, "file.txt")

    assert listed(alice, prefix="") == [root(alice) + "file.txt"]


@pytest.mark.light
def test_a_prefix_that_no_key_can_have_is_400(alice: Caller) -> None:
    for path in ("/api/s3/objects", "/api/s3/search"):
        answer = alice.get(path, query_string={"prefix": root(alice) + "x" * 1024, "query": "x"})

        assert answer.status_code == 400
        assert "prefix" in answer.get_json()["errors"]


@pytest.mark.light
@pytest.mark.parametrize("max_keys", ["0", "-1", "x", "1.5", ""])
def test_a_page_size_that_is_no_positive_number_is_400(alice: Caller, max_keys: str) -> None:
    answer = alice.get("/api/s3/objects", query_string={"max_keys": max_keys})

    assert answer.status_code == 400
    assert "max_keys" in answer.get_json()["errors"]


@pytest.mark.light
def test_a_page_has_100_entries_unless_told_and_1000_at_most(app: Flask, alice: Caller) -> None:
    for number in range(101):
        store(app, f"{root(alice)}{number:04}", b"")

    assert len(listed(alice)) == 100
    assert len(listed(alice, max_keys=5000)) == 101


@pytest.mark.light
@pytest.mark.parametrize(
    "token",
    ["x", "%%%", "", "ä", urlsafe_b64encode(b"\xff").decode(), urlsafe_b64encode(b"a\0").decode()],
)
def test_a_token_that_no_list_gave_is_400(alice: Caller, token: str) -> None:
    answer = alice.get("/api/s3/objects", query_string={"continuation_token": token})

    assert answer.status_code == 400
    assert "continuation_token" in answer.get_json()["errors"]


@pytest.mark.light
def test_a_token_opens_no_other_prefix(alice: Caller, bob: Caller) -> None:
    put(bob, "secret")
    token = urlsafe_b64encode(root(bob).encode()).decode()

    answer = alice.get("/api/s3/objects", query_string={"continuation_token": token})

    assert answer.status_code == 200
    assert answer.get_json()["objects"] == []


def test_a_search_finds_parts_of_names_in_any_case(alice: Caller) -> None:
    for name in ("Report.PDF", "deep/er/report-2.txt", "reports/other", "Straße", "cafe\u0301"):
        put(alice, name)

    assert names(alice, "REPORT") == ["Report.PDF", "deep/er/report-2.txt"]
    assert names(alice, "strasse") == ["Straße"]
    assert names(alice, "CAFÉ") == ["cafe\u0301"]
    assert names(alice, "nothing") == []


def test_a_found_object_has_every_documented_field(alice: Caller) -> None:
    put(alice, "matching-file.txt")
    in_list = alice.get("/api/s3/objects").get_json()["objects"]

    answer = alice.get("/api/s3/search?query=match")

    assert answer.status_code == 200
    assert answer.get_json() == in_list
    assert in_list[0]["key"] == root(alice) + "matching-file.txt"


def test_a_search_finds_folders_that_were_made(alice: Caller) -> None:
    make_folder(alice, "Holiday Pictures")

    found = alice.get("/api/s3/search?query=holiday").get_json()

    assert [(entry["key"], entry["is_folder"]) for entry in found] == [
        (root(alice) + "Holiday Pictures/", True)
    ]
    assert found[0]["last_modified"] == found[0]["etag"] == found[0]["storage_class"] == ""


def test_a_search_stays_below_its_prefix(app: Flask, alice: Caller) -> None:
    put(alice, "a/file")
    put(alice, "b/file")
    store(app, "alice/file")

    assert names(alice, "file") == ["a/file", "b/file"]
    assert names(alice, "file", prefix=root(alice) + "b/") == ["b/file"]
    assert names(alice, "file", prefix="alice/") == ["alice/file"]


@pytest.mark.light
def test_a_search_finds_what_lies_behind_the_first_thousand(app: Flask, alice: Caller) -> None:
    for number in range(1005):
        store(app, f"{root(alice)}{number:04}", b"")
    store(app, root(alice) + "needle", b"")

    assert names(alice, "NEEDLE") == ["needle"]


@pytest.mark.light
def test_a_search_gives_a_thousand_results_at_most(app: Flask, alice: Caller) -> None:
    for number in range(1005):
        store(app, f"{root(alice)}x{number:04}", b"")

    assert len(names(alice, "x")) == 1000


@pytest.mark.light
@pytest.mark.parametrize("query", [{}, {"query": ""}])
def test_a_search_needs_a_query(alice: Caller, query: dict[str, str]) -> None:
    answer = alice.get("/api/s3/search", query_string=query)

    assert answer.status_code == 400
    assert "query" in answer.get_json()["errors"]


@pytest.mark.light
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_users_prefix_is_told(alice: Caller, slash: str) -> None:
    answer = alice.get(f"/api/s3/user-prefix{slash}")

    assert (answer.status_code, answer.get_json()) == (200, {"prefix": f"users/{alice.uuid}/"})


def test_a_folder_is_made_once_and_is_no_file(app: Flask, alice: Caller) -> None:
    answers = [make_folder(alice, name) for name in ("new-folder", "new-folder/", "new-folder")]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[0].get_json() == {"message": "Folder created successfully"}
    assert listed(alice) == [root(alice) + "new-folder/"]
    assert rows(app) == {}
    with app.app_context():
        folder = FolderKey(root(alice) + "new-folder")
        assert len(runtime().storage.list_versions(folder)) == 1


def test_folders_are_made_in_folders(alice: Caller) -> None:
    make_folder(alice, "a/b/c")

    assert listed(alice) == [root(alice) + "a/"]
    assert listed(alice, prefix=root(alice) + "a/b/") == [root(alice) + "a/b/c/"]


def test_a_folder_and_a_file_of_one_name_are_two(alice: Caller) -> None:
    put(alice, "a")
    make_folder(alice, "a")

    assert listed(alice) == [root(alice) + "a", root(alice) + "a/"]


@pytest.mark.light
@pytest.mark.parametrize("prefix", ["../x", "a//", "", "a/../b", "x" * 1100])
def test_what_is_no_folder_is_400(alice: Caller, prefix: str) -> None:
    assert make_folder(alice, prefix + ("/" if not prefix else "")).status_code == 400


@pytest.mark.light
def test_someone_elses_folder_is_403_also_for_administrators(
    alice: Caller, bob: Caller, admin: Caller
) -> None:
    body = {"prefix": root(bob) + "x"}

    answers = [caller.post("/api/s3/folder", json=body) for caller in (alice, admin)]

    assert [answer.status_code for answer in answers] == [403, 403]


@pytest.mark.light
@pytest.mark.parametrize("body", [{}, {"prefix": 5}, {"prefix": None}])
def test_a_folder_needs_a_prefix(alice: Caller, body: dict[str, object]) -> None:
    assert alice.post("/api/s3/folder", json=body).status_code == 400
