"""Text that was seen to be UTF-8 is served as that; of other text nothing is claimed."""

from typing import Any

import pytest

from tests.conftest import Caller
from tests.contracts.doors import announced, exchange, form, good
from tests.stacks import both_storages, one_stack

TEXT = "안녕하세요, 세계\n".encode()
UTF_8 = "text/plain; charset=utf-8"


def served(caller: Caller, key: str) -> str:
    """Return the Content-Type that the object's signed URL answers with."""
    url = good(caller.post("/api/s3/download", json={"key": key}))["url"]
    status, answer = exchange(caller, "GET", url)
    assert status == 200
    return str(answer.headers["Content-Type"])


def put(caller: Caller, body: bytes, name: str = "a.txt") -> str:
    return str(
        good(form(caller, "/api/s3/upload", name, body, key=f"users/{caller.uuid}/{name}"))["key"]
    )


@both_storages
def test_text_in_utf_8_is_served_with_its_charset(alice: Caller) -> None:
    browser = put(alice, TEXT)
    simple = good(form(alice, "/s3/upload/", "b.txt", TEXT))["file_key"]

    assert served(alice, browser) == UTF_8
    assert served(alice, f"alice/{simple}") == UTF_8
    assert alice.get(f"/s3/download/{simple}/").headers["Content-Type"] == UTF_8


@both_storages
def test_long_text_is_served_with_its_charset(alice: Caller) -> None:
    assert served(alice, put(alice, TEXT * 400_000)) == UTF_8


@both_storages
def test_the_contracts_show_the_type_without_it(alice: Caller) -> None:
    key = put(alice, TEXT)

    row = good(alice.get("/v1/files/"))["results"][0]
    shown: list[Any] = [
        good(alice.get("/api/s3/object/metadata", query_string={"key": key}))["content_type"],
        row["file_content_type"],
        good(alice.get(f"/api/files/{row['id']}"))["content_type"],
        good(alice.get(f"/api/files/{row['id']}/details"))["metadata"]["content_type"],
    ]

    assert shown == ["text/plain"] * 4


@both_storages
def test_text_that_went_straight_to_storage_claims_nothing(alice: Caller) -> None:
    begun = good(
        alice.post(
            "/v1/files/uploads/",
            json={**announced("a.txt", TEXT), "file_content_type": "text/plain"},
        )
    )
    _, answer = exchange(alice, "PUT", begun["presigned_urls"][0]["url"], TEXT)
    parts = [{"part_number": 1, "etag": answer.headers["ETag"]}]
    file_id = begun["file_obj"]["id"]
    good(alice.post(f"/v1/files/uploads/{file_id}/complete/", json={"parts": parts}))

    key = good(alice.get(f"/api/files/{file_id}"))["file_key"]

    assert served(alice, key) == "text/plain"


@one_stack
@pytest.mark.parametrize(
    "body",
    [
        "안녕".encode("utf-16"),
        b"x" * 100_000 + "안녕".encode("cp949"),
        b"x" * 100_000 + "안녕".encode()[:-1],
        "こんにちは".encode("iso-2022-jp"),
    ],
    ids=["UTF-16", "CP949 far behind", "cut off at the end", "ISO-2022"],
)
def test_of_other_text_nothing_is_claimed(alice: Caller, body: bytes) -> None:
    assert served(alice, put(alice, body)) == "text/plain"
