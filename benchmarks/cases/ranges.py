"""Ranged reads of 64 KiB out of a large file, one after the other."""

import random
import statistics
from functools import partial

from benchmarks.bench import Bench
from benchmarks.bodies import KIB
from benchmarks.cases.transfer import stored
from benchmarks.client.wire import Connection, expect, head
from benchmarks.report import Goal, Row, Section
from benchmarks.rounds import Stopwatch, interleaved

LENGTH = 64 * KIB


def measure(bench: Bench) -> Section:
    """Measure the median time of a read."""
    section = Section("Ranged reads", ("service", "nginx", "copyparty"))
    body = bench.bodies.large
    count = 50 if bench.is_quick else 500
    with bench.service() as service, bench.nginx() as nginx, bench.copyparty() as copyparty:
        paths = {"service": (service.port, stored(service, body))}
        for server in (nginx, copyparty):
            if server is not None:
                (server.files / "large").hardlink_to(body)
                paths[server.name] = (server.port, "/large")
        size = body.stat().st_size
        works = {name: partial(_median, *each, size, count) for name, each in paths.items()}
        times = interleaved(bench.rounds, works)
    goal = Goal("service", 3, "copyparty")
    section.rows.append(Row("64 KiB out of a large file, p50", "ms", times, [goal]))
    return section


def _median(port: int, path: str, size: int, count: int) -> float:
    """Return the median of ``count`` reads, in milliseconds."""
    places = random.Random(64)
    times = []
    with Connection(port) as connection:
        for _ in range(count):
            start = places.randrange(size - LENGTH)
            request = head("GET", path, Range=f"bytes={start}-{start + LENGTH - 1}")
            with Stopwatch() as watch:
                answer = connection.ask(request)
            expect(answer, 206)
            times.append(watch.seconds * 1000)
    return statistics.median(times)
