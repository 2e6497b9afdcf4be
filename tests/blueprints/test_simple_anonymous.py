"""/s3 without a token: the built-in account ``public``, where it is allowed, and nowhere else."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from urllib3 import encode_multipart_formdata

from softfactory.http.account_services import accounts
from softfactory.http.extensions import db
from softfactory.models import User
from tests.blueprints.browser_client import rows
from tests.blueprints.test_browser_upload import together
from tests.conftest import PASSWORD, Caller
from tests.stacks import both_databases, one_stack

pytestmark = both_databases


@pytest.fixture
def open_app(make_app: Any) -> Flask:
    """An application that lets callers without a token in."""
    app: Flask = make_app(simple_s3_anonymous=True)
    return app


@pytest.fixture
def anyone(open_app: Flask) -> FlaskClient:
    """A client that sends no token."""
    return open_app.test_client()


def send(client: FlaskClient, **headers: str) -> Any:
    encoded, content_type = encode_multipart_formdata({"file": ("test.txt", b"hello")})
    return client.post("/s3/upload/", data=encoded, content_type=content_type, headers=headers)


def test_the_documented_commands_work_without_a_token(anyone: FlaskClient) -> None:
    uploaded = send(anyone).get_json()
    key = uploaded["file_key"]

    files = anyone.get("/s3/list/").get_json()
    content = anyone.get(f"/s3/download/{key}/", buffered=True)
    deleted = anyone.delete(f"/s3/delete/{key}/").get_json()

    assert uploaded["success"] is True
    assert uploaded["url"].endswith(f"public/{key}")
    assert [file["key"] for file in files["files"]] == [key]
    assert content.data == b"hello"
    assert deleted["file_key"] == key
    assert anyone.get("/s3/").status_code == 200


def test_what_is_sent_without_a_token_is_the_built_in_accounts(
    open_app: Flask, anyone: FlaskClient
) -> None:
    send(anyone)

    with open_app.app_context():
        user = db.session.scalars(select(User)).one()
        assert (user.username, user.password_hash, user.is_admin) == ("public", None, False)
        assert [row["user_id"] for row in rows(open_app).values()] == [user.id]


def test_the_account_is_made_once_however_many_come_first(open_app: Flask) -> None:
    answers = together(*(lambda: send(open_app.test_client()) for _ in range(6)))

    assert [answer.status_code for answer in answers] == [201] * 6
    with open_app.app_context():
        assert db.session.scalar(select(func.count()).select_from(User)) == 1


@pytest.mark.parametrize("name", ["public", "PUBLIC", "public@public.invalid"])
def test_nobody_logs_in_or_registers_as_public(
    open_app: Flask, anyone: FlaskClient, name: str
) -> None:
    send(anyone)

    for password in (PASSWORD, "", "x"):
        body = {"username": name, "password": password}
        assert anyone.post("/api/auth/login", json=body).status_code in (400, 401)
    assert anyone.post("/api/auth/forgot-password", json={"username": name}).status_code == 200
    with open_app.app_context():
        assert db.session.scalars(select(User.password_hash)).one() is None
    body = {"username": "public", "email": "a@example.com", "password": PASSWORD}
    assert anyone.post("/api/auth/register", json=body).status_code == 400


def test_its_address_cannot_be_registered(anyone: FlaskClient) -> None:
    body = {"username": "someone", "email": "public@public.invalid", "password": PASSWORD}

    assert anyone.post("/api/auth/register", json=body).status_code == 400


def test_a_good_token_is_that_user(open_app: Flask, alice: Caller) -> None:
    client = open_app.test_client()

    send(client, **alice.headers)

    assert next(iter(rows(open_app))).startswith("alice/")
    assert client.get("/s3/list/").get_json()["count"] == 0


@one_stack
def test_a_bad_token_is_401(anyone: FlaskClient) -> None:
    for value in ("Bearer x", "x", "Basic abc"):
        answer = anyone.get("/s3/list/", headers={"Authorization": value})

        assert (answer.status_code, answer.get_json()["code"]) == (401, "INVALID_TOKEN")
        assert answer.get_json()["success"] is False


@one_stack
def test_a_revoked_token_is_401(open_app: Flask, alice: Caller) -> None:
    alice.post("/api/auth/logout")

    answer = open_app.test_client().get("/s3/list/", headers=alice.headers)

    assert answer.status_code == 401


def test_without_the_setting_a_token_is_needed(make_app: Any) -> None:
    client = make_app(simple_s3_anonymous=False).test_client()

    answers = [
        send(client),
        *(client.get(f"/s3/{path}") for path in ("", "list/", "download/a/")),
        client.delete("/s3/delete/a/"),
    ]

    assert [answer.status_code for answer in answers] == [401] * 5
    assert {answer.get_json()["code"] for answer in answers} == {"AUTHENTICATION_REQUIRED"}


def test_no_other_route_lets_anyone_in(anyone: FlaskClient) -> None:
    paths = ("/api/s3/objects", "/api/files", "/api/auth/me", "/api/s3/user-prefix")

    assert {anyone.get(path).status_code for path in paths} == {401}


def test_files_of_users_do_not_exist_for_anyone(open_app: Flask, alice: Caller) -> None:
    client = open_app.test_client()
    key = send(client, **alice.headers).get_json()["file_key"]

    for name in (key, f"alice/{key}"):
        assert client.get(f"/s3/download/{name}/").status_code == 404
        assert client.delete(f"/s3/delete/{name}/").status_code == 404
    assert client.get("/s3/list/?prefix=alice/").get_json()["files"] == []


def test_those_without_a_token_share_no_budget(make_app: Any) -> None:
    app = make_app(simple_s3_anonymous=True, ratelimit_enabled=True, ratelimit_simple="2 per hour")
    client = app.test_client()

    def ask(address: str) -> int:
        environ = {"REMOTE_ADDR": address}
        status: int = client.get("/s3/list/", environ_overrides=environ).status_code
        return status

    assert [ask("10.0.0.1") for _ in range(3)] == [200, 200, 429]
    assert ask("10.0.0.2") == 200


def test_the_account_is_found_again(open_app: Flask) -> None:
    with open_app.app_context():
        assert accounts().built_in().id == accounts().built_in().id
