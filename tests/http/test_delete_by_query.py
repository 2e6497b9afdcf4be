"""Whatever a request to delete says in its body it may say in its URL: some clients drop bodies."""

from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from tests.blueprints import drive_client
from tests.conftest import Caller
from tests.http.failures import refusal
from tests.stacks import both_storages, one_stack


@pytest.fixture
def keys(alice: Caller) -> list[str]:
    """The keys of two files."""
    names = ("a b&c.txt", "ü.txt")
    return [drive_client.upload(alice, name, b"bytes") for name in names]


def listed(caller: Caller) -> list[str]:
    return drive_client.stored_keys(caller)


@both_storages
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_drive_deletes_by_query(alice: Caller, keys: list[str], slash: str) -> None:
    answer = alice.delete(f"/api/files{slash}?s3_key={quote(keys[0])}")

    assert answer.status_code == 200
    assert answer.get_json() == {"message": "File deleted successfully."}
    assert listed(alice) == [keys[1]]


@both_storages
def test_the_browser_deletes_one_object_by_query(alice: Caller, keys: list[str]) -> None:
    answer = alice.delete("/api/s3/object", query_string={"key": keys[1], "recursive": "false"})

    assert answer.status_code == 200
    assert listed(alice) == [keys[0]]


@both_storages
@pytest.mark.parametrize("name", ["keys", "keys[]"])
def test_the_browser_deletes_many_objects_by_a_repeated_parameter(
    alice: Caller, keys: list[str], name: str
) -> None:
    answer = alice.delete("/api/s3/objects", query_string={name: keys})

    assert answer.get_json() == {"deleted": keys, "errors": []}
    assert listed(alice) == []


@both_storages
def test_a_folder_goes_with_all_it_holds_by_query(alice: Caller) -> None:
    folder = f"users/{alice.uuid}/folder/"
    alice.post("/api/s3/folder", json={"prefix": f"{folder}inner"})

    refused = alice.delete("/api/s3/object", query_string={"key": folder})
    answer = alice.delete("/api/s3/object", query_string={"key": folder, "recursive": "true"})

    assert (refused.status_code, answer.status_code) == (409, 200)


@both_storages
def test_an_upload_in_parts_is_aborted_by_query(alice: Caller) -> None:
    key = f"users/{alice.uuid}/large.zip"
    begun = alice.post("/api/s3/multipart/initiate", json={"key": key}).get_json()
    reference = {"key": key, **begun}

    answer = alice.delete("/api/s3/multipart", query_string=reference)

    assert answer.status_code == 200
    assert alice.get("/api/s3/multipart/parts", query_string=reference).status_code == 404


@one_stack
def test_what_stands_in_both_has_to_agree(alice: Caller, keys: list[str]) -> None:
    one, other = keys
    query = {"s3_key": one}

    refused = alice.delete("/api/files", query_string=query, json={"s3_key": other})
    both = alice.delete("/api/files", query_string=query, json={"s3_key": one})

    assert refusal(refused) == (400, "VALIDATION_ERROR")
    assert both.status_code == 200
    assert listed(alice) == [other]


@one_stack
def test_one_field_may_stand_in_the_url_and_another_in_the_body(alice: Caller) -> None:
    folder = f"users/{alice.uuid}/folder/"
    alice.post("/api/s3/folder", json={"prefix": f"{folder}inner"})

    answer = alice.delete("/api/s3/object", query_string={"key": folder}, json={"recursive": True})

    assert answer.status_code == 200


@one_stack
@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/api/files", {}, "s3_key"),
        ("/api/files", {"s3_key": ["alice/a", "alice/b"]}, "s3_key"),
        ("/api/s3/object", {"recursive": "true"}, "key"),
        ("/api/s3/object", {"key": "alice/a", "recursive": "1"}, "recursive"),
        ("/api/s3/object", {"key": "alice/a", "recursive": "yes"}, "recursive"),
        ("/api/s3/objects", {}, "keys"),
        ("/api/s3/objects", {"keys": ["a"] * 1001}, "keys"),
        ("/api/s3/multipart", {"key": "alice/a"}, "upload_id"),
    ],
)
def test_a_query_is_held_to_the_same_rules(
    alice: Caller, path: str, query: dict[str, Any], field: str
) -> None:
    answer = alice.delete(path, query_string=query)

    assert refusal(answer) == (400, "VALIDATION_ERROR")
    assert field in answer.get_json()["errors"]


@one_stack
def test_the_document_tells_of_both_places(app: Flask) -> None:
    paths = app.test_client().get("/api/openapi.json").get_json()["paths"]
    deleting = {path: item["delete"] for path, item in paths.items() if "delete" in item}
    both = {path: each for path, each in deleting.items() if "requestBody" in each}

    told = {
        path: sorted(parameter["name"] for parameter in each["parameters"])
        for path, each in both.items()
    }

    assert {
        "/api/files": ["s3_key"],
        "/api/s3/object": ["key", "recursive"],
        "/api/s3/objects": ["keys"],
        "/api/s3/multipart": ["key", "upload_id"],
    }.items() <= told.items()
    assert not any(each["requestBody"]["required"] for each in both.values())
    assert not any(p["required"] for each in both.values() for p in each["parameters"])
