"""Requests that mean harm cost little, and reach nobody else."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from softfactory.services import passwords
from softfactory.services.turns import Turns
from softfactory.storage.disposition import content_disposition
from tests.conftest import PASSWORD, Caller
from tests.http.failures import refusal
from tests.stacks import one_stack

pytestmark = one_stack

LOGIN = "/api/auth/login"
EVIL = "evil.example"
AT_ONCE = 5
"""Seconds, in which the suite's own tracing counts. What grows as the square takes minutes."""


def seconds(call: Callable[[], Any]) -> float:
    """Return how long the call keeps this thread computing, whatever else the machine does."""
    began = time.thread_time()
    call()
    return time.thread_time() - began


# --- bodies that cost more to read than to send ---------------------------------------------------


def colliding(count: int) -> str:
    """Return a JSON object whose names are numbers that fall into the same place of a table."""
    return "{" + ",".join(f'"{i * (2**61 - 1)}": 0' for i in range(count)) + "}"


COSTLY = {
    "names that collide": colliding(100_000),
    "many names": "{" + ",".join(f'"{i}":0' for i in range(200_000)) + "}",
    "a number of a million digits": '{"username": ' + "9" * 1_000_000 + "}",
    "a power": '{"username": 1e999999999, "password": -1e999999999}',
    "a list of lists": '{"username": [' + "[]," * 100_000 + "[]]}",
    "a text of escapes": '{"username": "' + "\\u00e9" * 300_000 + '"}',
}


@pytest.mark.parametrize("name", COSTLY)
def test_json_that_is_costly_elsewhere_is_refused_at_once(client: FlaskClient, name: str) -> None:
    answers: list[Any] = []

    took = seconds(
        lambda: answers.append(
            client.post(LOGIN, data=COSTLY[name], content_type="application/json")
        )
    )

    assert refusal(answers[0])[0] in (400, 413)
    assert took < AT_ONCE


FORM = "multipart/form-data; boundary=b"


def forms() -> Iterator[tuple[str, bytes]]:
    """Name forms that are small and pretend to be more, or are all skin."""
    field = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    yield "thousands of fields", field * 5000 + b"--b--"
    yield "thousands of header fields", b"--b\r\n" + b"A: b\r\n" * 5000 + b"\r\n1\r\n--b--"
    yield "a header field without end", b"--b\r\nContent-Disposition: " + b"a" * 3_000_000
    yield "boundaries that almost are", b"\r\n--" * 500_000
    yield (
        "parameters without end",
        b"--b\r\nContent-Disposition: form-data" + b'; a="b' * 100_000 + b"\r\n\r\n1\r\n--b--",
    )
    inner = b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n"
    yield "forms in forms", inner * 1000 + b"--b--"
    yield "a zip bomb's claim", field.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")


FORMS = dict(forms())


@pytest.mark.parametrize("name", FORMS)
def test_a_form_that_is_costly_elsewhere_is_refused_at_once(alice: Caller, name: str) -> None:
    answers: list[Any] = []

    took = seconds(
        lambda: answers.append(alice.post("/api/files/upload", data=FORMS[name], content_type=FORM))
    )

    assert refusal(answers[0])[0] == 400
    assert took < AT_ONCE


def test_a_compressed_body_is_not_unpacked(alice: Caller) -> None:
    answer = alice.post(
        "/api/files/upload", data=b"\x1f\x8b" * 100, content_type=FORM,
        headers={"Content-Encoding": "gzip"},
    )  # fmt: skip

    assert refusal(answer)[0] == 415


TRAPS = {
    "Range": "bytes=" + "0-," * 20_000,
    "If-None-Match": '"' + '\\"' * 30_000,
    "If-Modified-Since": "Mon, " * 6000,
    "Authorization": "Bearer " + "a." * 30_000,
    "Content-Type": "multipart/form-data" + "; a=" * 15_000,
    "Accept": "a/b;q=" + "0." * 30_000,
    "Cookie": "a=" * 30_000,
    "Origin": "http://" + "a." * 30_000,
    "X-Forwarded-For": "1.1.1.1," * 7000,
    "X-Request-ID": "a" * 60_000,
}


@pytest.mark.parametrize("header", TRAPS)
def test_no_header_is_a_trap_for_a_pattern(alice: Caller, header: str) -> None:
    def ask_everywhere() -> None:
        for path in ("/api/files", "/s3/download/a", "/healthz"):
            alice.get(path, headers={header: TRAPS[header]}).close()

    assert seconds(ask_everywhere) < AT_ONCE


@pytest.mark.parametrize(
    "name", ["a" * 60_000 + "!", "@" * 60_000, "a." * 30_000 + "@", "a@" + "b." * 30_000]
)
def test_no_name_is_a_trap_for_a_pattern(client: FlaskClient, name: str) -> None:
    body = {"username": name, "email": name, "password": name}

    took = seconds(lambda: client.post("/api/auth/register", json=body))

    assert took < AT_ONCE


# --- logins ---------------------------------------------------------------------------------------


def test_a_flood_of_logins_is_sent_away_before_it_takes_every_thread(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_turns", Turns(at_once=1, waiting=0, patience=1))
    with passwords._turns.turn(["another"]):
        answer = client.post(LOGIN, json={"username": "nobody", "password": PASSWORD})

    assert refusal(answer) == (503, "SERVICE_BUSY")
    assert answer.headers["Retry-After"] == "1"
    taken = passwords.MAX_CONCURRENT + passwords.MAX_WAITING
    assert taken < 64, "more than gunicorn.conf.py gives threads"


def test_a_login_gives_its_place_back(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_turns", Turns(at_once=1, waiting=1, patience=1))
    body = {"username": "nobody", "password": "x"}

    answers = [client.post(LOGIN, json=body) for _ in range(2)]

    assert [refusal(answer)[0] for answer in answers] == [401, 401]


def test_an_unknown_user_costs_as_many_hashings_as_a_known_one(
    client: FlaskClient, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[object] = []
    real = passwords._hashed

    def counted(*args: Any) -> Any:
        hashed.append(args[1])
        return real(*args)

    monkeypatch.setattr(passwords, "_hashed", counted)

    counts = []
    for name in ("alice", "nobody"):
        client.post(LOGIN, json={"username": name, "password": "Wrong-Guess-1"})
        counts.append(len(hashed))

    assert counts == [1, 2]


# --- who is asked, and who asks -------------------------------------------------------------------


def test_a_host_header_gets_into_no_url(alice: Caller) -> None:
    headers = {"Host": EVIL, "X-Forwarded-Host": EVIL, "X-Forwarded-Proto": "gopher"}
    drive = {"file_name": "a.pdf", "file_size": 1, "content_type": "application/pdf"}
    parts = {"file_name": "a.mp4", "file_size": 5, "file_content_type": "video/mp4",
             "num_parts": 1, "part_size": 5 * 1024 * 1024}  # fmt: skip

    answers = [
        alice.post("/api/files/upload", json=drive, headers=headers),
        alice.post("/v1/files/uploads/", json=parts, headers=headers),
        alice.get("/v1/files/?limit=1", headers=headers),
        alice.get("/api/files", headers=headers),
        alice.get("/s3", headers=headers),
        alice.get("/api/openapi.json", headers=headers),
    ]

    assert {answer.status_code for answer in answers} <= {200, 201}
    assert not [
        answer.request.path for answer in answers if EVIL in answer.text + str(answer.headers)
    ]


def test_nothing_redirects(app: Flask, alice: Caller) -> None:
    paths = [f"//{EVIL}", f"//{EVIL}/..", f"/\\{EVIL}", f"/%2f%2f{EVIL}", f"/api/files//{EVIL}",
             f"/s3/download//{EVIL}", f"/?next=//{EVIL}", f"/api/docs/?url=//{EVIL}"]  # fmt: skip

    answers = [alice.get(path) for path in paths]

    assert not [a.request.path for a in answers if a.status_code // 100 == 3]
    assert not [a.request.path for a in answers if "Location" in a.headers]


@pytest.mark.parametrize(
    "name", ["a\r\nSet-Cookie: a=b", "a\nb", 'a"; filename="b', "a\u2028b", "a\x00b", "\u0130\r\n"]
)
def test_no_filename_splits_an_answer(name: str) -> None:
    header = content_disposition(name, "text/plain")

    assert not set("\r\n\0") & set(header)
    assert header.isascii()
    assert header.count('"') == 2


def test_nobody_forges_an_address_without_a_trusted_proxy(make_app: Callable[..., Flask]) -> None:
    client = make_app(ratelimit_enabled=True, ratelimit_auth="3 per hour").test_client()
    forged = ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "True-Client-IP"]

    answers = [
        client.post(LOGIN, json={"username": "nobody", "password": "x"}, headers={name: "9.9.9.9"})
        for name in forged
    ]

    assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 2


def test_behind_one_proxy_only_what_it_added_counts(make_app: Callable[..., Flask]) -> None:
    app = make_app(ratelimit_enabled=True, ratelimit_auth="3 per hour", trusted_proxies=1)
    client = app.test_client()

    answers = [
        client.post(
            LOGIN,
            json={"username": "nobody", "password": "x"},
            headers={"X-Forwarded-For": f"9.9.9.{i}, 10.0.0.1"},
        )
        for i in range(5)
    ]

    assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 2
