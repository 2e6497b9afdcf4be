"""Redis or the database goes away in the middle, and comes back."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
import redis
import requests
from sqlalchemy.engine import make_url

from tests.conftest import needs_postgresql
from tests.e2e.edge import Edge, edge
from tests.e2e.server import free_port
from tests.e2e.waiting import wait_for

LISTS = [
    "/api/files",
    "/api/v2/files",
    "/api/v3/files",
    "/v1/files/",
    "/api/s3/objects",
    "/s3/list",
]


class Redis:
    """A Redis server that can be lost and found."""

    def __init__(self, room: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._room = room
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(
            command, cwd=self._room, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        client = redis.Redis(port=self.port)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with suppress(redis.ConnectionError):
                client.ping()
                client.close()
                return
            time.sleep(0.02)
        raise RuntimeError("Redis did not start")

    def freeze(self) -> None:
        """Let it take connections and answer nobody."""
        self._tell(signal.SIGSTOP)

    def kill(self) -> None:
        """Lose it."""
        if self._process is not None:
            self._tell(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _tell(self, what: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(what)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Redis]:
    """A Redis of this test's own, which runs."""
    server = Redis(tmp_path)
    server.start()
    yield server
    server.kill()


def statuses(server: Edge, paths: list[str]) -> dict[str, int]:
    """Return what each path is answered, on connections of their own."""
    return {
        path: requests.get(server.url + path, headers=server.bearer, timeout=20).status_code
        for path in paths
    }


def upload(server: Edge, name: str) -> None:
    """Store a file."""
    files = {"file": (name, b"bytes")}
    answer = requests.post(
        f"{server.url}/s3/upload", files=files, headers=server.bearer, timeout=20
    )
    assert answer.status_code == 201, answer.text


def names(server: Edge) -> set[str]:
    """Return the names in the one list that is cached."""
    answer = requests.get(f"{server.url}/api/v3/files", headers=server.bearer, timeout=20)
    return {file["file_name"].rpartition("_")[2] for file in answer.json()["files"]}


def limited(server: Edge) -> list[tuple[int, bool]]:
    """Return status, and whether the budget was named, of more requests than are allowed."""
    answers = [
        requests.get(f"{server.url}/api/auth/me", headers=server.bearer, timeout=20)
        for _ in range(5)
    ]
    return [(answer.status_code, "X-RateLimit-Remaining" in answer.headers) for answer in answers]


@pytest.mark.parametrize("how", [Redis.kill, Redis.freeze], ids=["dead", "frozen"])
def test_without_redis_everything_answers_and_each_worker_counts_for_itself(
    cache: Redis, tmp_path: Path, sqlite_template: bytes, how: Callable[[Redis], None]
) -> None:
    limits = {"RATELIMIT_ENABLED": "true", "RATELIMIT_DEFAULT": "3 per hour"}
    with edge(tmp_path, sqlite_template, REDIS_URL=cache.url, **limits) as server:
        upload(server, "before.txt")
        before = names(server)
        how(cache)
        without = statuses(server, [*LISTS, "/readyz"])
        upload(server, "without.txt")
        names_without, counted = names(server), limited(server)
        cache.kill()
        cache.start()
        upload(server, "after.txt")
        found = names(server)

    assert before == {"before.txt"}
    assert without == dict.fromkeys([*LISTS, "/readyz"], 200)
    assert names_without == {"before.txt", "without.txt"}
    assert counted == [(200, True)] * 3 + [(429, True)] * 2
    assert found == {"before.txt", "without.txt", "after.txt"}


@needs_postgresql
def test_without_its_database_it_answers_503_and_recovers(
    postgresql_url: str, tmp_path: Path, sqlite_template: bytes
) -> None:
    name = make_url(postgresql_url).database
    admin = psycopg.connect(os.environ["TEST_DATABASE_URL"], autocommit=True)
    with admin, edge(tmp_path, sqlite_template, database_url=postgresql_url) as server:
        before = statuses(server, LISTS)
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            gone = requests.get(f"{server.url}/api/files", headers=server.bearer, timeout=20)
            wait_for(lambda: statuses(server, ["/readyz"]) == {"/readyz": 503})
            alive = statuses(server, ["/healthz", "/readyz"])
        finally:
            admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        after = statuses(server, LISTS)
        wait_for(lambda: statuses(server, ["/readyz"]) == {"/readyz": 200})

    assert set(before.values()) == {200}
    assert (gone.status_code, gone.json()["code"]) == (503, "DATABASE_UNAVAILABLE")
    assert gone.headers["Retry-After"] == "5"
    assert alive == {"/healthz": 200, "/readyz": 503}
    assert set(after.values()) == {200}
