"""What Content-MD5 and Content-Encoding of a PUT mean: the same on local disk as on S3."""

import gzip
from base64 import b64encode
from hashlib import md5
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.blueprints.drive_client import begin, confirm
from tests.blueprints.uploads_client import BODY as TWO_PARTS
from tests.blueprints.uploads_client import begin as begin_parts
from tests.blueprints.uploads_client import part_of
from tests.conftest import Caller
from tests.contracts.doors import exchange, good
from tests.http.failures import refusal
from tests.stacks import both_storages, one_stack

BODY = gzip.compress("안녕하세요".encode() * 100, mtime=0)


def md5_of(body: bytes) -> str:
    return b64encode(md5(body, usedforsecurity=False).digest()).decode()


def put(caller: Caller, url: str, body: bytes, **headers: str) -> tuple[int, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return exchange(caller, "PUT", url, body, named)


def part_urls(caller: Caller) -> dict[str, str]:
    """Return a URL of each kind that takes a part of 1,000 bytes."""
    begun = begin_parts(caller)
    key = {"key": f"users/{caller.uuid}/a.bin"}
    upload = {**good(caller.post("/api/s3/multipart/initiate", json=key)), **key}
    part = good(caller.post("/api/s3/multipart/part-url", json={**upload, "part_number": 1}))
    return {"uploads": begun["presigned_urls"][1]["url"], "browser": part["url"]}


PART = part_of(TWO_PARTS, 2)


@one_stack
@pytest.mark.parametrize(
    ("digest", "code"),
    [
        (md5_of(b"other"), "BAD_DIGEST"),
        ("nonsense", "INVALID_DIGEST"),
        ("", "INVALID_DIGEST"),
        (b64encode(b"short").decode(), "INVALID_DIGEST"),
        (md5(PART, usedforsecurity=False).hexdigest(), "INVALID_DIGEST"),
    ],
)
def test_a_body_of_another_digest_is_refused_and_nothing_stays(
    alice: Caller, digest: str, code: str
) -> None:
    drive = begin(alice, "a.bin", len(PART))["successful"][0]
    parts = part_urls(alice)

    answers = [
        put(alice, url, PART, Content_MD5=digest)[1]
        for url in (drive["presigned_url"], *parts.values())
    ]

    assert [refusal(answer) for answer in answers] == [(400, code)] * 3
    assert confirm(alice, drive["s3_key"]).status_code == 404


@both_storages
def test_a_body_of_its_digest_is_stored(alice: Caller) -> None:
    drive = begin(alice, "a.bin", len(PART))["successful"][0]

    urls = (drive["presigned_url"], *part_urls(alice).values())
    statuses = [put(alice, url, PART, Content_MD5=md5_of(PART))[0] for url in urls]

    assert statuses == [200, 200, 200]
    assert confirm(alice, drive["s3_key"]).status_code == 200


@one_stack
def test_an_empty_body_has_a_digest_too(alice: Caller) -> None:
    url = urlsplit(begin(alice, "a.bin", 0)["successful"][0]["presigned_url"])

    wrong, right = (
        alice.client.put(
            f"{url.path}?{url.query}",
            headers={"Content-MD5": md5_of(body)},
            environ_overrides={"CONTENT_LENGTH": "0"},
        )
        for body in (b"x", b"")
    )

    assert (refusal(wrong), right.status_code) == ((400, "BAD_DIGEST"), 200)


@one_stack
def test_a_part_of_another_digest_leaves_the_one_that_was_there(alice: Caller) -> None:
    begun = begin_parts(alice)
    url = begun["presigned_urls"][1]["url"]
    good_part = put(alice, url, PART)[1].headers["ETag"]

    refused = put(alice, url, b"y" * len(PART), Content_MD5=md5_of(PART))[0]
    state = good(alice.get(f"/v1/files/uploads/{begun['file_obj']['id']}/"))

    assert refused == 400
    assert [part["etag"] for part in state["parts"]] == [good_part]


def opened(caller: Caller, key: str, method: str = "GET", **headers: str) -> Any:
    """Use the object's signed URL, and undo no encoding."""
    url = good(caller.post("/api/s3/download", json={"key": key}))["url"]
    return exchange(caller, method, url, None, {"Accept-Encoding": "identity", **headers})[1]


@both_storages
def test_an_encoding_is_given_back_with_the_bytes(alice: Caller) -> None:
    asked = begin(alice, "a.txt", len(BODY), content_type="text/plain")["successful"][0]
    sent, _ = put(alice, asked["presigned_url"], BODY, Content_Encoding="gzip")
    confirmed = confirm(alice, asked["s3_key"]).status_code
    found = good(alice.get(f"/api/files/{asked['id']}/details"))

    direct = opened(alice, found["s3_key"])
    simple = alice.get("/s3/download/a.txt/")

    assert (sent, confirmed) == (200, 200)
    assert [a.headers["Content-Encoding"] for a in (direct, simple)] == ["gzip", "gzip"]
    assert gzip.decompress(simple.data).decode().startswith("안녕")
    assert simple.headers["Content-Length"] == str(len(BODY))


@one_stack
def test_a_range_is_one_of_the_encoded_bytes(alice: Caller) -> None:
    asked = begin(alice, "a.txt", len(BODY))["successful"][0]
    put(alice, asked["presigned_url"], BODY, Content_Encoding="gzip")
    confirm(alice, asked["s3_key"])

    part = opened(alice, "alice/a.txt", Range="bytes=2-5")
    head = opened(alice, "alice/a.txt", "HEAD")

    assert (part.status_code, part.data) == (206, BODY[2:6])
    assert part.headers["Content-Encoding"] == head.headers["Content-Encoding"] == "gzip"


@one_stack
def test_a_body_that_an_sdk_framed_is_refused(alice: Caller) -> None:
    url = begin(alice, "a.txt", 3)["successful"][0]["presigned_url"]

    _, answer = put(
        alice, url, b"abc", Content_Encoding="aws-chunked", X_Amz_Decoded_Content_Length="3"
    )

    assert refusal(answer) == (400, "VALIDATION_ERROR")
