"""A page of 50 of every list, out of few and out of very many files: first pages and deep ones."""

import json
import statistics
from base64 import urlsafe_b64encode
from contextlib import ExitStack
from functools import partial

from benchmarks.bench import Bench
from benchmarks.client.wire import Connection, expect
from benchmarks.filling import fill
from benchmarks.report import Goal, Row, Section
from benchmarks.rounds import Stopwatch, interleaved
from benchmarks.servers.service import USERNAME, Service

PAGE = 50
MOST_REQUESTS, MOST_SECONDS, LEAST_REQUESTS = 60, 1.0, 2
"""How long one list is asked for in one round."""


def measure(bench: Bench) -> Section:
    """Measure the median time from the request to the whole answer."""
    sizes = (1000, 10_000) if bench.is_quick else (1000, 100_000, 1_000_000)
    names = [f"{size:,} files" for size in sizes]
    section = Section(f"A page of {PAGE}, p50 on one connection", names)
    goals = [Goal(names[-1], 1.2, names[0]), Goal(names[-1], 3)]
    with ExitStack() as stack:
        services = {}
        for name, size in zip(names, sizes, strict=True):
            filled = partial(fill, count=size)
            services[name] = stack.enter_context(bench.service(f"lists-{size}", filled))
        pages = {
            name: _pages(services[name], size) for name, size in zip(names, sizes, strict=True)
        }
        for page in pages[names[0]]:
            works = {name: partial(_median, services[name], pages[name][page]) for name in names}
            times = interleaved(min(bench.rounds, 5), works)
            section.rows.append(Row(page, "ms", times, goals))
    return section


def _pages(service: Service, size: int) -> dict[str, str]:
    """Return the path of every page that is measured, by its name."""
    deep = size - PAGE
    last_page = size // PAGE
    near_the_end = urlsafe_b64encode(f"{USERNAME}/file-{deep - 1:07}.pdf".encode()).decode()
    v2 = f"/api/v2/files?per_page={PAGE}"
    v3 = f"/api/v3/files?per_page={PAGE}"
    fresh = f"{v3}&use_cache=false"
    browser = f"/api/s3/objects?prefix={USERNAME}/&max_keys={PAGE}"
    cursor = {
        path: service.call("GET", f"{path}&page={last_page - 1}")["next_cursor"]
        for path in (v2, fresh)
    }
    return {
        "files, first": f"/api/files?limit={PAGE}",
        "files, offset at the end": f"/api/files?limit={PAGE}&offset={deep}",
        "files, first of a category": f"/api/files?limit={PAGE}&category=document",
        "drive v2, first": v2,
        "drive v2, cursor at the end": f"{v2}&cursor={cursor[v2]}",
        "drive v2, last page by number": f"{v2}&page={last_page}",
        "drive v3, first": v3,
        "drive v3, first, without its cache": fresh,
        "drive v3, cursor at the end, without its cache": f"{fresh}&cursor={cursor[fresh]}",
        "drive v3, last page by number, without its cache": f"{fresh}&page={last_page}",
        "browser, first": browser,
        "browser, token at the end": f"{browser}&continuation_token={near_the_end}",
        "simple, first": f"/s3/list/?max_keys={PAGE}",
        "simple, prefix at the end": f"/s3/list/?max_keys={PAGE}&prefix=file-{deep // 100:05}",
        "uploads, first": f"/v1/files/?limit={PAGE}",
        "uploads, offset at the end": f"/v1/files/?limit={PAGE}&offset={deep}",
    }


def _median(service: Service, path: str) -> float:
    """Return the median time of a page, in milliseconds."""
    request = service.json_request("GET", path)
    times: list[float] = []
    with Connection(service.port) as connection:
        _check(connection.ask(request).body, path)
        while len(times) < LEAST_REQUESTS or (
            len(times) < MOST_REQUESTS and sum(times) < MOST_SECONDS
        ):
            with Stopwatch() as watch:
                answer = connection.ask(request)
            expect(answer, 200)
            times.append(watch.seconds)
    return statistics.median(times) * 1000


def _check(body: bytes, path: str) -> None:
    """See that a whole page came."""
    answer = json.loads(body)
    lengths = [len(value) for value in answer.values() if isinstance(value, list)]
    if lengths != [PAGE]:
        raise RuntimeError(f"{path} gave {lengths}: {body[:300]!r}")
