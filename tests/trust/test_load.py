"""Many clients on every route at once: no failure, no lock, and nothing held afterwards."""

import os
import sys
from collections import Counter
from collections.abc import Callable

from tests.conftest import REDIS
from tests.e2e.clients import embedded_and_scaled
from tests.e2e.server import Server
from tests.trust.load import Crowd, Timings, at_rest, trouble
from tests.trust.settling import SETTINGS

CLIENTS = int(os.environ.get("TRUST_CLIENTS") or 16)
SECONDS = float(os.environ.get("TRUST_SECONDS") or 3)
SLOW = CLIENTS // 2
"""Clients besides, that send a byte a second."""
WARM_UP = 0.5
"""Of ``SECONDS``, before the first look: pools fill, modules load, threads start."""

MORE_MEMORY = 48
"""MiB a worker in the second half of the time: a leak grows in both halves; what allocators and
pools come to keep, they keep in the first. In two minutes 1 MiB a second is found, in short runs
only gross leaks are.
"""
MORE_DESCRIPTORS = 24
"""A worker, likewise: connections of pools to Redis and S3, and to SQLite, which take three each."""
POOLED = 5
"""Database connections that a worker keeps (``factory``)."""


@embedded_and_scaled
def test_a_crowd_on_every_route_meets_no_failure_and_leaves_nothing_held(
    make_server: Callable[..., Server], storage_environment: dict[str, str], seed: int
) -> None:
    is_scaled = storage_environment["UPLOAD_STORAGE_HANDLER"] == "s3"
    workers = 2 if is_scaled and REDIS else 1
    more = {"REDIS_URL": REDIS, "WEB_CONCURRENCY": "2"} if workers > 1 else {}
    server = make_server(RATELIMIT_ENABLED="false", **SETTINGS, **more)
    crowd, warming, timings = Crowd(server, CLIENTS, seed), Timings(), Timings()

    wrong = crowd.work(SECONDS * WARM_UP, warming, slow=SLOW)
    before = at_rest(server)
    wrong += crowd.work(SECONDS / 2, timings, slow=SLOW)
    halfway = at_rest(server)
    wrong += crowd.work(SECONDS / 2, timings, slow=SLOW)
    after = at_rest(server)

    assert wrong == []
    assert warming.failures + timings.failures == []
    assert trouble(server) == []
    readings = (before, halfway, after)
    assert after.descriptors <= halfway.descriptors + MORE_DESCRIPTORS * workers, readings
    assert after.connections <= max(halfway.connections, POOLED * workers), readings
    assert after.memory <= halfway.memory + MORE_MEMORY * workers, readings
    files = crowd.check()
    operations = sum((Counter(visitor.operations) for visitor in crowd.visitors), Counter())
    sys.stdout.write(
        f"load: {CLIENTS} clients and {SLOW} slow ones, {workers} workers, {SECONDS:.0f} s, seed {seed}: "
        f"{operations.total()} operations, {sum(map(len, timings.seconds.values()))} answers, "
        f"{files} files compared\n  warm: {before}\n  half-way: {halfway}\n  at the end: {after}\n{timings.table()}\n"
    )
