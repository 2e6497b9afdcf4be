"""The documents' pages: complete, open to everyone, and from this service alone."""

import re
from urllib.parse import urljoin

import pytest
from flask import Flask
from flask.testing import FlaskClient

from softfactory.errors import NotFound
from softfactory.http.docs import register_docs
from softfactory.http.identity import is_public

SPEC = {"openapi": "3.0.3", "info": {"title": "Files", "version": "1"}, "paths": {}}
PAGES = ["/api/docs", "/api/redoc"]


@pytest.fixture
def app() -> Flask:
    app = Flask("documented")
    app.testing = True
    register_docs(app, lambda: SPEC)
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def status(client: FlaskClient, path: str, **headers: str) -> int:
    with client.get(path, headers=headers) as answer:
        return answer.status_code


def references(page: str) -> list[str]:
    return re.findall(r'(?:src|href|data-spec-url)="([^"]*)"', page)


@pytest.mark.parametrize("path", [*PAGES, "/api/openapi.json", "/api/docs/assets/page.css"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_each_route_answers_with_and_without_its_trailing_slash(
    client: FlaskClient, path: str, slash: str
) -> None:
    assert status(client, path + slash) == 200


def test_the_document_is_what_the_app_describes(client: FlaskClient) -> None:
    answer = client.get("/api/openapi.json")

    assert answer.json == SPEC


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_page_finds_everything_it_loads_on_this_service(
    client: FlaskClient, page: str, slash: str
) -> None:
    wanted = references(client.get(page + slash).text)

    assert wanted
    assert {status(client, urljoin(page + slash, path)) for path in wanted} == {200}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_page_finds_everything_below_a_proxys_prefix_that_nobody_told_of(
    client: FlaskClient, page: str, slash: str
) -> None:
    wanted = references(client.get(page + slash).text)

    reached = [urljoin(f"/files{page}{slash}", path) for path in wanted]
    assert all(path.startswith("/files/api/") for path in reached)
    assert {status(client, path.removeprefix("/files")) for path in reached} == {200}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_may_load_nothing_from_another_host_and_run_no_inline_script(
    client: FlaskClient, page: str
) -> None:
    policy = client.get(page).headers["Content-Security-Policy"]

    sources = set(policy.replace(";", " ").split())
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert not sources & {"'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:"}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_inline_script_that_its_policy_would_stop(
    client: FlaskClient, page: str
) -> None:
    html = client.get(page).text

    assert re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL) == ["", ""]


@pytest.mark.parametrize("name", ["nothing.js", "docs.py", "LICENSE"])
def test_only_the_pages_own_files_are_served(client: FlaskClient, name: str) -> None:
    with pytest.raises(NotFound):
        client.get(f"/api/docs/assets/{name}")


def test_an_asset_that_did_not_change_is_not_sent_again(client: FlaskClient) -> None:
    with client.get("/api/docs/assets/redoc.js") as answer:
        etag = answer.headers["ETag"]

    again = status(client, "/api/docs/assets/redoc.js", **{"If-None-Match": etag})

    assert again == 304


def test_every_route_is_open_to_everyone(app: Flask) -> None:
    views = [view for name, view in app.view_functions.items() if name.startswith("docs.")]

    assert len(views) == 4
    assert all(is_public(view) for view in views)
