"""A client's socket sends the head of an answer together with its body, and always in order."""

import socket
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
        return client.recv(1024, socket.MSG_DONTWAIT)
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


def test_a_large_body_comes_behind_its_head(pair: tuple[ClientSocket, socket.socket]) -> None:
    server, client = pair
    server.settimeout(0)
    server.hold()
    server.sendall(HEAD)

    with pytest.raises(BlockingIOError):  # the pair's buffer takes less
        server.sendall(b"x" * 16 * TOGETHER)

    assert client.recv(1024).startswith(HEAD + b"x")


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
