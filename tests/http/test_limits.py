"""Rate limits: one budget for each kind of work, told in every answer, and the same everywhere."""

import itertools
import random
import re
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis

from softfactory.http.account_services import accounts
from softfactory.http.extensions import db
from softfactory.http.tokens import issue_tokens
from tests.blueprints.auth_client import PUBLIC_ROUTES
from tests.conftest import PASSWORD, REDIS, Caller, needs_redis
from tests.http.failures import refusal
from tests.stacks import one_stack

pytestmark = one_stack

LIMITS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
NOWHERE = "redis://127.0.0.1:1/0"
MANY = 10**6


@pytest.fixture
def app(make_app: Any) -> Flask:
    app: Flask = make_app(ratelimit_enabled=True)
    return app


@pytest.fixture
def every_budget() -> dict[str, str]:
    """Settings that make every budget recognisable by its size."""
    names = ("auth", "files_upload", "files_list", "files_delete", "drive", "s3", "credentials",
             "simple", "uploads", "default")  # fmt: skip
    return {f"ratelimit_{n}": f"{MANY + i} per hour" for i, n in enumerate(names)}


@pytest.fixture
def address() -> str:
    """An address that no other test has, because Redis keeps its counts."""
    return "10." + ".".join(str(random.randrange(256)) for _ in range(3))


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A function that lets seconds pass for the limiter."""
    real = time.time

    def later(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: real() + seconds)

    return later


_names = map("nobody{}".format, itertools.count())
"""Each tried once: an account waits for itself, whatever the address."""


def login(client: FlaskClient, address: str = "127.0.0.1", **headers: str) -> Any:
    body = {"username": next(_names), "password": "x"}
    environ = {"REMOTE_ADDR": address}
    return client.post("/api/auth/login", json=body, headers=headers, environ_overrides=environ)


def statuses(client: FlaskClient, count: int, address: str = "127.0.0.1", **headers: str) -> Any:
    return [login(client, address, **headers).status_code for _ in range(count)]


def told(response: Any) -> tuple[int, ...]:
    """Return limit and what remains of it."""
    return tuple(int(response.headers[name]) for name in LIMITS[:2])


# --- whose budget ---------------------------------------------------------------------------------


def test_an_address_has_five_a_minute_for_all_of_registering_and_login(client: FlaskClient) -> None:
    routes = itertools.islice(itertools.cycle(PUBLIC_ROUTES.items()), 3, 10)

    answers = [client.post(f"/api/auth/{route}", json=body) for route, body in routes]

    assert [answer.status_code == 429 for answer in answers] == [False] * 5 + [True] * 2
    assert [told(answer) for answer in answers] == [(5, n) for n in (4, 3, 2, 1, 0, 0, 0)]


@pytest.mark.parametrize("route", PUBLIC_ROUTES)
def test_each_route_that_makes_or_renews_a_login_spends_of_it(
    client: FlaskClient, route: str
) -> None:
    statuses(client, 5)

    answer = client.post(f"/api/auth/{route}", json=PUBLIC_ROUTES[route])

    assert refusal(answer) == (429, "RATE_LIMIT_EXCEEDED")


def test_another_address_has_a_budget_of_its_own(client: FlaskClient) -> None:
    statuses(client, 6, "10.0.0.1")

    assert statuses(client, 6, "10.0.0.2") == [401] * 5 + [429]


@pytest.mark.parametrize(
    ("addresses", "budgets"),
    [
        (["2001:db8:1:2::1", "2001:db8:1:2::2", "2001:DB8:1:2:ffff:ffff:ffff:ffff"], 1),
        (["2001:db8:1:2::1", "2001:db8:1:3::1"], 2),
        (["192.0.2.1", "::ffff:192.0.2.1", "64:ff9b::c000:201", "2002:c000:201::7"], 1),
        (["192.0.2.1", "192.0.2.2", "64:ff9b::c000:203"], 3),
        (["fe80::1%eth0", "fe80::2%eth1"], 1),
    ],
)
def test_an_ipv6_network_of_one_owner_has_one_budget(
    client: FlaskClient, addresses: list[str], budgets: int
) -> None:
    left = [told(login(client, address))[1] for address in addresses]

    assert sum(n == 4 for n in left) == budgets
    assert min(left) == 4 - (len(addresses) - budgets)


def test_a_new_password_is_of_the_addresses_budget_too(alice: Caller) -> None:
    statuses(alice.client, 5)

    answer = alice.post("/api/auth/change-password", json={"old_password": "x"})

    assert refusal(answer) == (429, "RATE_LIMIT_EXCEEDED")


def test_a_user_does_not_pay_for_the_logins_of_their_address(alice: Caller) -> None:
    statuses(alice.client, 6)

    answer = alice.get("/api/auth/me")

    assert (answer.status_code, told(answer)) == (200, (100, 99))


def test_users_have_budgets_of_their_own(make_app: Any, alice: Caller, bob: Caller) -> None:
    client = make_app(ratelimit_enabled=True, ratelimit_default="2 per minute").test_client()

    answers = [client.get("/api/auth/me", headers=u.headers) for u in (alice, alice, alice, bob)]

    assert [answer.status_code for answer in answers] == [200, 200, 429, 200]


def test_a_user_has_one_budget_wherever_they_are(app: Flask, alice: Caller) -> None:
    answers = [
        alice.get("/api/auth/me", environ_overrides={"REMOTE_ADDR": f"10.0.0.{n}"}) for n in (1, 2)
    ]

    assert [told(answer) for answer in answers] == [(100, 99), (100, 98)]


def test_two_logins_of_a_user_share_the_budget(app: Flask, alice: Caller) -> None:
    with app.app_context():
        begun = accounts().login("alice", PASSWORD)
        other = issue_tokens(begun, accounts().owner(begun)).access_token
        db.session.rollback()
    alice.get("/api/auth/me")

    answer = alice.client.get("/api/auth/me", headers={"Authorization": f"Bearer {other}"})

    assert told(answer) == (100, 98)


def test_who_cannot_say_who_they_are_is_counted_by_address(make_app: Any) -> None:
    client = make_app(ratelimit_enabled=True, ratelimit_default="2 per minute").test_client()
    headers = {"Authorization": "Bearer x"}

    answers = [client.get("/api/auth/me", headers=headers) for _ in range(3)]

    assert [refusal(answer)[0] for answer in answers] == [401, 401, 429]
    assert [told(answer) for answer in answers] == [(2, 1), (2, 0), (2, 0)]


def test_a_wrong_password_is_counted_once(client: FlaskClient) -> None:
    assert [told(login(client)) for _ in range(2)] == [(5, 4), (5, 3)]


# --- how much -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("POST", "/api/files/upload", 10), ("GET", "/api/files", 100), ("DELETE", "/api/files/1", 50),
        ("GET", "/api/files/1", 100), ("POST", "/api/files/presigned-url", 100),
        ("GET", "/api/auth/me", 100), ("POST", "/api/auth/logout", 100),
    ],
)  # fmt: skip
def test_the_table_of_the_contracts_holds(
    alice: Caller, method: str, path: str, limit: int
) -> None:
    answer = alice.client.open(path, method=method, headers=alice.headers)

    assert told(answer) == (limit, limit - 1)


def test_the_last_of_a_budget_is_taken_and_the_next_refused(alice: Caller) -> None:
    answers = [alice.post("/api/files/upload").status_code for _ in range(12)]

    assert answers == [415] * 10 + [429] * 2


def test_a_budget_that_is_spent_leaves_the_others(alice: Caller) -> None:
    for _ in range(11):
        alice.post("/api/files/upload")

    assert [told(alice.get(path)) for path in ("/api/files", "/api/auth/me")] == [(100, 99)] * 2


def test_a_new_window_has_the_whole_budget(
    client: FlaskClient, later: Callable[[float], None]
) -> None:
    statuses(client, 6)
    later(61)

    answer = login(client)

    assert (answer.status_code, told(answer)) == (401, (5, 4))


def test_each_request_costs_one_on_every_limited_route(
    make_app: Any, alice: Caller, every_budget: dict[str, str]
) -> None:
    app = make_app(ratelimit_enabled=True, **every_budget)
    client = app.test_client()
    left: dict[int, int] = {}
    wrong = {}
    rules = sorted(app.url_map.iter_rules(), key=str)

    for rule in rules * 2:
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            path = re.sub("<[^>]*>", "1", str(rule))
            if path == "/api/auth/logout":
                continue
            answer = client.open(path, method=method, headers=alice.headers, buffered=True)
            if LIMITS[0] in answer.headers:
                limit, remaining = told(answer)
                if remaining != left.get(limit, limit) - 1:
                    wrong[method, path] = (limit, remaining, left.get(limit))
                left[limit] = remaining

    assert len(left) >= 5
    assert wrong == {}


def test_every_route_is_limited_but_root_health_documents_and_signed_urls(
    make_app: Any, alice: Caller, every_budget: dict[str, str]
) -> None:
    app = make_app(ratelimit_enabled=True, **every_budget)
    client, unlimited = app.test_client(), set()

    for rule in app.url_map.iter_rules():
        path = re.sub("<[^>]*>", "1", str(rule))
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            answer = client.open(path, method=method, headers=alice.headers, buffered=True)
            if LIMITS[0] not in answer.headers:
                unlimited.add(path.rstrip("/") or "/")

    assert unlimited == {
        "/", "/healthz", "/readyz", "/media/1", "/api/docs", "/api/redoc", "/api/openapi.json",
        "/api/docs/assets/1", "/v1/files/presigned-uploads/1/upload-part/1",
    }  # fmt: skip


def test_what_is_refused_did_not_happen(make_app: Any, alice: Caller) -> None:
    app = make_app(ratelimit_enabled=True, ratelimit_default="1 per minute")
    client = app.test_client()
    client.get("/api/auth/me", headers=alice.headers)

    refused = client.post("/api/auth/logout", headers=alice.headers)

    assert refused.status_code == 429
    assert alice.get("/api/auth/me").status_code == 200


# --- what is told ---------------------------------------------------------------------------------


def test_every_answer_of_a_limited_route_has_the_three_headers(alice: Caller) -> None:
    answers = [
        alice.get("/api/auth/me"),
        alice.get("/api/files?limit=x"),
        alice.get("/api/files/1"),
        alice.post("/api/files/presigned-url", data="x"),
        alice.client.get("/api/files"),
        login(alice.client),
    ]

    assert [answer.status_code for answer in answers] == [200, 400, 404, 415, 401, 401]
    for answer in answers:
        limit, remaining, reset = (int(answer.headers[name]) for name in LIMITS)
        assert 0 < remaining < limit
        assert 55 < reset - time.time() <= 61
        assert "Retry-After" not in answer.headers


def test_a_refusal_says_when_to_come_again(client: FlaskClient) -> None:
    statuses(client, 5)

    answer = login(client)

    assert refusal(answer) == (429, "RATE_LIMIT_EXCEEDED")
    seconds = int(answer.headers["Retry-After"])
    assert 58 <= seconds <= 60
    assert answer.get_json()["error"] == f"Rate limit exceeded. Try again in {seconds} seconds."
    assert int(answer.headers["X-RateLimit-Remaining"]) == 0


@pytest.mark.parametrize("passed", [20, 45, 58.5])
def test_it_says_what_is_left_of_the_window(
    client: FlaskClient, later: Callable[[float], None], passed: float
) -> None:
    statuses(client, 5)
    later(passed)

    answer = login(client)

    seconds = int(answer.headers["Retry-After"])
    assert 60 - passed - 2 <= seconds <= 60 - passed + 1
    assert seconds >= 1
    assert f"in {seconds} seconds." in answer.get_json()["detail"]


def test_switched_off_nothing_is_counted_or_told(make_app: Any) -> None:
    client = make_app(ratelimit_enabled=False).test_client()

    answers = [login(client) for _ in range(8)]

    assert {answer.status_code for answer in answers} == {401}
    assert not [answer for answer in answers if LIMITS[0] in answer.headers]


# --- proxies --------------------------------------------------------------------------------------


def test_without_trusted_proxies_a_claimed_address_is_not_believed(client: FlaskClient) -> None:
    answers = [
        login(client, **{"X-Forwarded-For": f"1.2.3.{n}", "Forwarded": f"for=1.2.3.{n}",
                         "X-Real-IP": f"1.2.3.{n}"})
        for n in range(6)
    ]  # fmt: skip

    assert [answer.status_code for answer in answers] == [401] * 5 + [429]


@pytest.mark.parametrize(
    ("hops", "forwarded"),
    [(1, "6.6.6.{n}, 10.0.0.7"), (2, "6.6.6.{n}, 10.0.0.7, 10.0.0.8"), (1, "10.0.0.7")],
)
def test_a_claimed_address_is_believed_for_so_many_hops(
    make_app: Any, hops: int, forwarded: str
) -> None:
    client = make_app(ratelimit_enabled=True, trusted_proxies=hops).test_client()

    found = [
        login(client, **{"X-Forwarded-For": forwarded.format(n=n)}).status_code for n in range(6)
    ]

    assert found == [401] * 5 + [429]


def test_each_client_behind_a_trusted_proxy_has_a_budget(make_app: Any) -> None:
    client = make_app(ratelimit_enabled=True, trusted_proxies=1).test_client()

    found = [login(client, **{"X-Forwarded-For": f"10.0.0.{n}"}).status_code for n in range(6)]

    assert found == [401] * 6


def test_with_fewer_hops_than_trusted_the_sender_counts(make_app: Any) -> None:
    client = make_app(ratelimit_enabled=True, trusted_proxies=2).test_client()

    found = [login(client, **{"X-Forwarded-For": f"6.6.6.{n}"}).status_code for n in range(6)]

    assert found == [401] * 5 + [429]


# --- Redis ----------------------------------------------------------------------------------------


@needs_redis
def test_with_redis_two_workers_share_one_budget(make_app: Any, address: str) -> None:
    clients = [make_app(ratelimit_enabled=True, redis_url=REDIS).test_client() for _ in range(2)]

    found = [statuses(clients[n % 2], 1, address)[0] for n in range(7)]

    assert found == [401] * 5 + [429] * 2


@needs_redis
def test_in_redis_no_count_stays_for_ever(make_app: Any, address: str) -> None:
    client = make_app(ratelimit_enabled=True, redis_url=REDIS).test_client()
    statuses(client, 1, address)

    with Redis.from_url(REDIS) as redis:
        lives = [redis.ttl(key) for key in redis.scan_iter(f"*{address}*")]

    assert len(lives) == 1
    assert 0 < lives[0] <= 60


def test_without_redis_two_workers_count_for_themselves(make_app: Any) -> None:
    clients = [make_app(ratelimit_enabled=True).test_client() for _ in range(2)]

    assert [statuses(client, 6) for client in clients] == [[401] * 5 + [429]] * 2


def test_while_redis_is_gone_each_worker_keeps_the_same_limits(
    make_app: Any, alice: Caller
) -> None:
    client = make_app(ratelimit_enabled=True, redis_url=NOWHERE).test_client()

    found = statuses(client, 7)
    uploads = [client.post("/api/files/upload", headers=alice.headers) for _ in range(12)]
    me = client.get("/api/auth/me", headers=alice.headers)

    assert found == [401] * 5 + [429] * 2
    assert [answer.status_code for answer in uploads] == [415] * 10 + [429] * 2
    assert (me.status_code, told(me)) == (200, (100, 99))


def test_a_redis_that_does_not_answer_holds_nobody_up_for_long(
    make_app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("softfactory.http.limits.REDIS_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        client = make_app(ratelimit_enabled=True, redis_url=url).test_client()
        began = time.monotonic()

        found = statuses(client, 3)

        assert found == [401] * 3
        assert time.monotonic() - began < 2


@needs_redis
def test_when_redis_is_back_it_counts_again(
    make_app: Any, address: str, later: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(ratelimit_enabled=True, redis_url=REDIS)
    client = app.test_client()
    storage = app.extensions["softfactory.limiter"].storage
    with monkeypatch.context() as gone:
        gone.setattr(storage, "incr", lambda *_, **__: 1 / 0)
        gone.setattr(storage, "check", lambda: False)
        during = statuses(client, 6, address)

    later(120)
    after = statuses(client, 6, address)

    assert (during, after) == ([401] * 5 + [429], [401] * 5 + [429])
    with Redis.from_url(REDIS) as redis:
        assert len(list(redis.scan_iter(f"*{address}*"))) == 1
