"""Every answer of every route forbids browsers to guess at its type."""

import re

from flask import Flask
from werkzeug.exceptions import RequestEntityTooLarge

from softfactory.http.server.refusals import REFUSALS
from tests.conftest import Caller
from tests.stacks import one_stack

pytestmark = one_stack


def test_every_route_says_so_whatever_it_answers(app: Flask, alice: Caller) -> None:
    paths = {re.sub("<[^>]*>", "1", rule.rule) for rule in app.url_map.iter_rules()}
    silent = []
    for path in {*paths, "/nothing", "/api/docs/assets/page.css"}:
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
            if path.startswith("/api/auth/logout"):
                continue
            with alice.client.open(path, method=method, headers=alice.headers) as answer:
                if answer.headers.get("X-Content-Type-Options") != "nosniff":
                    silent.append((method, path, answer.status_code))

    assert silent == []


def test_a_redirect_a_crash_and_a_refusal_say_so(app: Flask) -> None:
    def crash() -> str:
        raise ZeroDivisionError

    def refuse() -> str:
        raise RequestEntityTooLarge

    for view in (crash, refuse):
        view.is_public = True  # type: ignore[attr-defined]  # as http.identity marks it
        app.add_url_rule(f"/{view.__name__}", view_func=view)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    client = app.test_client()

    answers = [
        client.get("/", headers={"Accept": "text/html"}), client.get("/crash"), client.get("/refuse")
    ]  # fmt: skip

    found = {(answer.status_code, answer.headers["X-Content-Type-Options"]) for answer in answers}
    assert found == {(302, "nosniff"), (500, "nosniff"), (413, "nosniff")}


def test_what_the_server_itself_refuses_says_so() -> None:
    heads = [refusal.response().partition(b"\r\n\r\n")[0] for refusal in REFUSALS.values()]

    assert all(b"\r\nX-Content-Type-Options: nosniff\r\n" in head + b"\r\n" for head in heads)
