"""Attackers of a running server: each is a function that begins, and ends with its stack.

To add one, write a function that takes a ``Target`` and an ``ExitStack``, and name it in
``test_attacks.ATTACKS``.
"""

import math
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from statistics import quantiles
from urllib.parse import urlsplit

import requests

from tests.e2e.edge import Edge
from tests.e2e.raw_http import Raw

CROWD = 64
"""As many as a worker has threads."""

PAUSE = 0.1
"""Seconds between two turns of whoever trickles."""


@dataclass(frozen=True)
class Target:
    """What is attacked, and what the attackers were given: one login, and signed URLs.

    Attributes:
        put: the path of one signed URL of local storage, to which anybody may upload.
        get: the path of one signed URL of a large file.
    """

    edge: Edge
    put: str
    get: str

    def crowd(
        self, stack: ExitStack, size: int = CROWD, receive_buffer: int | None = None
    ) -> list[Raw]:
        """Return so many connections."""
        url = self.edge.url
        return [stack.enter_context(Raw(url, receive_buffer)) for _ in range(size)]

    def upload(self, *fields: str) -> bytes:
        """Return the head of an upload to the signed URL."""
        return self.edge.request(f"PUT {self.put}", "Content-Type: application/pdf", *fields)


def target_of(edge: Edge, size: int) -> Target:
    """Have the server store a file of ``size`` bytes, and sign the two URLs."""
    files = {"file": ("large.bin", bytes(size))}
    sent = requests.post(f"{edge.url}/s3/upload", files=files, headers=edge.bearer, timeout=60)
    got = requests.get(
        f"{edge.url}/api/files/johndoe/{sent.json()['file_key']}/download_presigned_url",
        headers=edge.bearer,
        timeout=10,
    )
    wanted = {"file_name": "a.pdf", "file_size": 10_000_000, "content_type": "application/pdf"}
    put = requests.post(
        f"{edge.url}/api/files/upload", json=wanted, headers=edge.bearer, timeout=10
    )
    return Target(edge, _path(put.json()["presigned_url"]), _path(got.json()["presigned_url"]))


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def again_and_again(
    stack: ExitStack, connections: list[Raw], act: Callable[[Raw], object], pause: float = PAUSE
) -> None:
    """Let each connection act, with a pause of so many seconds, until the stack ends."""
    is_over = threading.Event()

    def work() -> None:
        while not is_over.wait(pause):
            for connection in connections:
                with suppress(OSError):
                    act(connection)

    thread = threading.Thread(target=work)
    thread.start()
    stack.callback(thread.join)
    stack.callback(is_over.set)


def tell(connections: list[Raw], data: bytes) -> None:
    """Send the same on every connection."""
    for connection in connections:
        with suppress(OSError):  # it was refused
            connection.send(data)


class Onlooker:
    """Somebody who asks for one path, on a new connection each time, and takes the time."""

    def __init__(self, edge: Edge, path: str) -> None:
        self.seconds: list[float] = []
        self.statuses: set[int | str] = set()
        self._edge, self._path = edge, path
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def start(self, stack: ExitStack) -> None:
        """Ask until the stack ends."""
        self._thread.start()
        stack.callback(self._thread.join)
        stack.callback(self._is_over.set)

    @property
    def p99(self) -> float:
        """Seconds within which 99 of 100 were answered."""
        return quantiles(self.seconds, n=100)[98] if len(self.seconds) > 1 else math.inf

    def _work(self) -> None:
        request = self._edge.request(f"GET {self._path}", "Connection: close")
        while not self._is_over.wait(0.01):
            began = time.monotonic()
            try:
                with Raw(self._edge.url) as raw:
                    raw.send(request)
                    self.statuses.add(raw.answer().status)
            except OSError as error:
                self.statuses.add(repr(error))
            self.seconds.append(time.monotonic() - began)


# --- B1: threads ----------------------------------------------------------------------------------


def heads_without_bodies(target: Target, stack: ExitStack) -> None:
    """Announce 10 MB on each connection, and send none of them."""
    tell(target.crowd(stack), target.upload("Content-Length: 10000000"))


def heads_that_wait_to_be_told(target: Target, stack: ExitStack) -> None:
    """Announce bodies, small ones too, and never send what the server asks for."""
    for length in (100, 10_000_000):
        head = target.upload(f"Content-Length: {length}", "Expect: 100-continue")
        tell(target.crowd(stack), head)


def chunks_that_do_not_come(target: Target, stack: ExitStack) -> None:
    """Begin chunked bodies."""
    head = target.upload("Transfer-Encoding: chunked")
    tell(target.crowd(stack), head + b"ffff\r\nx")


def uploads_that_crawl(target: Target, stack: ExitStack) -> None:
    """Send 1.3 KB a second on each connection, from the first byte of the body on."""
    crowd = target.crowd(stack)
    tell(crowd, target.upload("Content-Length: 10000000"))
    again_and_again(stack, crowd, lambda raw: raw.send(bytes(130)))


def uploads_that_begin_to_crawl(target: Target, stack: ExitStack) -> None:
    """Send enough to get a thread, and 1.3 KB a second from then on."""
    crowd = target.crowd(stack)
    tell(crowd, target.upload("Content-Length: 10000000") + bytes(70_000))
    again_and_again(stack, crowd, lambda raw: raw.send(bytes(130)))


def downloads_that_crawl(target: Target, stack: ExitStack) -> None:
    """Take 1.3 KB a second of a large file on each connection."""
    crowd = target.crowd(stack, receive_buffer=4096)
    tell(crowd, target.edge.request(f"GET {target.get}"))
    again_and_again(stack, crowd, lambda raw: raw.take(130))


def answers_that_nobody_takes(target: Target, stack: ExitStack) -> None:
    """Ask for the health of the service and for a file, many times in one piece, and read nothing."""
    crowd = target.crowd(stack, receive_buffer=4096)
    tell(crowd, target.edge.request("GET /healthz") * 500)
    tell(target.crowd(stack, receive_buffer=4096), target.edge.request(f"GET {target.get}") * 5)


def more_connections_than_there_are(target: Target, stack: ExitStack) -> None:
    """Open more connections than a worker takes, and say nothing."""
    for _ in range(1100):
        stack.enter_context(socket.create_connection(("127.0.0.1", target.edge.server.port)))


def a_flood_of_readiness(target: Target, stack: ExitStack) -> None:
    """Ask for readiness without a pause."""
    ask = target.edge.request("GET /readyz")

    def look(raw: Raw) -> None:
        raw.send(ask)
        raw.answer()

    again_and_again(stack, target.crowd(stack, 8), look, 0)


# --- B4: chunked bodies ---------------------------------------------------------------------------


def endless_chunk_extensions(target: Target, stack: ExitStack) -> None:
    """Send extensions of one chunk, a few bytes at a time, before any login."""
    _chunks(target, stack, b"5;a", b"a" * 700)


def endless_trailers(target: Target, stack: ExitStack) -> None:
    """Send fields behind the last chunk."""
    _chunks(target, stack, b"2\r\n{}\r\n0\r\n", b"A: b\r\n" * 100)


def _chunks(target: Target, stack: ExitStack, begin: bytes, piece: bytes) -> None:
    head = target.edge.request(
        "POST /api/auth/login", "Content-Type: application/json", "Transfer-Encoding: chunked"
    )
    crowd = target.crowd(stack, 16)
    tell(crowd, head + begin)
    again_and_again(stack, crowd, lambda raw: raw.send(piece), 0.01)


# --- B3: bodies -----------------------------------------------------------------------------------


def bodies_of_a_million_lists(target: Target, stack: ExitStack) -> None:
    """Send 4 MB of lists in a list, which a parser without a bound is busy with for a second."""
    _ask_again_and_again(target, stack, "DELETE /api/s3/objects", _list("keys", "[]", 1_300_000))


def bodies_of_a_million_objects(target: Target, stack: ExitStack) -> None:
    """Send 4 MB of objects in a list, to a route that looks at each."""
    _ask_again_and_again(target, stack, "POST /api/files/upload", _list("files", "{}", 1_300_000))


def completions_of_10_000_parts(target: Target, stack: ExitStack) -> None:
    """Name as many parts as there may be, of an upload that is not there."""
    part = '{"part_number":1,"etag":"0123456789abcdef0123456789abcdef"}'
    _ask_again_and_again(
        target, stack, "POST /v1/files/uploads/1/complete/", _list("parts", part, 10_000)
    )


def forms_whose_parts_have_large_heads(target: Target, stack: ExitStack) -> None:
    """Send forms of as many parts as there may be, each with a head of parameters."""
    head = 'form-data; name="a"' + ';x="\\""' * 2000
    part = f"--b\r\nContent-Disposition: {head}\r\n\r\nv\r\n"
    form = "multipart/form-data; boundary=b"
    _ask_again_and_again(
        target, stack, "POST /s3/upload", f"{part * 31}--b--\r\n".encode(), content_type=form
    )


def ranges_by_the_hundred(target: Target, stack: ExitStack) -> None:
    """Ask for hundreds of single bytes of a large file at once, and hang up."""
    ranges = ",".join(f"{start}-{start}" for start in range(0, 2000, 2))
    request = target.edge.request(f"GET {target.get}", f"Range: bytes={ranges}")

    def begin(raw: Raw) -> None:
        raw.send(request)
        raw.take(64)

    _again_on_new_connections(target, stack, begin)


def connections_that_come_and_go(target: Target, stack: ExitStack) -> None:
    """Connect, send half of a head, and hang up."""
    _again_on_new_connections(target, stack, lambda raw: raw.send(b"GET / HTTP/1.1\r\nHo"))


def _list(name: str, element: str, count: int) -> bytes:
    return f'{{"{name}":[{",".join([element] * count)}]}}'.encode()


def _ask_again_and_again(
    target: Target,
    stack: ExitStack,
    line: str,
    body: bytes,
    *,
    content_type: str = "application/json",
) -> None:
    """Send one request again and again, in four threads, each time on a new connection."""
    length = f"Content-Length: {len(body)}"
    request = target.edge.request(line, f"Content-Type: {content_type}", length, body=body)

    def ask(raw: Raw) -> None:
        raw.send(request)
        raw.answer()

    for _ in range(4):
        _again_on_new_connections(target, stack, ask)


def _again_on_new_connections(
    target: Target, stack: ExitStack, act: Callable[[Raw], object]
) -> None:
    is_over = threading.Event()

    def work() -> None:
        while not is_over.wait(0.01):
            with suppress(OSError), Raw(target.edge.url) as raw:
                act(raw)

    thread = threading.Thread(target=work)
    thread.start()
    stack.callback(thread.join)
    stack.callback(is_over.set)
