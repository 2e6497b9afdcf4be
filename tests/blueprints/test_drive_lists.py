"""Drive: the lists out of the database (v2) and out of storage (v3), and the cache between."""

import base64
import json
from collections.abc import Callable
from datetime import datetime
from itertools import chain
from typing import Any

import pytest
from flask import Flask

from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.models import FileUpload
from softfactory.storage.base import StorageClass
from softfactory.storage.keys import FolderKey, Key
from tests import samples
from tests.blueprints.drive_client import begin, put, stored_keys, upload
from tests.blueprints.test_files_upload import send
from tests.conftest import REDIS, Caller, needs_redis
from tests.doubles import FakeClock
from tests.stacks import both_databases, both_storages, one_stack


def expire(app: Flask, key: str, moment: datetime) -> None:
    """Let the file of this key end at that moment."""
    with app.app_context():
        file = db.session.query(FileUpload).filter_by(file_key=key, status="completed").one()
        file.expires_at = moment
        db.session.commit()


def pages(caller: Caller, version: str, per_page: int) -> list[list[str]]:
    """Follow the cursors of a list to its end; return the keys of each page."""
    found: list[list[str]] = []
    cursor = None
    while True:
        query = {"per_page": per_page, **({"cursor": cursor} if cursor else {})}
        page = caller.get(f"/api/{version}/files", query_string=query).get_json()
        found.append([file["s3_key"] for file in page["files"]])
        cursor = page["next_cursor"]
        if cursor is None:
            return found


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("version", ["v2", "v3"])
def test_a_page_has_every_documented_field(
    app: Flask, alice: Caller, version: str, slash: str, clock: FakeClock
) -> None:
    upload(alice, "a.jpg", b"pixels", content_type="image/jpeg")

    response = alice.get(f"/api/{version}/files{slash}")

    assert response.status_code == 200
    page = response.get_json()
    (file,) = page.pop("files")
    assert page == {"total": 1, "total_pages": 1, "page": 1, "per_page": 50, "next_cursor": None}
    modified = file.pop("last_modified")
    assert len(modified) == len("2023-05-15T14:30:45.123Z")
    assert modified.endswith("Z")
    with app.app_context():
        url = runtime().storage.object_url("alice/a.jpg")
    only_v3 = {"id": "alice-a.jpg", "exists_in_db": True} if version == "v3" else {}
    kind = {"content_type": "image/jpeg"} if version == "v3" else {}
    assert file == {
        "file_name": "a.jpg",
        "simple_url": url,
        "metadata": {"tier": "standard", "size": 6, **kind},
        "upload_complete": "complete",
        "id": "alice/a.jpg",
        "s3_key": "alice/a.jpg",
        **only_v3,
    }


@pytest.mark.light
@pytest.mark.parametrize("version", ["v2", "v3"])
def test_nothing_is_a_page_too(alice: Caller, version: str) -> None:
    page = alice.get(f"/api/{version}/files").get_json()

    assert page == {
        "files": [],
        "total": 0,
        "total_pages": 0,
        "page": 1,
        "per_page": 50,
        "next_cursor": None,
    }


@pytest.mark.light
@pytest.mark.parametrize("version", ["v2", "v3"])
@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=x",
        "page=1.5",
        "per_page=0",
        "per_page=-1",
        "use_cache=maybe",
        "cursor=x",
        "cursor=ts:x",
    ],
)
def test_a_query_that_is_none_is_refused(alice: Caller, version: str, query: str) -> None:
    response = alice.get(f"/api/{version}/files?{query}")

    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == [query.partition("=")[0]]


@pytest.mark.light
@pytest.mark.parametrize(("version", "maximum"), [("v2", 100), ("v3", 1000)])
def test_a_page_over_the_maximum_is_cut_to_it(alice: Caller, version: str, maximum: int) -> None:
    def per_page(wanted: int) -> Any:
        return alice.get(f"/api/{version}/files?per_page={wanted}").get_json()["per_page"]

    assert [per_page(maximum), per_page(maximum + 1)] == [maximum, maximum]


@pytest.mark.light
@pytest.mark.parametrize("version", ["v2", "v3"])
def test_a_page_behind_everything_is_empty(alice: Caller, version: str) -> None:
    upload(alice, "a")

    page = alice.get(f"/api/{version}/files?page=999999999999999999999").get_json()

    assert (page["files"], page["total"], page["next_cursor"]) == ([], 1, None)


@pytest.mark.parametrize("version", ["v2", "v3"])
@both_storages
def test_the_lists_show_every_contracts_files_of_this_user_only(
    alice: Caller, bob: Caller, version: str
) -> None:
    sent = send(alice, samples.pdf()).get_json()
    mine = {upload(alice, "a"), sent["file_key"]}
    upload(bob, "b")

    page = alice.get(f"/api/{version}/files").get_json()

    assert {file["s3_key"] for file in page["files"]} == mine
    assert page["total"] == 2


@pytest.mark.parametrize("version", ["v2", "v3"])
@both_storages
def test_an_administrator_sees_their_own(alice: Caller, admin: Caller, version: str) -> None:
    upload(alice, "a")

    assert admin.get(f"/api/{version}/files").get_json()["total"] == 0


# --- v2 -------------------------------------------------------------------------------------------


@both_databases
def test_the_newest_come_first_by_page(alice: Caller, clock: FakeClock) -> None:
    for name in "abc":
        upload(alice, name)
        clock.advance(seconds=1)

    first = alice.get("/api/v2/files?per_page=2").get_json()
    second = alice.get("/api/v2/files?per_page=2&page=2").get_json()

    assert [file["s3_key"] for file in first["files"]] == ["alice/c", "alice/b"]
    assert [file["s3_key"] for file in second["files"]] == ["alice/a"]
    assert (first["total"], first["total_pages"], second["page"]) == (3, 2, 2)
    assert first["next_cursor"].startswith(f"ts:{first['files'][-1]['last_modified']}")
    assert second["next_cursor"] is None


@both_databases
def test_no_file_is_skipped_or_shown_twice_while_others_arrive(
    alice: Caller, clock: FakeClock
) -> None:
    for number in range(5):
        upload(alice, f"{number}")
        # Two of one moment, and two of one millisecond.
        clock.advance(microseconds=number % 3)
    first = alice.get("/api/v2/files?per_page=2").get_json()
    clock.advance(seconds=1)
    upload(alice, "arrived")

    seen = [file["s3_key"] for file in first["files"]]
    cursor = first["next_cursor"]
    while cursor:
        query = {"per_page": 2, "cursor": cursor}
        page = alice.get("/api/v2/files", query_string=query).get_json()
        seen += [file["s3_key"] for file in page["files"]]
        cursor = page["next_cursor"]

    assert seen == [f"alice/{number}" for number in (4, 3, 2, 1, 0)]


@pytest.mark.light
def test_a_cursor_without_a_tie_breaker_is_a_time(alice: Caller, clock: FakeClock) -> None:
    upload(alice, "older")
    clock.advance(seconds=1)
    upload(alice, "newer")
    newer = alice.get("/api/v2/files").get_json()["files"][0]

    query = {"cursor": f"ts:{newer['last_modified']}"}
    page = alice.get("/api/v2/files", query_string=query).get_json()

    assert [file["s3_key"] for file in page["files"]] == ["alice/older"]


def test_without_cache_size_and_tier_come_from_storage(app: Flask, alice: Caller) -> None:
    upload(alice, "a", b"a")
    upload(alice, "gone", b"g")
    with app.app_context():
        runtime().storage.put(Key("alice/a"), [b"longer"], content_type="text/plain")
        runtime().storage.set_storage_class(Key("alice/a"), StorageClass.GLACIER)
        runtime().storage.delete(Key("alice/gone"))

    def metadata(query: str) -> Any:
        files = alice.get(f"/api/v2/files{query}").get_json()["files"]
        return next(file["metadata"] for file in files if file["s3_key"] == "alice/a")

    before, fresh, after = metadata(""), metadata("?use_cache=false"), metadata("")

    assert before == {"tier": "standard", "size": 1}
    assert fresh == after == {"tier": "glacier", "size": 6}


# --- v3 -------------------------------------------------------------------------------------------


@both_storages
def test_v3_goes_through_all_roots_in_key_order(app: Flask, alice: Caller) -> None:
    keys = [f"alice/{name}" for name in ("B", "a", "é", "z/1")]
    keys += [f"uploads/{alice.user_id}/20260101_000000_a", f"users/{alice.uuid}/deep/a"]
    with app.app_context():
        for key in reversed(keys):
            runtime().storage.put(Key(key), [b"x"])
        runtime().storage.put(Key("bob/other"), [b"x"])

    assert pages(alice, "v3", 50) == [["alice/B", "alice/a", "alice/z/1", "alice/é", *keys[4:]]]
    assert [*chain(*pages(alice, "v3", 1))] == [*chain(*pages(alice, "v3", 50))]
    assert [len(page) for page in pages(alice, "v3", 3)] == [3, 3]
    second = alice.get("/api/v3/files?per_page=4&page=2").get_json()
    assert [file["s3_key"] for file in second["files"]] == keys[4:]
    assert (second["total"], second["total_pages"], second["page"]) == (6, 2, 2)


@pytest.mark.parametrize("per_page", [1, 2, 3, 5])
@both_storages
def test_pages_by_number_are_the_pieces_of_the_whole_list(
    app: Flask, alice: Caller, clock: FakeClock, per_page: int
) -> None:
    for name in ("-first", "expired", "gone", "old", "taken"):
        upload(alice, name)
    clock.advance(minutes=10)
    for name in ("lost", "recent"):
        upload(alice, name)
    expire(app, "alice/expired", clock.now)
    for name in ("awaited", "taken"):
        assert put(alice, begin(alice, name, 5)["presigned_url"], b"bytes") == 200
    with app.app_context():
        storage = runtime().storage
        for key in ("alice/gone", "alice/lost"):
            storage.delete(Key(key))
        for key in ("alice/raw", f"uploads/{alice.user_id}/x", f"users/{alice.uuid}/a/b"):
            storage.put(Key(key), [b"x"])
        storage.put(FolderKey("alice/folder/"), [])
        storage.put(FolderKey(f"users/{alice.uuid}/a/"), [])
    names = ["-first", "awaited", "lost", "old", "raw", "recent", "taken"]
    expected = [f"alice/{name}" for name in names]
    expected += [f"uploads/{alice.user_id}/x", f"users/{alice.uuid}/a/b"]

    shown = [
        stored_keys(alice, f"use_cache=false&per_page={per_page}&page={number}")
        for number in range(1, 11)
    ]

    assert shown == [expected[at : at + per_page] for at in range(0, 10 * per_page, per_page)]
    assert alice.get("/api/v3/files?per_page=1&page=2").get_json()["total"] == len(expected)


@pytest.mark.light
def test_v3s_cursor_is_the_documents(alice: Caller) -> None:
    for name in "ab":
        upload(alice, name)

    cursor = alice.get("/api/v3/files?per_page=1").get_json()["next_cursor"]

    padded = cursor + "=" * (-len(cursor) % 4)
    assert json.loads(base64.urlsafe_b64decode(padded)) == {"key": "alice/a"}
    assert stored_keys(alice, f"cursor={padded}") == ["alice/b"]


@both_storages
def test_an_object_without_a_row_is_listed_as_such(app: Flask, alice: Caller) -> None:
    with app.app_context():
        runtime().storage.put(Key("alice/raw.png"), [b"raw"])

    (file,) = alice.get("/api/v3/files").get_json()["files"]

    assert file["exists_in_db"] is False
    assert (file["id"], file["metadata"]["content_type"]) == ("alice/raw.png", "image/png")


@one_stack
def test_what_is_compressed_is_not_listed_as_what_is_inside(app: Flask, alice: Caller) -> None:
    with app.app_context():
        runtime().storage.put(Key("alice/raw.tar.gz"), [b"raw"])

    (file,) = alice.get("/api/v3/files").get_json()["files"]

    assert file["metadata"]["content_type"] == "application/octet-stream"


@both_storages
def test_every_id_of_v3_opens_its_own_file(app: Flask, alice: Caller) -> None:
    upload(alice, "a-b", b"x")
    send(alice, samples.pdf())
    with app.app_context():
        runtime().storage.put(Key("alice/x/raw"), [b"raw"])
    files = alice.get("/api/v3/files").get_json()["files"]

    opened = [alice.get(f"/api/files/{file['id']}/details").get_json() for file in files]

    assert [each["s3_key"] for each in opened] == [file["s3_key"] for file in files]
    assert [each["id"] for each in opened] == [file["id"] for file in files]


@both_storages
def test_a_recent_file_that_storage_does_not_list_yet_is_merged_in(
    app: Flask, alice: Caller, clock: FakeClock
) -> None:
    for name in "abc":
        upload(alice, name)
    with app.app_context():
        runtime().storage.delete(Key("alice/b"))

    assert stored_keys(alice, "use_cache=false") == ["alice/a", "alice/b", "alice/c"]
    assert pages(alice, "v3", 1) == [["alice/a"], ["alice/b"], ["alice/c"]]
    clock.advance(minutes=5)
    assert stored_keys(alice) == ["alice/a", "alice/c"]


@both_storages
def test_expired_files_and_folder_markers_are_not_listed(
    app: Flask, alice: Caller, clock: FakeClock
) -> None:
    for name in ("expired", "shown"):
        upload(alice, name)
    expire(app, "alice/expired", clock.now)
    with app.app_context():
        runtime().storage.put(FolderKey("alice/folder/"), [])

    assert stored_keys(alice) == ["alice/shown"]
    assert alice.get("/api/v2/files").get_json()["total"] == 1


@pytest.mark.parametrize(
    "redis_url", [None, pytest.param(REDIS, marks=needs_redis)], ids=["process", "redis"]
)
@both_databases
def test_a_change_is_seen_by_the_next_request_on_every_worker(
    make_app: Callable[..., Flask], alice: Caller, redis_url: str | None
) -> None:
    workers = [make_app(redis_url=redis_url).test_client() for _ in range(2)]
    users = [
        Caller(worker, alice.username, alice.user_id, alice.uuid, alice.access_token)
        for worker in workers
    ]
    upload(users[0], "a")

    seen = [[stored_keys(user) for user in users]]
    upload(users[1], "b")
    seen.append([stored_keys(user) for user in users])
    users[0].post("/api/files/rename", json={"s3_key": "alice/a", "new_filename": "c"})
    seen.append([stored_keys(user) for user in users])
    users[1].delete("/api/files", json={"s3_key": "alice/c"})
    seen.append([stored_keys(user) for user in users])

    expected = [["alice/a"], ["alice/a", "alice/b"], ["alice/b", "alice/c"], ["alice/b"]]
    assert seen == [[keys, keys] for keys in expected]


@both_storages
def test_a_page_is_cached_five_minutes_for_what_others_write(
    app: Flask, alice: Caller, clock: FakeClock
) -> None:
    def write(name: str) -> None:
        with app.app_context():
            runtime().storage.put(Key(f"alice/{name}"), [b"x"])

    write("a")
    first = stored_keys(alice)
    write("b")
    cached, fresh = stored_keys(alice), stored_keys(alice, "use_cache=false")
    write("c")
    refreshed = stored_keys(alice)
    clock.advance(minutes=5)

    assert (first, cached) == (["alice/a"], ["alice/a"])
    assert fresh == refreshed == ["alice/a", "alice/b"]
    assert stored_keys(alice) == ["alice/a", "alice/b", "alice/c"]


@both_storages
def test_a_cached_page_never_shows_a_file_that_expired_since(
    app: Flask, alice: Caller, clock: FakeClock
) -> None:
    upload(alice, "a")
    expire(app, "alice/a", clock.now.replace(microsecond=0))
    clock.advance(seconds=-60)
    before = stored_keys(alice)

    clock.advance(seconds=60)

    assert (before, stored_keys(alice)) == (["alice/a"], [])


@both_storages
def test_bytes_that_arrive_at_a_url_show_at_once(alice: Caller) -> None:
    ticket = begin(alice, "a", 1)
    before = stored_keys(alice)

    put(alice, ticket["presigned_url"], b"x")

    assert (before, stored_keys(alice)) == ([], ["alice/a"])


@both_databases
def test_a_list_does_without_its_cache_when_redis_is_gone(
    make_app: Callable[..., Flask], alice: Caller
) -> None:
    client = make_app(redis_url="redis://127.0.0.1:1/0").test_client()
    user = Caller(client, alice.username, alice.user_id, alice.uuid, alice.access_token)
    upload(user, "a")

    assert stored_keys(user) == ["alice/a"]
