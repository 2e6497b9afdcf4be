"""CORS: browsers of the configured origins may call, and see what they need to upload parts."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import Caller
from tests.stacks import one_stack

pytestmark = one_stack

ORIGINS = ("https://app.example.com", "http://localhost:3000")
EXPOSED = {"etag", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"}


@pytest.fixture
def app(make_app: Any) -> Flask:
    app: Flask = make_app(cors_origins=ORIGINS, ratelimit_enabled=True)
    return app


def words(header: str) -> set[str]:
    return {word.strip().lower() for word in header.split(",")}


def preflight(client: FlaskClient, path: str, method: str, origin: str = ORIGINS[0]) -> Any:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    return client.options(path, headers=headers)


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_configured_origin_may_read_the_answer(client: FlaskClient, origin: str) -> None:
    answer = client.get("/healthz", headers={"Origin": origin})

    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "origin" in words(answer.headers["Vary"])


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example", "https://app.example.com.evil.example", "http://app.example.com",
        "https://app.example.com:444", "https://xapp.example.com", "https://appxexample.com",
        "null", "https://sub.app.example.com", "http://localhost:3001", "http://localhost:30000",
    ],
)  # fmt: skip
def test_another_origin_may_not(client: FlaskClient, origin: str) -> None:
    answers = [
        client.get("/healthz", headers={"Origin": origin}),
        preflight(client, "/api/files", "GET", origin),
    ]

    assert [a.headers.get("Access-Control-Allow-Origin") for a in answers] == [None, None]


def test_a_browser_sees_the_headers_that_it_needs(alice: Caller) -> None:
    answer = alice.get("/api/auth/me", headers={"Origin": ORIGINS[0]})

    assert words(answer.headers["Access-Control-Expose-Headers"]) >= EXPOSED


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/api/auth/login", "POST"), ("/api/files", "GET"), ("/api/files/1", "DELETE"),
        ("/api/files/upload", "POST"), ("/media/a/b", "PUT"), ("/media/a/b", "GET"),
        ("/nothing", "PATCH"),
    ],
)  # fmt: skip
def test_a_preflight_passes_without_a_token(client: FlaskClient, path: str, method: str) -> None:
    answer = preflight(client, path, method)

    assert answer.headers["Access-Control-Allow-Origin"] == ORIGINS[0]
    assert method.lower() in words(answer.headers["Access-Control-Allow-Methods"])
    allowed = words(answer.headers["Access-Control-Allow-Headers"])
    assert allowed == {"authorization", "content-type"}
    assert answer.headers["Access-Control-Max-Age"] == "3600"


@pytest.mark.parametrize(
    "names",
    [
        "authorization", "range", "if-none-match", "x-request-id",
        "cache-control,x-requested-with",  # Dropzone
        "content-md5", "traceparent,tracestate,baggage", "sentry-trace", "x-amz-date",
        "x-nobody-thought-of-it",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/media/a", "/api/files/upload", "/v1/files/uploads"])
def test_a_browser_may_send_any_header(client: FlaskClient, path: str, names: str) -> None:
    headers = {
        "Origin": ORIGINS[0],
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": names,
    }

    answer = client.options(path, headers=headers)

    assert words(answer.headers["Access-Control-Allow-Headers"]) == words(names)


def test_another_origin_may_send_none(client: FlaskClient) -> None:
    headers = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-md5",
    }

    answer = client.options("/media/a", headers=headers)

    assert "Access-Control-Allow-Headers" not in answer.headers


def test_a_reader_of_ranges_sees_what_it_goes_by(client: FlaskClient) -> None:
    answer = client.get("/media/a", headers={"Origin": ORIGINS[0], "Range": "bytes=0-1"})

    exposed = words(answer.headers["Access-Control-Expose-Headers"])
    assert exposed >= {"accept-ranges", "content-range", "content-length", "content-encoding"}


def test_preflights_cost_nothing_of_a_budget(client: FlaskClient) -> None:
    answers = [preflight(client, "/api/auth/login", "POST") for _ in range(8)]

    assert {answer.status_code for answer in answers} == {200}
    assert not [a for a in answers if "X-RateLimit-Limit" in a.headers]


def test_a_failure_can_be_read_too(client: FlaskClient) -> None:
    headers = {"Origin": ORIGINS[0]}
    answers = [
        client.get(path, headers=headers) for path in ("/api/auth/me", "/nothing", "/media/a")
    ]
    answers += [client.post("/api/auth/login", json={}, headers=headers) for _ in range(6)]

    allowed = {a.status_code: a.headers.get("Access-Control-Allow-Origin") for a in answers}

    assert allowed == dict.fromkeys([401, 404, 403, 400, 429], ORIGINS[0])
    assert "retry-after" in words(answers[-1].headers["Access-Control-Expose-Headers"])


def test_no_cookie_of_a_browser_is_asked_for(client: FlaskClient) -> None:
    answer = client.get("/healthz", headers={"Origin": ORIGINS[0]})

    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Set-Cookie" not in answer.headers


def test_a_star_is_for_every_origin(make_app: Any) -> None:
    client = make_app(cors_origins=("*",)).test_client()

    answer = client.get("/healthz", headers={"Origin": "https://anyone.example"})

    assert answer.headers["Access-Control-Allow-Origin"] in ("*", "https://anyone.example")


def test_without_origins_there_is_no_cors(make_app: Any) -> None:
    client = make_app(cors_origins=()).test_client()

    answers = [
        client.get("/healthz", headers={"Origin": ORIGINS[0]}),
        preflight(client, "/api/files", "GET"),
    ]

    names = [name for answer in answers for name, _ in answer.headers]
    assert not [name for name in names if name.startswith("Access-Control")]
