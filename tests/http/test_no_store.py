"""Caching: no cache keeps a token, a secret or a signed URL."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests import samples
from tests.blueprints.test_files_upload import send
from tests.conftest import PASSWORD, Caller
from tests.stacks import both_storages, one_stack

CREDENTIALS = {"username": "alice", "password": PASSWORD}


def login(caller: Caller) -> Any:
    return caller.client.post("/api/auth/login", json=CREDENTIALS)


ANSWERS: dict[str, Callable[[Caller], Any]] = {
    "tokens": login,
    "renewed tokens": lambda caller: caller.client.post(
        "/api/auth/refresh", json={"refresh_token": login(caller).get_json()["refresh_token"]}
    ),
    "who is calling": lambda caller: caller.get("/api/auth/me"),
    "an upload": lambda caller: send(caller, samples.pdf()),
    "the drive's URLs": lambda caller: caller.post(
        "/api/files/upload",
        json={"file_name": "a", "file_size": 1, "content_type": "text/plain"},
    ),
    "the browser's URL": lambda caller: caller.get(
        f"/api/s3/object/download?key=users/{caller.uuid}/a"
    ),
    "a list": lambda caller: caller.get("/api/v3/files"),
    "parts": lambda caller: caller.post(
        "/v1/files/", json={"file_name": "a", "file_size": 1, "part_size": 5 * 1024**2}
    ),
    "a wrong password": lambda caller: caller.client.post(
        "/api/auth/login", json={**CREDENTIALS, "password": "x"}
    ),
    "no token": lambda caller: caller.client.get("/api/auth/me"),
    "no route": lambda caller: caller.get("/nowhere"),
    "temporary credentials": lambda caller: caller.post("/api/credentials/temporary", json={}),
}


@both_storages
@pytest.mark.parametrize("answer", ANSWERS)
def test_no_cache_keeps_an_answer(alice: Caller, answer: str) -> None:
    response = ANSWERS[answer](alice)

    assert response.is_json
    assert response.headers.getlist("Cache-Control") == ["no-store"]


@one_stack
def test_bytes_of_a_file_have_their_own_rule(alice: Caller, client: FlaskClient) -> None:
    file_id = send(alice, samples.pdf()).get_json()["file_id"]
    signed = alice.post("/api/files/presigned-url", json={"file_id": file_id}).get_json()

    response = client.get(signed["presigned_url"])

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "private, no-cache"
