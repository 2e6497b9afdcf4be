"""DELETE /api/s3/object and /objects: one object, a folder, many; rows go with their objects."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from softfactory.http.runtime import runtime
from tests.blueprints.browser_client import keys_in_storage, listed, put, root, rows, store, stored
from tests.blueprints.test_browser_list import expire, make_folder
from tests.blueprints.test_browser_upload import together
from tests.conftest import Caller
from tests.doubles import FailingStorage, FakeClock
from tests.stacks import one_stack


def delete(caller: Caller, name: str, **options: Any) -> Any:
    return caller.delete("/api/s3/object", json={"key": root(caller) + name, **options})


def delete_many(caller: Caller, *keys: str) -> Any:
    return caller.delete("/api/s3/objects", json={"keys": keys})


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_object_goes_with_its_row(app: Flask, alice: Caller, slash: str) -> None:
    put(alice, "file.txt")

    answer = alice.delete(f"/api/s3/object{slash}", json={"key": root(alice) + "file.txt"})

    assert (answer.status_code, answer.get_json()) == (
        200,
        {"message": "Object deleted successfully"},
    )
    assert (keys_in_storage(app), rows(app)) == ([], {})


def test_an_object_without_a_row_goes_too(app: Flask, alice: Caller) -> None:
    store(app, root(alice) + "own.txt")

    assert delete(alice, "own.txt").status_code == 200
    assert keys_in_storage(app) == []


@one_stack
@pytest.mark.parametrize("recursive", [True, False])
@pytest.mark.parametrize("name", ["missing", "missing/"])
def test_what_is_not_there_is_404(alice: Caller, name: str, recursive: bool) -> None:
    answer = delete(alice, name, recursive=recursive)

    assert answer.status_code == 404
    assert answer.get_json()["code"] == "RESOURCE_NOT_FOUND"


@pytest.mark.light
def test_a_key_that_is_as_long_as_can_be_is_404_too(alice: Caller) -> None:
    name = "x" * (1024 - len(root(alice)))

    assert delete(alice, name).status_code == 404
    put(alice, name)
    assert [delete(alice, name).status_code for _ in range(2)] == [200, 404]


@one_stack
def test_deleting_twice_is_404_the_second_time(alice: Caller) -> None:
    put(alice, "a")

    assert [delete(alice, "a").status_code for _ in range(2)] == [200, 404]


@one_stack
def test_an_expired_file_is_404(app: Flask, alice: Caller, clock: FakeClock) -> None:
    put(alice, "a")
    expire(app, clock, root(alice) + "a")

    assert delete(alice, "a").status_code == 404


@pytest.mark.parametrize("name", ["folder/", "folder"])
def test_an_empty_folder_goes(app: Flask, alice: Caller, name: str) -> None:
    make_folder(alice, "folder")

    assert delete(alice, name).status_code == 200
    assert keys_in_storage(app) == []


@pytest.mark.parametrize("name", ["folder/", "folder"])
def test_a_folder_that_is_not_empty_is_409_and_stays(alice: Caller, name: str) -> None:
    make_folder(alice, "folder")
    put(alice, "folder/a")

    answer = delete(alice, name)

    assert (answer.status_code, answer.get_json()["code"]) == (409, "CONFLICT")
    assert listed(alice, prefix=root(alice) + "folder/") == [root(alice) + "folder/a"]


@pytest.mark.parametrize("name", ["folder/", "folder"])
def test_a_folder_goes_with_all_it_holds_and_nothing_else(
    app: Flask, alice: Caller, name: str
) -> None:
    make_folder(alice, "folder")
    make_folder(alice, "folder/empty")
    for other in ("folder.txt", "folders/a", "a", "folder/a", "folder/b/c", "folder/b/c/d"):
        put(alice, other)
    store(app, root(alice) + "folder/own")

    assert delete(alice, name, recursive=True).status_code == 200
    kept = [root(alice) + name for name in ("a", "folder.txt", "folders/a")]
    # Not by a list with folders: moto shows those of objects that were deleted.
    assert keys_in_storage(app) == sorted(rows(app)) == kept


def test_a_file_of_the_folders_name_is_meant_first(app: Flask, alice: Caller) -> None:
    put(alice, "a")
    put(alice, "a/b")

    delete(alice, "a", recursive=True)

    assert keys_in_storage(app) == [root(alice) + "a/b"]


@pytest.mark.light
def test_a_folder_of_more_than_a_thousand_objects_goes(app: Flask, alice: Caller) -> None:
    for number in range(1010):
        store(app, f"{root(alice)}folder/{number:04}", b"")

    assert delete(alice, "folder", recursive=True).status_code == 200
    assert keys_in_storage(app) == []


def test_what_waits_to_be_confirmed_is_not_deleted_with_the_folder(
    app: Flask, alice: Caller
) -> None:
    for key in ("alice/.uploads/x/a", "alice/b"):
        store(app, key)

    answer = alice.delete("/api/s3/object", json={"key": "alice/", "recursive": True})

    assert answer.status_code == 200
    assert keys_in_storage(app) == ["alice/.uploads/x/a"]


def test_deleting_one_folder_twice_at_once_ends_with_nothing_left(
    app: Flask, alice: Caller
) -> None:
    for name in ("a", "b", "c/d"):
        put(alice, f"folder/{name}")

    answers = together(*(lambda: delete(alice, "folder", recursive=True) for _ in range(3)))

    assert {answer.status_code for answer in answers} <= {200, 404}
    assert (keys_in_storage(app), rows(app)) == ([], {})


@pytest.mark.light
def test_what_is_no_key_is_400(alice: Caller) -> None:
    answer = alice.delete("/api/s3/object", json={"key": root(alice) + "x" * 1024})

    assert answer.status_code == 400
    assert "key" in answer.get_json()["errors"]


@pytest.mark.light
@pytest.mark.parametrize(
    "body", [{}, {"key": 5}, {"key": None}, {"key": "x", "recursive": "perhaps"}]
)
def test_a_delete_needs_a_key_and_a_plain_recursive(alice: Caller, body: dict[str, object]) -> None:
    assert alice.delete("/api/s3/object", json=body).status_code == 400


@one_stack
def test_someone_elses_object_is_403_and_stays(app: Flask, alice: Caller, bob: Caller) -> None:
    put(bob, "a")
    key = root(bob) + "a"

    answers = [
        alice.delete("/api/s3/object", json={"key": name, "recursive": True})
        for name in (key, root(bob), root(bob) + "missing", "users/")
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert stored(app, key) == b"hello"


def test_an_administrator_deletes_everywhere(app: Flask, bob: Caller, admin: Caller) -> None:
    for name in ("a", "b/c", "d"):
        put(bob, name)

    one = admin.delete("/api/s3/object", json={"key": root(bob) + "a"})
    folder = admin.delete("/api/s3/object", json={"key": root(bob) + "b", "recursive": True})
    batch = delete_many(admin, root(bob) + "d")

    assert [answer.status_code for answer in (one, folder, batch)] == [200, 200, 200]
    assert (keys_in_storage(app), rows(app)) == ([], {})


@pytest.mark.parametrize("verb", ["delete", "delete_many"])
def test_storage_trouble_is_told_and_changes_nothing(
    make_app: Callable[..., Flask], app: Flask, alice: Caller, verb: str
) -> None:
    put(alice, "a")
    with app.app_context():
        storage = FailingStorage(runtime().storage)
    storage.fail_before |= {"delete", "delete_many"}
    broken = make_app(storage=storage).test_client()
    key = root(alice) + "a"

    bodies = {"delete": ("object", {"key": key}), "delete_many": ("objects", {"keys": [key]})}
    path, body = bodies[verb]
    answer = broken.delete(f"/api/s3/{path}", json=body, headers=alice.headers)

    assert answer.status_code == 500
    assert (listed(alice), [*rows(app)]) == ([key], [key])


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_batch_goes_with_its_rows(app: Flask, alice: Caller, slash: str) -> None:
    for name in ("file1.txt", "file2.txt", "kept"):
        put(alice, name)
    keys = [root(alice) + name for name in ("file2.txt", "file1.txt")]

    answer = alice.delete(f"/api/s3/objects{slash}", json={"keys": keys})

    assert (answer.status_code, answer.get_json()) == (200, {"deleted": keys, "errors": []})
    assert keys_in_storage(app) == [*rows(app)] == [root(alice) + "kept"]


def test_a_batch_reports_key_by_key(app: Flask, alice: Caller, bob: Caller) -> None:
    put(alice, "there")
    put(bob, "foreign")
    make_folder(alice, "empty")
    put(alice, "full/a")
    there, missing, empty, full = (
        root(alice) + name for name in ("there", "missing", "empty/", "full/")
    )
    foreign, bad = root(bob) + "foreign", root(alice) + "x" * 1024

    answer = delete_many(alice, there, missing, foreign, bad, empty, full, there)

    assert answer.status_code == 200
    report = answer.get_json()
    assert report["deleted"] == [there, missing, empty]
    assert [(error["key"], error["code"]) for error in report["errors"]] == [
        (foreign, "PERMISSION_DENIED"),
        (bad, "VALIDATION_ERROR"),
        (full, "CONFLICT"),
    ]
    assert all(error["message"] for error in report["errors"])
    assert {*keys_in_storage(app)} == {foreign, full + "a"}


def test_a_thousand_keys_go_in_one_batch(app: Flask, alice: Caller) -> None:
    keys = [f"{root(alice)}{number:04}" for number in range(1000)]
    for key in keys[::100]:
        store(app, key)

    answer = delete_many(alice, *keys)

    assert answer.status_code == 200
    assert answer.get_json() == {"deleted": keys, "errors": []}
    assert keys_in_storage(app) == []


@pytest.mark.light
@pytest.mark.parametrize(
    "body",
    [{}, {"keys": []}, {"keys": "a"}, {"keys": [5]}, {"keys": None}, {"keys": ["a"] * 1001}],
    ids=str,
)
def test_a_batch_needs_1_to_1000_keys(alice: Caller, body: dict[str, object]) -> None:
    answer = alice.delete("/api/s3/objects", json=body)

    assert answer.status_code == 400
    assert any(field.startswith("keys") for field in answer.get_json()["errors"])


def test_batches_of_the_same_keys_at_once_end_with_nothing_left(app: Flask, alice: Caller) -> None:
    keys = [root(alice) + str(number) for number in range(10)]
    for number in range(10):
        put(alice, str(number))

    answers = together(
        lambda: delete_many(alice, *keys), lambda: delete_many(alice, *reversed(keys))
    )

    assert [answer.status_code for answer in answers] == [200, 200]
    assert (keys_in_storage(app), rows(app)) == ([], {})


def test_an_expired_file_counts_as_deleted_and_is_cleanups(
    app: Flask, alice: Caller, clock: FakeClock
) -> None:
    put(alice, "a")
    key = root(alice) + "a"
    expire(app, clock, key)

    answer = delete_many(alice, key)

    assert answer.get_json() == {"deleted": [key], "errors": []}
    assert [*rows(app)] == [key]
