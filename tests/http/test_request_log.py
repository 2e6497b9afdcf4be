"""The log: one line a request, with an id that the client sees too, and nothing that is secret."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from urllib3 import encode_multipart_formdata

from softfactory.http.request_log import configure_logging
from tests import samples
from tests.blueprints.auth_client import NEW_PASSWORD, PASSWORD, Browser
from tests.conftest import Caller
from tests.http.failures import refusal
from tests.http.smtp_double import SMTPDouble, running
from tests.stacks import one_stack

pytestmark = one_stack

SECRETS = {"secret_key": "s3cr3t-of-the-app" * 3, "jwt_secret_key": "s3cr3t-of-the-tokens" * 2}


class Log:
    """What this process writes to standard error, as JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.stream = path.open("w", encoding="utf-8")

    @property
    def text(self) -> str:
        return self._path.read_text(encoding="utf-8")

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def requests(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == "request"]


@pytest.fixture
def log(app: Flask, tmp_path: Path) -> Iterator[Log]:
    """The log in production's format, from now on."""
    log = Log(tmp_path / "log")
    configure_logging(as_json=True, stream=log.stream)
    with log.stream:
        yield log
    configure_logging(as_json=False)


# --- the id ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", ["a", "7f3a-42.B_c", "x" * 64])
def test_a_sane_id_is_given_back_and_logged(client: FlaskClient, log: Log, sent: str) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": sent})

    assert answer.headers["X-Request-ID"] == sent
    assert [line["request_id"] for line in log.requests] == [sent]


@pytest.mark.parametrize(
    "sent", [None, "", " ", "a b", "x" * 65, 'a","level":"error', "a\tb", "<b>", "é", "a/b", "{}"]
)
def test_any_other_id_is_replaced(client: FlaskClient, log: Log, sent: str | None) -> None:
    answer = client.get("/healthz", headers={} if sent is None else {"X-Request-ID": sent})

    given = answer.headers["X-Request-ID"]
    assert given != sent
    assert len(given) == 32
    assert [line["request_id"] for line in log.requests] == [given]


def test_each_request_has_an_id_of_its_own(client: FlaskClient) -> None:
    given = {client.get("/healthz").headers["X-Request-ID"] for _ in range(5)}

    assert len(given) == 5


# --- the line -------------------------------------------------------------------------------------


def test_a_request_is_one_line_that_tells_what_happened(alice: Caller, log: Log) -> None:
    alice.get("/api/files?limit=5", environ_overrides={"REMOTE_ADDR": "10.1.2.3"})

    (line,) = log.lines
    assert 0 < line.pop("milliseconds") < 10_000
    assert line.pop("timestamp").endswith("Z")
    assert len(line.pop("request_id")) == 32
    assert line == {
        "event": "request", "method": "GET", "path": "/api/files", "status": 200,
        "user_id": alice.user_id, "address": "10.1.2.3", "level": "info",
        "logger": "softfactory.http.request_log",
    }  # fmt: skip


def test_a_failure_is_one_line_too(client: FlaskClient, log: Log) -> None:
    client.get("/nothing")
    client.get("/api/auth/me")
    client.post("/api/auth/login", data=b"{", content_type="application/json")
    client.options("/api/auth/login")

    assert [(line["method"], line["status"]) for line in log.requests] == [
        ("GET", 404), ("GET", 401), ("POST", 400), ("OPTIONS", 200),
    ]  # fmt: skip


def test_a_crash_is_logged_with_its_cause_beside_the_line(app: Flask, log: Log) -> None:
    app.config.update(TESTING=False)

    def crash() -> str:
        raise RuntimeError("the cause")

    app.view_functions["health.alive"] = crash
    crash.is_public = True  # type: ignore[attr-defined]

    answer = app.test_client().get("/healthz")

    crashed, line = log.lines
    assert refusal(answer)[0] == line["status"] == 500
    assert (crashed["event"], crashed["level"]) == ("request.crashed", "error")
    assert "RuntimeError: the cause" in crashed["exception"]
    assert crashed["request_id"] == line["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize("name", ["a%0aFAKE", "a%0d%0a{}", "%22%7d", "%1b[31m", "%e2%80%a8"])
def test_no_path_makes_a_second_line(client: FlaskClient, log: Log, name: str) -> None:
    client.get(f"/{name}")

    assert len(log.text.splitlines()) == len(log.requests) == 1
    assert "\x1b" not in log.text


def test_configuring_again_writes_no_line_twice(client: FlaskClient, log: Log) -> None:
    configure_logging(as_json=True, stream=log.stream)

    client.get("/healthz")
    logging.getLogger("a.library").warning("once")

    assert [line["event"] for line in log.lines] == ["request", "once"]


# --- what it never holds --------------------------------------------------------------------------


def test_nothing_secret_is_in_the_log_of_a_whole_journey(make_app: Any, log: Log) -> None:
    with running(SMTPDouble()) as mail:
        mail.gate.set()
        app = make_app(
            app_env="production", mail_port=mail.port, mail_server="127.0.0.1", **SECRETS
        )
        configure_logging(as_json=True, stream=log.stream)
        secrets = journey(app, mail)

    assert len(log.requests) >= 12
    assert not [secret for secret in secrets if secret in log.text]
    assert "?" not in "".join(line["path"] for line in log.requests)


def journey(app: Flask, mail: SMTPDouble) -> list[str]:
    """Go through register, login, upload and download, and return all that nobody else may see."""
    browser = Browser(app, app.test_client())
    executor = app.extensions["softfactory"].mailer._thread

    def mailed() -> str:
        executor.submit(lambda: None).result(timeout=10)
        return next(w for w in mail.mails[-1].split() if w.isdigit() and len(w) == 6)

    browser.register()
    code = mailed()
    browser.post("confirm", {"username": "johndoe", "code": "000000"})
    assert browser.post("confirm", {"username": "johndoe", "code": code}).status_code == 200
    browser.post("login", {"username": "johndoe", "password": "Wrong-Guess-1"})
    tokens = browser.login()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    form, header = encode_multipart_formdata({"file": ("a.pdf", samples.pdf(), "application/pdf")})
    client = app.test_client()
    sent = client.post("/api/files/upload", data=form, content_type=header, headers=bearer)
    body = {"file_id": sent.get_json()["file_id"]}
    signed = client.post("/api/files/presigned-url", json=body, headers=bearer).get_json()
    url = signed["presigned_url"]
    assert client.get(url, buffered=True).data == samples.pdf()
    client.get(url + "x")
    client.get("/api/files?access_token=in-the-query", headers=bearer)
    browser.post("refresh", {"refresh_token": tokens["refresh_token"]})
    browser.post("refresh", {"refresh_token": tokens["refresh_token"] + "x"})
    browser.post("forgot-password", {"username": "johndoe"})
    reset = mailed()
    browser.post(
        "reset-password", {"username": "johndoe", "code": reset, "new_password": NEW_PASSWORD}
    )
    client.get("/api/auth/me", headers=bearer)
    return [
        PASSWORD, NEW_PASSWORD, "Wrong-Guess-1", code, reset, url.partition("token=")[2],
        "in-the-query", *(tokens[kind].rpartition(".")[2] for kind in tokens if "_token" in kind),
        *SECRETS.values(), "johndoe@example.com", "argon2",
    ]  # fmt: skip


def test_the_log_has_a_lock_that_keeps_nobody_out(log: Log) -> None:
    (handler,) = [h for h in logging.getLogger().handlers if type(h).__name__ == "_Output"]

    # As logging.Handler.handle does since Python 3.13.
    with handler.lock, handler.lock:  # type: ignore[union-attr]
        logging.getLogger("a.library").warning("said inside")

    assert log.lines[-1]["event"] == "said inside"
