"""Many small requests over a few keep-alive connections: one thread, one poller."""

import selectors
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.client.wire import Connection, UnexpectedAnswerError, parse_head

CONNECTIONS = 8


@dataclass(slots=True)
class _Lane:
    """A connection with one request under way, and what came of the answer."""

    connection: Connection
    received: bytearray = field(default_factory=bytearray)
    due: int | None = None

    def send(self, request: bytes) -> None:
        self.received.clear()
        self.due = None
        # A small request fits the socket's buffer: this never waits.
        self.connection.socket.sendall(request)

    def is_answered(self, statuses: Collection[int]) -> bool:
        """Read what is there; whether the answer is whole now."""
        chunk = self.connection.socket.recv(65536)
        if not chunk:
            raise UnexpectedAnswerError("the server closed a connection that was to be kept alive")
        self.received += chunk
        if self.due is None:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return False
            status, length = parse_head(bytes(self.received[:end]))
            if status not in statuses:
                raise UnexpectedAnswerError(f"{status}: {bytes(self.received[-500:])!r}")
            self.due = end + 4 + length
        return len(self.received) >= self.due


def pump(
    port: int,
    requests: Sequence[bytes],
    statuses: Collection[int],
    connections: int = CONNECTIONS,
) -> tuple[float, list[bytes]]:
    """Send all ``requests``; return the seconds it took, and the answers' bodies in no order.

    Raises:
        UnexpectedAnswerError: one had a status that is none of ``statuses``.
    """
    lanes = [_Lane(Connection(port)) for _ in range(connections)]
    waiting = iter(requests)
    answers: list[bytes] = []
    with selectors.DefaultSelector() as selector:
        started = time.perf_counter()
        for lane in lanes:
            selector.register(lane.connection.socket, selectors.EVENT_READ, lane)
            _next(lane, waiting)
        while len(answers) < len(requests):
            for key, _ in selector.select():
                lane = key.data
                if lane.is_answered(statuses):
                    answers.append(bytes(lane.received))
                    _next(lane, waiting)
        seconds = time.perf_counter() - started
    for lane in lanes:
        lane.connection.socket.close()
    return seconds, [answer.partition(b"\r\n\r\n")[2] for answer in answers]


def _next(lane: _Lane, waiting: Iterator[bytes]) -> None:
    if (request := next(waiting, None)) is not None:
        lane.send(request)
