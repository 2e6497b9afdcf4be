"""Stopping and restarting lose no request: readiness turns first, transfers end, nobody is cut."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.conftest import REDIS, needs_redis
from tests.e2e.edge import Edge, edge
from tests.e2e.load import Load
from tests.e2e.raw_http import Raw
from tests.e2e.waiting import wait_for

SIZE = 30 * 1024 * 1024


@pytest.fixture
def make_edge(tmp_path: Path, sqlite_template: bytes) -> Iterator[Callable[..., Edge]]:
    """A function that starts a server."""
    with ExitStack() as stack:
        yield lambda *arguments, **settings: stack.enter_context(
            edge(tmp_path, sqlite_template, *arguments, **settings)
        )


def tell(server: Edge, what: signal.Signals) -> None:
    """Send a signal to gunicorn's master."""
    assert server.server.process is not None
    server.server.process.send_signal(what)


def ready(server: Edge) -> int:
    """Return what a load balancer hears on a connection of its own; 0 where nobody answers."""
    try:
        return requests.get(f"{server.url}/readyz", timeout=5).status_code
    except requests.ConnectionError:
        return 0


def test_readiness_turns_while_requests_are_still_taken(make_edge: Callable[..., Edge]) -> None:
    server = make_edge(STOP_DELAY_SECONDS="2")
    tell(server, signal.SIGTERM)
    wait_for(lambda: ready(server) == 503)

    answer = requests.get(f"{server.url}/api/auth/me", headers=server.bearer, timeout=5)

    assert answer.status_code == 200
    wait_for(lambda: ready(server) == 0)


def test_transfers_in_flight_end_before_the_server_does(make_edge: Callable[..., Edge]) -> None:
    server = make_edge()
    body = bytes(SIZE)
    files = {"file": ("big.bin", body)}
    sent = requests.post(f"{server.url}/s3/upload", files=files, headers=server.bearer, timeout=60)
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    fields = ("Content-Type: multipart/form-data; boundary=b", f"Content-Length: {SIZE}")
    with Raw(server.url, receive_buffer=65536) as down, Raw(server.url) as up:
        down.send(server.request(f"GET /s3/download/{sent.json()['file_key']}"))
        assert down.receive(12) == b"HTTP/1.1 200"
        up.send(server.request("POST /s3/upload", *fields, body=form))
        tell(server, signal.SIGTERM)
        wait_for(lambda: ready(server) == 0)
        received = down.rest()
        up.send(bytes(SIZE - len(form) - 9) + b"\r\n--b--\r\n")
        status = up.answer().status

    assert received > SIZE
    assert status == 201
    assert server.server.process is not None
    assert server.server.process.wait(timeout=10) == 0


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "SIGQUIT"])
def test_a_stop_is_told_of_in_the_log_without_a_traceback(
    make_edge: Callable[..., Edge], how: str
) -> None:
    server = make_edge(APP_ENV="production")
    tell(server, signal.SIGHUP)
    wait_for(lambda: "Worker exiting" in server.server.log.read_text())
    tell(server, signal.Signals[how])
    assert server.server.process is not None
    status = server.server.process.wait(timeout=20)

    log = server.server.log.read_text()
    events = [json.loads(line)["event"] for line in log.splitlines() if line.startswith("{")]
    assert (status, "Traceback" in log, "Logging error" in log) == (0, False, False)
    assert len([event for event in events if event.startswith("Worker exiting")]) == 2


class Questions(Load):
    """Clients that ask who they are, two on a kept connection and two on new ones."""

    def __init__(self, server: Edge) -> None:
        super().__init__()
        self._server = server

    def work(self, number: int) -> None:
        is_kept = number % 2
        session = requests.Session()
        url, headers = f"{self._server.url}/api/auth/me", self._server.bearer
        while not self.is_over.is_set():
            ask = session.get if is_kept else requests.get
            try:
                self.answers[ask(url, headers=headers, timeout=10).status_code] += 1
            except requests.RequestException as error:
                self.answers[repr(error)] += 1


@needs_redis
def test_a_reload_under_load_loses_no_request_and_stays_ready(
    make_edge: Callable[..., Edge],
) -> None:
    server = make_edge("--workers", "2", REDIS_URL=REDIS, STOP_DELAY_SECONDS="3")
    with Questions(server) as load:
        load.wait_for_more(20)
        tell(server, signal.SIGHUP)
        heard = set()
        while server.server.log.read_text().count("Worker exiting") < 2:
            heard.add(ready(server))
        load.wait_for_more(20)

    assert (set(load.answers), heard) == ({200}, {200})
