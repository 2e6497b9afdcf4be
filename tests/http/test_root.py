"""``GET /``: what this is, and where to go on."""

import tomllib
from typing import Any

import pytest
from flask.testing import FlaskClient

from config import BASE_DIR
from softfactory import __version__
from tests.stacks import one_stack

pytestmark = one_stack

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize("accept", ["*/*", "application/json", "", None])
def test_a_program_learns_what_it_speaks_to(client: FlaskClient, accept: str | None) -> None:
    answer = client.get("/", headers={} if accept is None else {"Accept": accept})

    assert answer.status_code == 200
    assert answer.get_json() == {
        "name": "SoftFactory Files",
        "version": __version__,
        "docs": "http://localhost:8000/api/docs",
        "health": "http://localhost:8000/healthz",
    }


def test_a_browser_is_led_to_the_documents(client: FlaskClient) -> None:
    answer = client.get("/", headers={"Accept": BROWSER})

    assert (answer.status_code, answer.location) == (302, "http://localhost:8000/api/docs")
    assert "Accept" in answer.headers["Vary"]


def test_below_a_proxys_prefix_it_is_led_there_too(make_app: Any) -> None:
    client = make_app(public_base_url="https://example.com/files").test_client()

    answer = client.get("/", headers={"Accept": BROWSER})

    assert answer.location == "https://example.com/files/api/docs"


def test_a_browser_gets_json_where_the_documents_are_off(make_app: Any) -> None:
    client = make_app(api_docs_enabled=False).test_client()

    answer = client.get("/", headers={"Accept": BROWSER})

    assert answer.status_code == 200
    assert answer.get_json()["docs"] is None


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((BASE_DIR / "pyproject.toml").read_text("utf-8"))["project"]

    assert project["version"] == __version__
