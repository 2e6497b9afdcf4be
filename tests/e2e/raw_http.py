"""HTTP by hand: what no client library would send, and how the answer arrives."""

import json
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """One answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which has to be JSON."""
        assert self.headers["content-type"] == "application/json", self.body
        return json.loads(self.body)


class Raw:
    """One connection, on which the test says every byte."""

    def __init__(
        self,
        url: str,
        receive_buffer: int | None = None,
        *,
        connected: socket.socket | None = None,
    ) -> None:
        parts = urlsplit(url)
        self._socket = connected or socket.socket()
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(15)
        if connected is None:
            self._socket.connect((parts.hostname, parts.port))
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send all of ``data``."""
        self._socket.sendall(data)

    def trickle(self, data: bytes, pause: float, until: threading.Event) -> None:
        """Send ``data`` again and again, with a pause of so many seconds, as long as that works."""
        with suppress(OSError):
            while not until.wait(pause):
                self._socket.sendall(data)

    def hang_up_sending(self) -> None:
        """Send no more, and still receive."""
        self._socket.shutdown(socket.SHUT_WR)

    def receive(self, size: int) -> bytes:
        """Return exactly so many bytes."""
        while len(self._received) < size:
            self._received += self._more()
        data, self._received = self._received[:size], self._received[size:]
        return data

    def take(self, size: int) -> bytes:
        """Return at most so many bytes, as they are."""
        return self._socket.recv(size)

    def rest(self) -> int:
        """Return how many bytes still come, until the server hangs up or resets the connection."""
        size = len(self._received)
        with suppress(ConnectionError):
            while data := self._socket.recv(1024 * 1024):
                size += len(data)
        return size

    def answer(self) -> Answer:
        """Return the next answer; one that is not interim has a Content-Length."""
        while b"\r\n\r\n" not in self._received:
            self._received += self._more()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        first, *fields = head.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (field.partition(":") for field in fields)
        }
        body = self.receive(int(headers.get("content-length", "0")))
        return Answer(int(first.split()[1]), headers, body)

    def _more(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the server hung up")
        return data
