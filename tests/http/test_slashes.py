"""Every route answers with and without its trailing slash, in the same way, without a redirect."""

import re
from typing import Any
from urllib.parse import urljoin

from flask import Flask

from tests.conftest import Caller
from tests.stacks import one_stack

pytestmark = one_stack

CHANGING = ("X-Request-ID", "Date", "Content-Disposition")


def paths(app: Flask, method: str) -> set[str]:
    """Return the paths of the routes that take ``method``, without a trailing slash."""
    rules = [r for r in app.url_map.iter_rules() if method in (r.methods or set())]
    return {re.sub("<[^>]*>", "1", rule.rule).rstrip("/") or "/" for rule in rules}


def _led_to(path: str, link: bytes) -> bytes:
    return urljoin(path, link.decode()).encode()


def answer(caller: Caller, method: str, path: str) -> Any:
    """Return everything of an answer that two equal ones have in common."""
    response = caller.client.open(path, method=method, headers=caller.headers)
    headers = {name: value for name, value in response.headers if name not in CHANGING}
    try:
        body = response.get_data()
        if response.mimetype == "text/html":  # Its links are relative, and lead to the same pages.
            body = re.sub(rb'"(\.[^"]*)"', lambda link: _led_to(path, link[1]), body)
            del headers["Content-Length"]
        return response.status_code, headers, body
    finally:
        response.close()


def test_every_get_is_the_same_with_and_without_a_trailing_slash(app: Flask, admin: Caller) -> None:
    for path in paths(app, "GET") - {"/"}:
        assert answer(admin, "GET", path) == answer(admin, "GET", f"{path}/"), path


def test_every_other_method_takes_the_slash_as_well(app: Flask, admin: Caller) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in paths(app, method) - {"/", "/api/auth/logout"}:
            without, with_slash = (answer(admin, method, path + end) for end in ("", "/"))

            assert without[0] == with_slash[0] != 405, (method, path)


def test_nothing_is_ever_redirected(app: Flask, admin: Caller) -> None:
    found = {}
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        for path in (paths(app, "GET") | paths(app, "POST")) - {"/", "/api/auth/logout"}:
            for url in (path, f"{path}/", f"{path}//", f"/{path}", path.replace("/", "//", 2)):
                found[method, url] = answer(admin, method, url)[0]

    assert {url: status for url, status in found.items() if 300 <= status < 400} == {}


def test_a_double_slash_is_another_path(admin: Caller) -> None:
    doubled = ["/healthz//", "/api//files", "/api/files//", "/api/auth//me"]

    statuses = {path: answer(admin, "GET", path)[0] for path in doubled}

    assert statuses == dict.fromkeys(doubled, 404)


def test_a_double_slash_stays_in_a_key_and_is_refused_there(admin: Caller) -> None:
    assert answer(admin, "GET", "/media/a//b")[0] == 403
