"""The API's own cost, on PostgreSQL, Redis and S3 beside the embedded form."""

from contextlib import ExitStack
from functools import partial

from benchmarks.bench import Bench
from benchmarks.cases.calls import Call, all_calls
from benchmarks.client.pump import pump
from benchmarks.filling import fill_with_objects
from benchmarks.report import Goal, Row, Section
from benchmarks.rounds import interleaved
from benchmarks.servers.processor import processor_seconds
from benchmarks.servers.service import Service

EMBEDDED, SCALED = "embedded", "at scale"
CONNECTIONS = (1, 8)
FILES = 1000
MOST_ROUNDS = 3
"""A round of completing leaves S3 240 MiB, which take it hours to give back."""


class _Work:
    """One call to one service, over so many connections."""

    def __init__(self, service: Service, call: Call, connections: int, count: int) -> None:
        self._service, self._call = service, call
        self._connections, self._count = connections, count
        self.costs: list[float] = []
        """The processor's milliseconds for a request, of each time that it was done."""

    def rate(self) -> float:
        """Do it; return requests a second."""
        requests = self._call.prepare(self._service, self._count)
        before = processor_seconds(self._service.pid)
        seconds, _ = pump(self._service.port, requests, {200}, self._connections)
        taken = processor_seconds(self._service.pid) - before
        self.costs.append(taken * 1000 / len(requests))
        return len(requests) / seconds


def measure(bench: Bench) -> Section:
    """Measure requests a second, and the processor time that the service takes for one."""
    columns = [_column(form, number) for number in CONNECTIONS for form in (EMBEDDED, SCALED)]
    section = Section("The API at scale, over 1 and 8 connections", columns)
    filled = partial(fill_with_objects, count=FILES)
    with ExitStack() as stack:
        services = {EMBEDDED: stack.enter_context(bench.service("api-embedded", filled))}
        scaled = stack.enter_context(bench.scaled_service("api-at-scale", filled))
        if scaled is not None:
            services[SCALED] = scaled
        for call in all_calls():
            section.rows.extend(_rows(bench, services, call))
    return section


def _rows(bench: Bench, services: dict[str, Service], call: Call) -> list[Row]:
    works = {
        _column(form, number): _Work(service, call, number, 8 if bench.is_quick else call.count)
        for number in CONNECTIONS
        for form, service in services.items()
    }
    rates = interleaved(
        min(bench.rounds, MOST_ROUNDS), {column: work.rate for column, work in works.items()}
    )
    # The first time of each does not count.
    costs = {column: work.costs[1:] for column, work in works.items()}
    # How the forms compare is told, not judged.
    ratios = [Goal(_column(SCALED, n), None, _column(EMBEDDED, n)) for n in CONNECTIONS]
    return [Row(call.name, "/s", rates, ratios), Row(f"{call.name}, CPU", "ms", costs, ratios)]


def _column(form: str, connections: int) -> str:
    return f"{form}, {connections}"
