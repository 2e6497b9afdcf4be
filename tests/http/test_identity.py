"""Who is calling is asked by every route that does not stand in the list below."""

import re
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from softfactory.http.identity import is_public
from tests.conftest import Caller
from tests.http.failures import refusal
from tests.stacks import one_stack

pytestmark = one_stack

PUBLIC = {
    # They make or renew a login (contracts: Who).
    ("POST", "/api/auth/register"),
    ("POST", "/api/auth/confirm"),
    ("POST", "/api/auth/resend-code"),
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/refresh"),
    ("POST", "/api/auth/forgot-password"),
    ("POST", "/api/auth/reset-password"),
    # The documents.
    ("GET", "/api/openapi.json"),
    ("GET", "/api/openapi.json/"),
    ("GET", "/api/docs"),
    ("GET", "/api/docs/"),
    ("GET", "/api/docs/assets/<name>"),
    ("GET", "/api/docs/assets/<name>/"),
    ("GET", "/api/redoc"),
    ("GET", "/api/redoc/"),
    # What answers here, and where its documents are.
    ("GET", "/"),
    # Health.
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    # Their URLs carry their own signature.
    ("GET", "/media/<path:key>"),
    ("PUT", "/v1/files/presigned-uploads/<int:file_id>/upload-part/<int:part_number>"),
    ("PUT", "/media/<path:key>"),
}
"""The routes that need no token. Whoever adds one here has thought about it."""

ANONYMOUS = "/s3"
"""Below it, a caller without a token is the account ``public`` where that is allowed; off here."""


def routes(app: Flask) -> set[tuple[str, str]]:
    """Return method and path of every route, but for what Flask answers by itself."""
    return {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def path_of(rule: str) -> str:
    return re.sub("<[^>]*>", "1", rule)


def send(client: FlaskClient, method: str, rule: str, **headers: str) -> Any:
    return client.open(path_of(rule), method=method, headers=headers, buffered=True)


def test_every_route_but_the_public_ones_is_401_without_a_token(make_app: Any) -> None:
    app = make_app(simple_s3_anonymous=False)
    client = app.test_client()

    answers = {route: send(client, *route) for route in routes(app) - PUBLIC}

    assert len(answers) > 5
    assert {route: refusal(answer) for route, answer in answers.items()} == dict.fromkeys(
        answers, (401, "AUTHENTICATION_REQUIRED")
    )
    assert {answer.headers["WWW-Authenticate"] for answer in answers.values()} == {"Bearer"}


def test_every_route_but_the_public_ones_is_401_with_a_bad_token(make_app: Any) -> None:
    app = make_app(simple_s3_anonymous=True)
    client = app.test_client()

    answers = {
        route: refusal(send(client, *route, Authorization="Bearer x"))
        for route in routes(app) - PUBLIC
    }

    assert answers == dict.fromkeys(answers, (401, "INVALID_TOKEN"))


def test_head_asks_as_get_does(app: Flask, client: FlaskClient) -> None:
    gets = {rule for method, rule in routes(app) - PUBLIC if method == "GET"}

    statuses = {rule: send(client, "HEAD", rule).status_code for rule in gets if "/s3" not in rule}

    assert set(statuses.values()) == {401}


def test_every_public_route_exists_and_answers_without_a_token(
    app: Flask, client: FlaskClient
) -> None:
    statuses = {route: send(client, *route).status_code for route in PUBLIC}

    assert routes(app) >= PUBLIC
    assert 401 not in statuses.values()


def test_what_is_marked_public_is_what_the_list_says(app: Flask) -> None:
    marked = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if is_public(app.view_functions[rule.endpoint])
    }

    assert {route for route in marked if not route[1].startswith(ANONYMOUS)} == PUBLIC


def test_the_routes_that_make_a_login_ignore_a_bad_token(client: FlaskClient) -> None:
    body = {"username": "nobody", "password": "x"}
    headers = {"Authorization": "Bearer x"}

    answer = client.post("/api/auth/login", json=body, headers=headers)

    assert refusal(answer) == (401, "INVALID_CREDENTIALS")


def test_options_passes_without_a_token_and_names_the_methods(
    app: Flask, client: FlaskClient
) -> None:
    for rule in {rule for _, rule in routes(app)}:
        answer = send(client, "OPTIONS", rule)

        there = {method for method, path in routes(app) if path == rule}
        assert answer.status_code == 200, rule
        assert there <= set(answer.headers["Allow"].split(", ")), rule


def test_a_user_is_who_the_token_says(alice: Caller, bob: Caller) -> None:
    names = [caller.get("/api/auth/me").get_json()["username"] for caller in (alice, bob, alice)]

    assert names == ["alice", "bob", "alice"]
