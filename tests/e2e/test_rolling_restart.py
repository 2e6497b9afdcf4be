"""Two instances behind a load balancer, restarted one after the other under load: nothing is lost."""

import hashlib
import secrets
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import REDIS, needs_postgresql, needs_redis
from tests.e2e.balancer import Balancer, balancer
from tests.e2e.edge import edge
from tests.e2e.load import Load
from tests.e2e.server import Server
from tests.e2e.waiting import wait_for

pytestmark = [needs_postgresql, needs_redis]

DELAY = 2
"""Seconds that an instance stays after it said that it goes; the balancer asks ten times in them."""

SIZES = (20_000, 1_000_000)

PAUSE = 0.2
"""Seconds that a client waits between two files: what is tested is not how much load it takes."""


class Uploads(Load):
    """Clients that upload a file and read it: two keep connections, two do not.

    Attributes:
        stored: the hash of each file that a client was told is stored, by its key.
    """

    def __init__(self, url: str, token: str) -> None:
        super().__init__()
        self.stored: dict[str, str] = {}
        self._url, self._headers = url, {"Authorization": f"Bearer {token}"}

    def read(self, client: requests.Session, key: str) -> str:
        """Return the hash of a file's bytes."""
        answer = self._ask(client, "GET", f"/s3/download/{key}")
        return hashlib.sha256(answer.content).hexdigest()

    def work(self, number: int) -> None:
        client = requests.Session()
        while not self.is_over.wait(PAUSE):
            if number % 2:
                client.close()
                client = requests.Session()
            body = secrets.token_bytes(SIZES[number // 2])
            with suppress(requests.RequestException):  # it is counted
                sent = self._ask(client, "POST", "/s3/upload", files={"file": ("a.bin", body)})
                if sent.status_code == 201:
                    key, digest = sent.json()["file_key"], hashlib.sha256(body).hexdigest()
                    self.stored[key] = digest
                    self.answers["other bytes"] += self.read(client, key) != digest
        client.close()

    def _ask(
        self, client: requests.Session, method: str, path: str, **options: Any
    ) -> requests.Response:
        try:
            answer = client.request(
                method, self._url + path, headers=self._headers, timeout=30, **options
            )
        except requests.RequestException as error:
            self.answers[repr(error)] += 1
            raise
        self.answers[answer.status_code] += 1
        return answer


def restart(server: Server, behind: Balancer, load: Load) -> None:
    """Do to one instance what a deployment does."""
    server.stop()
    load.wait_for_more(10)
    server.start()
    wait_for(lambda: server.port in behind.ready)
    load.wait_for_more(10)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """What the balancer listens on, before it is there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def instances(
    tmp_path: Path, sqlite_template: bytes, postgresql_url: str, listener: socket.socket
) -> Iterator[tuple[str, str, list[Server]]]:
    """The balancer's URL, a token, and two instances on one database, Redis and storage."""
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with edge(
        tmp_path,
        sqlite_template,
        database_url=postgresql_url,
        PUBLIC_BASE_URL=url,
        REDIS_URL=REDIS,
        STOP_DELAY_SECONDS=str(DELAY),
    ) as first:
        second = Server(first.server.settings, log=tmp_path / "second.log")
        try:
            second.start()
            yield url, first.token, [first.server, second]
        finally:
            second.kill()


def test_a_rolling_restart_under_load_loses_no_request_and_no_file(
    instances: tuple[str, str, list[Server]], listener: socket.socket
) -> None:
    url, token, servers = instances
    with balancer([server.port for server in servers], listener) as behind:
        wait_for(lambda: len(behind.ready) == 2)

        with Uploads(url, token) as load:
            load.wait_for_more(10)
            for server in servers:
                restart(server, behind, load)

        with requests.Session() as client:
            found = {key: load.read(client, key) for key in load.stored}
    assert set(+load.answers) == {200, 201}
    assert found == load.stored
