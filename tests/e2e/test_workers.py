"""Several gunicorn workers with Redis behave as one."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.conftest import REDIS, needs_redis
from tests.e2e.person import Person
from tests.e2e.server import Server

pytestmark = [
    needs_redis,
    pytest.mark.parametrize("storage_environment", ["local"], indirect=True),
]


def ask(person: Person, times: int) -> Counter[int]:
    """GET /me this often, each time on a connection of its own, so that all workers are asked."""
    headers = dict(person.session.headers)
    return Counter(
        requests.get(f"{person.url}/api/auth/me", headers=headers, timeout=30).status_code
        for _ in range(times)
    )


def test_logging_out_counts_on_every_worker(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = make_server("--workers", "3", REDIS_URL=REDIS, RATELIMIT_ENABLED="false")
    john = Person(server.url, tmp_path / "mail")
    john.register()
    john.log_in()

    before = ask(john, 12)
    john.call("POST", "/api/auth/logout")

    assert (before, ask(john, 12)) == ({200: 12}, {401: 12})


def test_a_budget_is_one_over_all_workers(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    limits = {"RATELIMIT_DEFAULT": "7 per hour", "RATELIMIT_AUTH": "1000 per minute"}
    server = make_server("--workers", "3", REDIS_URL=REDIS, **limits)
    server.flask("users", "create", "jane", "jane@example.com", "--password", "SecurePass123")
    jane = Person(server.url, tmp_path / "mail", "jane")
    jane.log_in()

    answers = ask(jane, 12)

    # A run less than an hour ago may have used some of it: this user's id is always the same.
    assert answers[200] <= 7
    assert answers[200] + answers[429] == 12


def test_several_workers_without_redis_are_refused(
    make_server: Callable[..., Server],
) -> None:
    with pytest.raises(RuntimeError, match="REDIS_URL: 2 workers need Redis"):
        make_server("--workers", "2")
