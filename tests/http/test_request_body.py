"""A body read straight from its socket: as gunicorn reads it, to the byte."""

import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]

from softfactory.http.server.connections import Connection
from softfactory.http.server.request_body import LARGEST, straight
from softfactory.http.server.signals import ClientTooSlow

pytestmark = pytest.mark.light

SIZE = 300_000
BODY = bytes(range(256)) * (SIZE // 256) + b"end"
NEXT = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class Exchange:
    """Both ends of a connection; what the server's end does is gunicorn's."""

    client: socket.socket
    connection: Connection

    def request(self, head: bytes, first: bytes = b"") -> Any:
        """Parse a request of which so much has come with its head."""
        self.connection.received += b"PUT / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n" + first
        self.connection.hand_over()
        return next(self.connection.parser)

    def announced(self, size: int, first: bytes = b"") -> Any:
        """Parse a request whose body has an announced length."""
        return self.request(b"Content-Length: %d" % size, first)

    def send(self, data: bytes, *, and_hang_up: bool = False) -> threading.Thread:
        """Send behind the test's back."""

        def send() -> None:
            self.client.sendall(data)
            if and_hang_up:
                self.client.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=send)
        thread.start()
        return thread


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    client, server = socket.socketpair()
    client.settimeout(5)
    # gunicorn makes its end blocking; the kernel's own timeout outlives that.
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 5, 0))
    with client, server:
        yield Exchange(client, Connection(Config(), server, ("", 0), ("", 0)))


def read(body: Any, size: int) -> list[bytes]:
    """Read to the end, so many bytes at a time."""
    return [*iter(lambda: body.read(size), b"")]


@pytest.mark.parametrize("here", [0, 1, 70_000, len(BODY)], ids="{} have come".format)
@pytest.mark.parametrize("size", [1000, 65_536, LARGEST, LARGEST + 1], ids="read {}".format)
def test_every_read_but_the_last_is_as_large_as_asked_for(
    exchange: Exchange, size: int, here: int
) -> None:
    body = straight(exchange.announced(len(BODY), BODY[:here]))
    sending = exchange.send(BODY[here:])

    pieces = read(body, size)
    sending.join()

    assert b"".join(pieces) == BODY
    assert {len(piece) for piece in pieces[:-1]} <= {size}


@pytest.mark.parametrize("here", [0, 70_000, len(BODY)], ids="{} have come".format)
def test_a_chunked_body_is_read_too(exchange: Exchange, here: int) -> None:
    chunked = b"".join(
        b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (BODY[:9], BODY[9:9999], BODY[9999:])
    )
    chunked += b"0\r\n\r\n"
    body = straight(exchange.request(b"Transfer-Encoding: chunked", chunked[:here]))
    sending = exchange.send(chunked[here:])

    pieces = read(body, 65_536)
    sending.join()

    assert b"".join(pieces) == BODY
    assert {len(piece) for piece in pieces[:-1]} <= {65_536}


@pytest.mark.parametrize("here", [0, 10, len(BODY), len(BODY) + 5], ids="{} have come".format)
def test_the_request_behind_it_is_left_alone(exchange: Exchange, here: int) -> None:
    sent = BODY + NEXT
    body = straight(exchange.announced(len(BODY), sent[:here]))
    sending = exchange.send(sent[here:])
    read(body, 65_536)
    sending.join()

    following = next(exchange.connection.parser)

    assert (following.method, following.path) == ("GET", "/next")


@pytest.mark.parametrize("asked", [0, 1000, len(BODY) - 1], ids="{} were read".format)
def test_what_the_application_leaves_is_thrown_away_before_the_next_request(
    exchange: Exchange, asked: int
) -> None:
    body = straight(exchange.announced(len(BODY)))
    sending = exchange.send(BODY + NEXT)
    body.read(asked)

    following = next(exchange.connection.parser)
    sending.join()

    assert following.path == "/next"


def test_a_client_that_hangs_up_ends_the_body(exchange: Exchange) -> None:
    body = straight(exchange.announced(len(BODY)))
    sending = exchange.send(BODY[:-1], and_hang_up=True)

    pieces = read(body, 65_536)
    sending.join()

    assert b"".join(pieces) == BODY[:-1]


def test_a_client_that_was_cut_off_was_too_slow(exchange: Exchange) -> None:
    body = straight(exchange.announced(len(BODY)))
    exchange.send(BODY[:1000]).join()
    exchange.connection.is_cut = True
    exchange.connection.sock.shutdown(socket.SHUT_RD)

    with pytest.raises(ClientTooSlow):
        body.read(65_536)


def test_who_waits_for_the_body_says_so(exchange: Exchange) -> None:
    seen: list[bool] = []
    unreader = exchange.announced(4).unreader

    def receive(*_: Any) -> bytes:
        seen.append(unreader.is_waiting)
        return b"body"

    unreader.sock = SimpleNamespace(recv=receive)

    unreader.take(4)

    assert (seen, unreader.is_waiting) == ([True], False)


def test_lines_and_the_whole_are_read_too(exchange: Exchange) -> None:
    body = straight(exchange.announced(11, b"a\nbc\nd"))
    exchange.send(b"ef\ngh").join()

    assert (body.readline(), body.read(2), body.readline()) == (b"a\n", b"bc", b"\n")
    assert body.read() == b"def\ngh"


def test_another_servers_body_stays_as_it_is() -> None:
    other = object()

    assert straight(SimpleNamespace(body=other)) is other


HOST = b"Host: x\r\n"
NEXT_ONES: dict[str, tuple[bytes, bool]] = {
    "one without a body": (b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n", True),
    "one with a small body": (b"PUT /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", True),
    "a part of a small body": (b"PUT /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nx", False),
    "a large one": (b"PUT /a HTTP/1.1\r\nContent-Length: 99999\r\n\r\n" + bytes(9999), False),
    "a question for health": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n", False),
    "one with LF": (b"GET /a HTTP/1.1\r\nA: b\n" + HOST + b"\r\n", False),
}


@pytest.mark.parametrize("name", NEXT_ONES)
def test_a_thread_stays_for_a_next_request_that_waits_for_nobody(
    exchange: Exchange, name: str
) -> None:
    sent, is_taken = NEXT_ONES[name]
    connection = exchange.connection
    exchange.announced(0)
    exchange.client.sendall(sent)

    assert connection.has_next(0.1) is is_taken
    assert bytes(connection.received) == (b"" if is_taken else sent)
    assert (connection.is_upload, connection.is_probe, connection.head) == (
        (False, False, connection.head if is_taken else None)
    )
