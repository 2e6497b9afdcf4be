"""Slow clients cost themselves time, and nobody else (docs/decisions/0009-slow-clients.md)."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import requests

from tests import samples
from tests.e2e.edge import Edge, edge
from tests.e2e.raw_http import Raw

CROWD = 60
"""Nearly as many as a worker has threads."""

PATIENCE = 1
"""Seconds after which the server cuts a client off; it looks once a second."""

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, sqlite_template: bytes) -> Iterator[Edge]:
    """A server of one worker without much patience."""
    room = tmp_path_factory.mktemp("edge")
    with edge(room, sqlite_template, SLOW_CLIENT_SECONDS=str(PATIENCE)) as running:
        yield running


@pytest.fixture
def crowd(server: Edge) -> Iterator[Callable[[bytes, int], None]]:
    """A function that opens connections which all have sent the same."""
    with ExitStack() as stack:

        def gather(sent: bytes, size: int) -> None:
            for _ in range(size):
                stack.enter_context(Raw(server.url)).send(sent)

        yield gather


def upload(server: Edge, length: int, body: bytes = b"") -> bytes:
    """Return an upload's head that announces ``length`` bytes, with the first of them."""
    fields = ("Content-Type: multipart/form-data; boundary=b", f"Content-Length: {length}")
    return server.request("POST /api/files/upload", *fields, body=body)


def seconds_of_an_answer(server: Edge) -> float:
    """Return how long a new client waits for an answer that needs the database."""
    began = time.monotonic()
    answer = requests.get(f"{server.url}/api/auth/me", headers=server.bearer, timeout=10)
    assert answer.status_code == 200
    return time.monotonic() - began


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /healthz HTT",
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{",
    ],
    ids=["nothing", "half a head", "half a small body"],
)
def test_a_fast_client_does_not_notice_hundreds_that_stall_before_their_request_is_there(
    server: Edge, crowd: Callable[..., None], sent: bytes
) -> None:
    crowd(sent, 300)

    assert seconds_of_an_answer(server) < PATIENCE


def test_a_fast_client_does_not_notice_a_crowd_that_stalls_in_its_uploads(
    server: Edge, crowd: Callable[..., None]
) -> None:
    crowd(upload(server, 9_000_000, b"--b\r\nContent-Disposition: form-data"), CROWD)

    assert seconds_of_an_answer(server) < PATIENCE


def test_a_request_that_begins_behind_an_answer_may_come_in_pieces(server: Edge) -> None:
    statuses = []
    with Raw(server.url) as client:
        for _ in range(5):
            client.send(HEALTH + HEALTH[:9])
            statuses.append(client.answer().status)
            time.sleep(0.01)  # the thread has gone by then
            client.send(HEALTH[9:])
            statuses.append(client.answer().status)

    assert statuses == [200] * 10


def test_clients_that_ask_without_a_pause_keep_no_thread_from_others(server: Edge) -> None:
    stop, answered = threading.Event(), []

    def ask() -> None:
        with Raw(server.url) as client:
            while not stop.is_set():
                client.send(HEALTH)
                answered.append(client.answer().status)

    threads = [threading.Thread(target=ask) for _ in range(CROWD + 20)]
    for thread in threads:
        thread.start()
    try:
        seconds = seconds_of_an_answer(server)
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert seconds < 5
    assert set(answered) == {200}


def test_more_connections_than_the_worker_takes_shut_nobody_out(
    server: Edge, crowd: Callable[..., None]
) -> None:
    crowd(b"", 1100)

    assert seconds_of_an_answer(server) < PATIENCE


def test_clients_that_trickle_are_told_408(server: Edge) -> None:
    begun = {
        "head": b"GET /healthz HTTP/1.1\r\nHost: x\r\n",
        "small body": b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n",
        "upload": upload(server, 9_000_000),
    }
    is_answered = threading.Event()
    with ExitStack() as stack:  # all at once, because each takes its time
        clients = {where: stack.enter_context(Raw(server.url)) for where in begun}
        threads = []
        for where, raw in clients.items():
            raw.send(begun[where])
            trickle = threading.Thread(target=raw.trickle, args=(b"x", 0.1, is_answered))
            trickle.start()
            threads.append(trickle)
        try:
            answers = {where: raw.answer() for where, raw in clients.items()}
        finally:
            is_answered.set()
            for trickle in threads:
                trickle.join()

    refusals = {where: (answer.status, answer.json["code"]) for where, answer in answers.items()}
    assert refusals == dict.fromkeys(begun, (408, "REQUEST_TIMEOUT"))


def test_a_client_that_takes_nothing_of_its_download_is_cut_off(server: Edge) -> None:
    size = 40 * 1024 * 1024
    files = {"file": ("big.bin", bytes(size))}
    sent = requests.post(f"{server.url}/s3/upload", files=files, headers=server.bearer, timeout=60)
    with Raw(server.url, receive_buffer=4096) as raw:
        raw.send(server.request(f"GET /s3/download/{sent.json()['file_key']}"))
        assert raw.receive(12) == b"HTTP/1.1 200"
        time.sleep(PATIENCE + 3)  # the time itself is what is tested
        received = raw.rest()

    assert received < size


def test_a_transfer_of_more_than_1_kib_a_second_may_take_as_long_as_it_takes(
    server: Edge,
) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
    form += samples.pdf() + b"\r\n--b--\r\n"
    pauses = (PATIENCE + 3) * 10
    with Raw(server.url) as raw:
        raw.send(upload(server, len(form) + pauses * 2000, form))
        for _ in range(pauses):
            time.sleep(0.1)
            raw.send(b" " * 2000)

        assert raw.answer().status == 201


def test_a_connection_may_idle_longer_than_a_request_may_take(server: Edge) -> None:
    with Raw(server.url) as raw:
        raw.send(HEALTH)
        first = raw.answer().status
        time.sleep(PATIENCE + 1.5)
        raw.send(HEALTH)

        assert (first, raw.answer().status) == (200, 200)


def test_two_requests_in_one_piece_get_two_answers(server: Edge) -> None:
    with Raw(server.url) as raw:
        raw.send(HEALTH * 2)

        assert [raw.answer().status, raw.answer().status] == [200, 200]
