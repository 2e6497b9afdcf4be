"""JSON bodies cost what a client needs, and answers name what is wrong in a few words."""

import json
import tracemalloc
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import Caller
from tests.http.failures import refusal
from tests.http.test_abuse import seconds
from tests.stacks import one_stack

pytestmark = one_stack

JSON = "application/json"
LOGIN = "/api/auth/login"
PARTS = {"key": "users/x/a", "upload_id": "x"}

LISTS = {
    "DELETE /api/s3/objects": ("keys", {}, 1000),
    "POST /api/files/confirm_uploads": ("s3_keys", {}, 100),
    "POST /api/files/upload": ("files", {}, 100),
    "POST /api/s3/multipart/complete": ("parts", PARTS, 10_000),
    "POST /v1/files/uploads/1/complete": ("parts", {}, 10_000),
}
"""By route: the list that it takes, what stands beside it, and how long the list may be."""


def send(caller: Caller, route: str, body: str) -> Any:
    """Send a JSON text to a route."""
    method, path = route.split(" ")
    headers = caller.headers
    return caller.client.open(path, method=method, data=body, content_type=JSON, headers=headers)


@pytest.mark.parametrize(
    ("route", "element"),
    [*((route, "1") for route in LISTS), ("DELETE /api/s3/objects", '""')],
)
def test_a_list_is_measured_before_its_elements_are_looked_at(
    alice: Caller, route: str, element: str
) -> None:
    name, others, _ = LISTS[route]
    rest = "".join(f"{json.dumps(key)}:{json.dumps(value)}," for key, value in others.items())
    count = 4_000_000 // (len(element) + 1)
    body = f'{{{rest}"{name}":[{",".join([element] * count)}]}}'
    if "users/x" in rest:
        body = body.replace("users/x", f"users/{alice.uuid}")
    answers: list[Any] = []

    took = seconds(lambda: answers.append(send(alice, route, body)))

    assert answers[0].status_code == 400
    assert list(answers[0].get_json()["errors"]) == [name]
    assert len(answers[0].get_json()["errors"][name]) == 1
    assert len(answers[0].data) < 1000
    assert took < 3  # a second and a half in the suite's own tracing; 30 before


@pytest.mark.parametrize("element", ["{}", "[]", "[[]]", '{"a":1}', '{"a":{"b":[]}}'])
def test_a_body_of_very_many_lists_and_objects_is_refused_before_it_is_parsed(
    alice: Caller, element: str
) -> None:
    body = f'{{"keys":[{",".join([element] * (4_000_000 // (len(element) + 1)))}]}}'
    answers: list[Any] = []

    took = seconds(lambda: answers.append(send(alice, "DELETE /api/s3/objects", body)))

    assert answers[0].status_code == 400
    assert "more than 100000" in answers[0].get_json()["error"]
    assert took < 0.3  # a second or two before, in which no other thread ran


def test_what_stands_in_strings_is_no_list_and_no_object(alice: Caller) -> None:
    key = '{"a\\":[' * 100

    answer = send(alice, "DELETE /api/s3/objects", json.dumps({"keys": [key] * 1000}))

    assert answer.status_code == 200


@pytest.mark.parametrize("route", LISTS)
def test_an_answer_names_20_errors_at_most_and_says_that_there_are_more(
    alice: Caller, route: str
) -> None:
    name, others, longest = LISTS[route]
    if name == "files":
        pytest.skip("each file is answered by itself")
    body = json.dumps({**others, name: [[1]] * longest})

    answer = send(alice, route, body.replace("users/x", f"users/{alice.uuid}"))

    assert answer.status_code == 400
    assert sum(map(len, answer.get_json()["errors"].values())) == 20
    assert "more errors than the first 20" in answer.get_json()["error"]


def test_20_errors_are_named_without_a_word_of_more(alice: Caller) -> None:
    answer = send(alice, "DELETE /api/s3/objects", json.dumps({"keys": [1] * 20}))

    assert len(answer.get_json()["errors"]) == 20
    assert "more" not in answer.get_json()["error"]


def test_a_long_list_is_refused_in_little_memory(alice: Caller) -> None:
    body = '{"keys":[' + ",".join(["1"] * 2_000_000) + "]}"
    tracemalloc.start()
    try:
        answer = send(alice, "DELETE /api/s3/objects", body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert answer.status_code == 400
    assert peak < 64 * 1024 * 1024


@pytest.mark.parametrize(
    ("route", "limit"),
    [
        ("POST /api/auth/login", 64 * 1024),
        ("POST /api/auth/register", 64 * 1024),
        ("POST /api/files/rename", 64 * 1024),
        ("PATCH /v1/files/1", 64 * 1024),
        ("DELETE /api/files", 64 * 1024),
        ("DELETE /api/s3/objects", 4 * 1024 * 1024),
        ("POST /v1/files/uploads/1/complete", 4 * 1024 * 1024),
    ],
)
@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_body_has_a_limit_by_its_route(
    alice: Caller, route: str, limit: int, *, is_chunked: bool
) -> None:
    statuses = {size: padded(alice, route, size, is_chunked) for size in (limit, limit + 1)}

    assert statuses[limit + 1] == (413, "PAYLOAD_TOO_LARGE")
    assert statuses[limit][0] in (400, 404)


def padded(caller: Caller, route: str, size: int, is_chunked: bool) -> tuple[int, str]:
    """Send ``{}`` and spaces."""
    method, path = route.split(" ")
    chunked = {"Transfer-Encoding": "chunked"} if is_chunked else {}
    with_end = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""} if is_chunked else {}
    return refusal(
        caller.client.open(
            path,
            method=method,
            data=b"{}" + b" " * (size - 2),
            content_type=JSON,
            headers={**caller.headers, **chunked},
            environ_overrides=with_end,
        )
    )


def test_what_is_announced_too_large_is_not_read(client: FlaskClient) -> None:
    class Unread:
        def read(self, *_: Any) -> bytes:
            raise AssertionError("the body was read")

        readline = readlines = __iter__ = read

    answer = client.post(
        LOGIN,
        content_type=JSON,
        environ_overrides={"wsgi.input": Unread(), "CONTENT_LENGTH": str(4 * 1024 * 1024)},
    )

    assert refusal(answer) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/files/rename", {"s3_key": "alice/a", "new_filename": "a/" + "x" * 60_000}),
        ("POST", "/api/files/confirm_upload", {"s3_key": "x" * 60_000}),
        ("DELETE", "/api/s3/object", {"key": "users/" + "x" * 60_000}),
        ("POST", "/api/s3/folder", {"prefix": "x" * 60_000}),
        ("POST", "/api/auth/register", {"username": "x" * 60_000, "email": "x", "password": "x"}),
        ("PATCH", "/v1/files/1", {"file_name": "x" * 60_000, "expires_at": "x" * 1000}),
    ],
)
def test_a_refusal_quotes_no_more_than_a_few_words(
    alice: Caller, method: str, path: str, body: dict[str, str]
) -> None:
    answer = send(alice, f"{method} {path}", json.dumps(body))

    assert answer.status_code >= 400
    assert len(answer.data) < 10_000


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("DELETE /api/s3/object", {"key": "k", "recursive": "true"}),
        ("DELETE /api/s3/object", {"key": "k", "recursive": 1}),
        ("DELETE /api/s3/object", {"key": 1}),
        ("POST /api/files/presigned-url", {"file_id": True}),
        ("POST /api/files/presigned-url", {"file_id": 1.0}),
        ("POST /api/files/presigned-url", {"file_id": 1, "expiration_hours": "1"}),
        ("POST /api/files/presigned-url", {"file_id": 1, "expiration_hours": 1.0}),
        ("POST /api/files/presigned-url", {"file_id": 1, "expiration_hours": True}),
        ("POST /api/files/presigned-url", {"file_id": 1, "expiration_hours": 10**20}),
        ("POST /api/files/upload", {"file_name": "a", "file_size": "1"}),
        ("POST /api/files/upload", {"file_name": "a", "file_size": 1.0}),
        ("POST /api/files/upload", {"file_name": "a", "file_size": True}),
        ("POST /api/files/upload", {"file_name": 1, "file_size": 1}),
        ("PATCH /v1/files/1", {"parent_object_id": "1"}),
        ("PATCH /v1/files/1", {"parent_object_id": True}),
        ("PATCH /v1/files/1", {"expires_at": 4102444800}),
        ("PATCH /v1/files/1", {"expires_at": "2099-01-01T00:00:00Z x"}),
    ],
    ids=str,
)
def test_no_value_of_another_type_is_taken_for_the_right_one(
    alice: Caller, route: str, body: dict[str, Any]
) -> None:
    answer = send(alice, route, json.dumps(body))

    assert (answer.status_code, answer.get_json()["code"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "environ", [{"PATH_INFO": "/s3/download/\xff"}, {"QUERY_STRING": "key=%ff"}], ids=str
)
def test_a_url_that_is_not_utf_8_is_refused(alice: Caller, environ: dict[str, str]) -> None:
    answer = alice.get("/api/s3/object/metadata", environ_overrides=environ)

    assert refusal(answer) == (400, "VALIDATION_ERROR")


def test_a_replacement_character_in_a_url_is_one_like_any_other(alice: Caller) -> None:
    assert alice.get("/s3/download/%EF%BF%BD/").status_code == 404
