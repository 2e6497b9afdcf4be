"""PUT of a part to this service: the token, the bytes, and what each leaves (local storage)."""

import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import update

from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.models import FileUpload
from softfactory.storage.signing import TokenSigner
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
)
from tests.conftest import Caller
from tests.doubles import FakeClock
from tests.stacks import both_databases, one_stack

pytestmark = both_databases


@pytest.fixture
def begun(alice: Caller) -> dict[str, Any]:
    """An upload of two parts."""
    return begin(alice)


def url_of(begun: dict[str, Any], number: int) -> str:
    url: str = begun["presigned_urls"][number - 1]["url"]
    return url


def arrived(caller: Caller, begun: dict[str, Any]) -> list[dict[str, Any]]:
    path = f"/v1/files/uploads/{begun['file_obj']['id']}/"
    parts: list[dict[str, Any]] = caller.get(path).get_json()["parts"]
    return parts


def test_a_part_is_answered_with_its_number_and_etag_twice(
    alice: Caller, begun: dict[str, Any]
) -> None:
    response = put(alice, url_of(begun, 2), part_of(BODY, 2))

    assert response.status_code == 200
    part = response.get_json()
    assert part == {"part_number": 2, "etag": response.headers["ETag"]}
    assert arrived(alice, begun) == [part | {"size": len(BODY) - PART_SIZE}]


def test_no_token_of_a_login_is_needed_and_none_is_counted(
    make_app: Callable[..., Flask], begun: dict[str, Any]
) -> None:
    client = make_app(ratelimit_enabled=True, ratelimit_default="1 per hour").test_client()
    url = urlsplit(url_of(begun, 2))

    answers = [
        client.put(f"{url.path}?{url.query}", data=part_of(BODY, 2)).status_code for _ in range(3)
    ]

    assert answers == [200, 200, 200]


def test_a_part_sent_twice_replaces_itself(alice: Caller, begun: dict[str, Any]) -> None:
    first = send(alice, url_of(begun, 2), b"x" * 1000)
    second = send(alice, url_of(begun, 2), part_of(BODY, 2))

    assert first != second
    assert [part["etag"] for part in arrived(alice, begun)] == [second]


@one_stack
@pytest.mark.parametrize(
    "damage",
    [
        lambda token: "",
        lambda token: token[:-1],
        lambda token: token[:-2] + ("AA" if token[-2:] != "AA" else "BB"),
        lambda token: "9" + token,
        lambda token: "é" + token,
        lambda token: token.replace(".2.", ".1.", 1),
    ],
)
def test_a_forged_token_is_403(
    alice: Caller, begun: dict[str, Any], damage: Callable[[str], str]
) -> None:
    path, _, token = url_of(begun, 2).partition("?token=")

    response = put(alice, f"{path}?token={damage(token)}", part_of(BODY, 2))

    assert response.status_code == 403
    assert response.get_json()["code"] == "INVALID_SIGNATURE"
    assert arrived(alice, begun) == []


@one_stack
def test_a_token_of_an_earlier_release_is_403(
    app: Flask, alice: Caller, begun: dict[str, Any]
) -> None:
    path, _, token = url_of(begun, 2).partition("?token=")
    upload_id, file_id, expires, _, number, _ = token.split(".")
    with app.app_context():
        signer = TokenSigner(runtime().config.secret_key, b"softfactory.uploads.parts")
    earlier = signer.sign(f"{upload_id}.{file_id}.{expires}.{number}")

    response = put(alice, f"{path}?token={earlier}", part_of(BODY, 2))

    assert response.status_code == 403
    assert response.get_json()["code"] == "INVALID_SIGNATURE"


def test_a_token_is_for_its_own_part_only(alice: Caller, begun: dict[str, Any]) -> None:
    token = url_of(begun, 1).partition("?token=")[2]
    path = url_of(begun, 2).partition("?")[0]

    assert put(alice, f"{path}?token={token}", part_of(BODY, 2)).status_code == 403


def test_a_token_is_for_its_own_upload_only(alice: Caller, begun: dict[str, Any]) -> None:
    token = url_of(begin(alice), 2).partition("?token=")[2]
    path = url_of(begun, 2).partition("?")[0]

    assert put(alice, f"{path}?token={token}", part_of(BODY, 2)).status_code == 403


def test_a_token_lives_an_hour_and_a_new_one_resumes(
    alice: Caller, begun: dict[str, Any], clock: FakeClock
) -> None:
    first = send(alice, url_of(begun, 1), part_of(BODY, 1))
    clock.advance(minutes=59)
    path = f"/v1/files/uploads/{begun['file_obj']['id']}/"
    resumed = alice.get(path).get_json()

    clock.advance(minutes=1)
    refused = put(alice, url_of(begun, 2), part_of(BODY, 2))
    second = send(alice, resumed["presigned_urls"][0]["url"], part_of(BODY, 2))

    assert (refused.status_code, refused.get_json()["code"]) == (403, "SIGNATURE_EXPIRED")
    named = [{"part_number": 1, "etag": first}, {"part_number": 2, "etag": second}]
    assert complete(alice, begun, named).status_code == 200


@one_stack
@pytest.mark.parametrize("size", [0, 999, 1001, PART_SIZE])
def test_a_part_of_another_size_than_declared_is_400(
    alice: Caller, begun: dict[str, Any], size: int
) -> None:
    response = put(alice, url_of(begun, 2), b"x" * size)

    assert response.status_code == 400
    assert arrived(alice, begun) == []


def test_a_part_without_its_length_is_411(alice: Caller, begun: dict[str, Any]) -> None:
    url = urlsplit(url_of(begun, 2))

    response = alice.client.put(f"{url.path}?{url.query}", environ_overrides={"CONTENT_LENGTH": ""})

    assert response.status_code == 411


def test_a_part_cut_off_leaves_the_one_that_was_there(alice: Caller, begun: dict[str, Any]) -> None:
    etag = send(alice, url_of(begun, 2), part_of(BODY, 2))
    url = urlsplit(url_of(begun, 2))

    response = alice.client.put(
        f"{url.path}?{url.query}", data=b"half", headers={"Content-Length": "1000"}
    )

    assert response.status_code == 400
    assert [part["etag"] for part in arrived(alice, begun)] == [etag]


def test_a_part_of_an_aborted_upload_is_409(alice: Caller, begun: dict[str, Any]) -> None:
    alice.delete(f"/v1/files/uploads/{begun['file_obj']['id']}/")

    response = put(alice, url_of(begun, 2), part_of(BODY, 2))

    assert response.status_code == 409
    assert "aborted" in response.get_json()["error"]


@pytest.mark.parametrize("end", ["disable", "delete"])
def test_a_part_of_someone_who_is_let_in_no_more_is_409(
    app: Flask, alice: Caller, begun: dict[str, Any], end: str
) -> None:
    arguments = ["--yes"] if end == "delete" else []
    app.test_cli_runner().invoke(args=["users", end, *arguments, alice.username])

    assert put(alice, url_of(begun, 2), part_of(BODY, 2)).status_code == 409


def test_a_part_of_a_completed_upload_is_409(alice: Caller, begun: dict[str, Any]) -> None:
    complete(alice, begun, send_all(alice, begun))

    assert put(alice, url_of(begun, 2), part_of(BODY, 2)).status_code == 409


@one_stack
def test_a_part_of_a_deleted_upload_is_404(alice: Caller, begun: dict[str, Any]) -> None:
    alice.delete(f"/v1/files/{begun['file_obj']['id']}/")

    assert put(alice, url_of(begun, 2), part_of(BODY, 2)).status_code == 404


def test_parts_keep_an_upload_alive(
    app: Flask, alice: Caller, begun: dict[str, Any], clock: FakeClock
) -> None:
    clock.advance(minutes=30)
    send(alice, url_of(begun, 2), part_of(BODY, 2))

    with app.app_context():
        file = db.session.get_one(FileUpload, int(begun["file_obj"]["id"]))
        assert file.last_activity_at == clock.now


def test_parts_in_parallel_and_out_of_order_make_the_file(app: Flask, alice: Caller) -> None:
    body = BODY + BODY + BODY
    begun = begin(alice, len(body))
    etags: dict[int, str] = {}

    def run(number: int) -> None:
        url = urlsplit(url_of(begun, number))
        response = app.test_client().put(f"{url.path}?{url.query}", data=part_of(body, number))
        etags[number] = response.headers["ETag"]

    threads = [threading.Thread(target=run, args=(number,)) for number in (4, 2, 3, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    named = [{"part_number": number, "etag": etags[number]} for number in (3, 1, 4, 2)]
    done = complete(alice, begun, named)

    assert done.get_json()["file_size"] == len(body)
    link = alice.post(
        "/api/files/presigned-url", json={"file_id": begun["file_obj"]["id"]}
    ).get_json()
    url = urlsplit(link["presigned_url"])
    with alice.client.get(f"{url.path}?{url.query}") as stored:
        assert stored.get_data() == body


def test_a_failed_upload_takes_no_parts(app: Flask, alice: Caller, begun: dict[str, Any]) -> None:
    with app.app_context():
        db.session.execute(update(FileUpload).values(status="failed"))
        db.session.commit()

    assert put(alice, url_of(begun, 2), part_of(BODY, 2)).status_code == 409
    assert status(alice, begun) == "failed"
