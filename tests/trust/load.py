"""Many clients at once on every route, and what the server holds before and after them."""

import random
import re
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import quantiles

import psutil
from sqlalchemy import create_engine, text

from tests.conftest import Caller
from tests.e2e.raw_http import Raw
from tests.e2e.server import Server
from tests.trust.ledger import Ledger
from tests.trust.remote import RemoteClient, Watch, make_accounts
from tests.trust.verdict import check
from tests.trust.visitor import Visitor

CLIENTS_OF_A_USER = 4
ROOM = 6
SETTLE_SECONDS = 20
"""How long the server gets to notice that all clients have gone."""
STILL = 6
"""Readings, 0.2 seconds apart, that are the same once it has."""

TROUBLE = re.compile(
    r"locked|deadlock|OperationalError|Traceback|crashed|pool.*timed? ?out", re.IGNORECASE
)


@dataclass(frozen=True)
class Holdings:
    """What a server holds while nobody asks for anything.

    Attributes:
        memory: MiB of all its processes (unique set size: what ending them would free).
        descriptors: open files and sockets of all its processes.
        connections: to PostgreSQL; 0 for SQLite.
    """

    memory: float
    descriptors: int
    connections: int

    def __str__(self) -> str:
        return f"{self.memory:.0f} MiB, {self.descriptors} fds, {self.connections} connections"


def holdings(server: Server) -> Holdings:
    """Return what ``server`` holds now."""
    assert server.process is not None
    master = psutil.Process(server.process.pid)
    processes = [master, *master.children(recursive=True)]
    return Holdings(
        memory=sum(process.memory_full_info().uss for process in processes) / 2**20,
        descriptors=sum(process.num_fds() for process in processes),
        connections=_connections(server.settings["DATABASE_URL"]),
    )


def _connections(database_url: str) -> int:
    if database_url.startswith("sqlite"):
        return 0
    engine = create_engine(database_url)
    with engine.connect() as connection:
        query = text(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND backend_type = 'client backend' "
            "AND pid <> pg_backend_pid()"
        )
        count: int = connection.scalar(query) or 0
    engine.dispose()
    return count


@dataclass
class Timings:
    """Seconds of every answer by route, and the statuses that none may have."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failures: list[str] = field(default_factory=list)

    def watch(self, route: str, status: int, seconds: float) -> None:
        """Take note of one answer; appending is safe in threads."""
        self.seconds[route].append(seconds)
        if status == 0 or (status >= 500 and status != 501):
            self.failures.append(f"{route}: {status} after {seconds:.2f} s")

    def table(self) -> str:
        """Return p50 and p99 by route, in milliseconds."""
        lines = [f"{'route':<60}{'answers':>8}{'p50 ms':>9}{'p99 ms':>9}"]
        for route, taken in sorted(self.seconds.items()):
            cuts = quantiles(taken, n=100) if len(taken) > 1 else taken * 99
            lines.append(f"{route:<60}{len(taken):>8}{cuts[49] * 1e3:>9.1f}{cuts[98] * 1e3:>9.1f}")
        return "\n".join(lines)


class Crowd:
    """Clients with a thread each; what they do follows from the seed."""

    def __init__(self, server: Server, clients: int, seed: int) -> None:
        self._server = server
        self._accounts = make_accounts(server, -(-clients // CLIENTS_OF_A_USER))
        self._tokens = {a: a.sign_in(server.url).access_token for a in self._accounts}
        self._owners = [self._accounts[n // CLIENTS_OF_A_USER] for n in range(clients)]
        self.visitors = [
            Visitor(n, self._caller(n), Ledger(), random.Random(f"{seed}-{n}"), room=ROOM)
            for n in range(clients)
        ]

    def work(self, seconds: float, timings: Timings, *, slow: int = 0) -> list[str]:
        """Let all of them work for a while; return what went wrong for them.

        Args:
            slow: how many more clients send a form meanwhile, a byte a second.
        """
        token = self._tokens[self._accounts[0]]
        with ExitStack() as stack:
            for _ in range(slow):
                stack.enter_context(_slow_upload(self._server.url, token))
            return self._work(seconds, timings)

    def _work(self, seconds: float, timings: Timings) -> list[str]:
        until, wrong = time.monotonic() + seconds, list[str]()

        def work(visitor: Visitor) -> None:
            try:
                while time.monotonic() < until:
                    visitor.step()
            except Exception:  # noqa: BLE001  # reported by the test
                wrong.append(traceback.format_exc(limit=-3))

        threads = []
        for number, visitor in enumerate(self.visitors):
            visitor.caller = self._caller(number, timings.watch)
            threads.append(threading.Thread(target=work, args=(visitor,)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for visitor in self.visitors:
            visitor.caller.client.close()  # type: ignore[attr-defined]  # a RemoteClient
        return wrong

    def check(self) -> int:
        """Hold what all users see against what their clients were told; return how many files."""
        pairs = [*zip(self.visitors, self._owners, strict=True)]
        return sum(
            check(
                self._caller(self._owners.index(account)),
                [visitor.ledger for visitor, owner in pairs if owner == account],
                is_settled=True,
            )
            for account in self._accounts
        )

    def _caller(self, number: int, watch: Watch = lambda *_: None) -> Caller:
        account = self._owners[number]
        return account.with_token(RemoteClient(self._server.url, watch), self._tokens[account])


@contextmanager
def _slow_upload(url: str, token: str) -> Iterator[None]:
    """Have a client that sends the first bytes of a form, and then one a second."""
    head = (
        f"POST /api/files/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n%PDF-1.4\n'
    )
    is_over = threading.Event()
    with Raw(url) as connection:
        connection.send(head.encode())
        thread = threading.Thread(target=connection.trickle, args=(b"x", 1.0, is_over))
        thread.start()
        yield
        is_over.set()
        thread.join()


def at_rest(server: Server) -> Holdings:
    """Return what is held once that stands still: the server has noticed that clients went."""
    deadline = time.monotonic() + SETTLE_SECONDS
    readings = [holdings(server)]
    while time.monotonic() < deadline:
        time.sleep(0.2)
        readings.append(holdings(server))
        if len({(r.descriptors, r.connections) for r in readings[-STILL:]}) == 1 < len(readings):
            break
    return readings[-1]


def trouble(server: Server) -> list[str]:
    """Return the lines of the server's log that tell of locks or crashes."""
    return [line for line in server.log.read_text().splitlines() if TROUBLE.search(line)]
