"""A client's socket sends the head of an answer together with its body, and always in order."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from softfactory.http.server.client_socket import TOGETHER, ClientSocket

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.fixture
def pair() -> Iterator[tuple[ClientSocket, socket.socket]]:
    """The server's end and the client's."""
    plain, client = socket.socketpair()
    with ClientSocket.of(plain) as server, client:
        yield server, client


def waiting(client: socket.socket) -> bytes:
    """Return what has come so far."""
    try:
        return client.recv(65536, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return b""


def test_a_head_waits_for_the_body_and_comes_with_it(
    pair: tuple[ClientSocket, socket.socket],
) -> None:
    server, client = pair
    server.hold()

    server.sendall(HEAD)
    before = waiting(client)
    server.sendall(b"body")

    assert before == b""
    assert client.recv(1024) == HEAD + b"body"


def test_a_head_without_a_body_comes_at_the_end_of_the_answer(
    pair: tuple[ClientSocket, socket.socket],
) -> None:
    server, client = pair
    server.hold()
    server.sendall(HEAD)

    server.flush()

    assert client.recv(1024) == HEAD


def test_what_comes_after_the_answer_waits_for_nothing(
    pair: tuple[ClientSocket, socket.socket],
) -> None:
    server, client = pair
    server.hold()
    server.flush()

    server.sendall(b"a refusal")

    assert client.recv(1024) == b"a refusal"


def take_all(server: ClientSocket, client: socket.socket) -> bytes:
    """Return what comes while the rest is sent as often as is needed."""
    taken = b""
    while True:
        while piece := waiting(client):
            taken += piece
        if not server.has_rest:
            return taken
        server.send_rest()


def test_what_the_client_does_not_take_is_sent_later_in_its_order(
    pair: tuple[ClientSocket, socket.socket], tmp_path: Path
) -> None:
    server, client = pair
    body, content = b"x" * 16 * TOGETHER, bytes(range(256)) * 4096
    (tmp_path / "file").write_bytes(content)
    server.hold()
    server.sendall(HEAD)

    server.sendall(body)
    kept = server.rest_in_memory
    with (tmp_path / "file").open("rb") as file:
        server.sendfile(file, 1000, len(content) - 1000)
        server.sendall(b"end")
        taken = take_all(server, client)

    assert 0 < kept < len(body)
    assert taken == HEAD + body + content[1000:] + b"end"


def test_no_thread_waits_for_a_client_that_takes_nothing(
    pair: tuple[ClientSocket, socket.socket],
) -> None:
    server, _ = pair
    server.sendall(b"x" * 16 * TOGETHER)
    began = time.monotonic()

    server.send_rest()

    assert (server.is_stalled, time.monotonic() - began < 1) == (True, True)


def test_a_file_that_became_shorter_ends_its_answer(
    pair: tuple[ClientSocket, socket.socket], tmp_path: Path
) -> None:
    server, _ = pair
    (tmp_path / "file").write_bytes(b"short")

    with (tmp_path / "file").open("rb") as file:
        server.sendfile(file, 0, 9)

        with pytest.raises(OSError, match="ended before"):
            server.send_rest()


def test_a_file_comes_behind_its_head(
    pair: tuple[ClientSocket, socket.socket], tmp_path: Path
) -> None:
    server, client = pair
    (tmp_path / "file").write_bytes(b"0123456789")
    server.hold()
    server.sendall(HEAD)

    with (tmp_path / "file").open("rb") as file:
        server.sendfile(file, 2, 3)

    assert client.recv(len(HEAD) + 3, socket.MSG_WAITALL) == HEAD + b"234"


def test_a_closed_socket_is_sent_nothing(pair: tuple[ClientSocket, socket.socket]) -> None:
    server, client = pair
    server.hold()
    server.sendall(HEAD)
    server.close()

    server.flush()

    assert client.recv(1024) == b""
