"""What attackers do, others do not notice: they are answered, soon, and memory stays bounded."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.e2e.edge import edge
from tests.trust import attacks
from tests.trust.attacks import Onlooker, Target, target_of
from tests.trust.load import holdings

IS_LONG = "TRUST_ATTACK_SECONDS" in os.environ
SECONDS = float(os.environ.get("TRUST_ATTACK_SECONDS") or 2)
WARM_UP = 0.5
"""Seconds in which the attack begins, and the first wave of it is worked off."""

SOON = 0.25 if IS_LONG else 1.0
"""Seconds within which 99 of 100 are told that the service is well; more where the rest of the suite
has the machine too."""

MORE_MEMORY = 48
"""MiB while an attack lasts."""

SIZE = 40 * 1024 * 1024

ATTACKS: dict[str, Callable[[Target, ExitStack], None]] = {
    attack.__name__: attack
    for attack in (
        attacks.heads_without_bodies,
        attacks.heads_that_wait_to_be_told,
        attacks.chunks_that_do_not_come,
        attacks.uploads_that_crawl,
        attacks.uploads_that_begin_to_crawl,
        attacks.downloads_that_crawl,
        attacks.answers_that_nobody_takes,
        attacks.more_connections_than_there_are,
        attacks.a_flood_of_readiness,
        attacks.endless_chunk_extensions,
        attacks.endless_trailers,
    )
}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, sqlite_template: bytes) -> Iterator[Target]:
    """One server of one worker for all of them, with the patience of production."""
    with edge(tmp_path_factory.mktemp("attacks"), sqlite_template) as running:
        yield target_of(running, SIZE)


@pytest.mark.parametrize("name", ATTACKS)
def test_others_are_answered_while_attackers_do_what_they_do(target: Target, name: str) -> None:
    onlookers = {path: Onlooker(target.edge, path) for path in ("/healthz", "/api/auth/me")}
    before = holdings(target.edge.server)

    with ExitStack() as stack:
        ATTACKS[name](target, stack)
        time.sleep(WARM_UP)
        for onlooker in onlookers.values():
            onlooker.start(stack)
        time.sleep(SECONDS)
        during = holdings(target.edge.server)

    sys.stdout.write(
        f"{name}: {before.memory:.0f} to {during.memory:.0f} MiB, "
        + ", ".join(
            f"{path} p99 {onlooker.p99 * 1e3:.0f} ms of {len(onlooker.seconds)}"
            for path, onlooker in onlookers.items()
        )
        + "\n"
    )
    assert {path: onlooker.statuses for path, onlooker in onlookers.items()} == {
        "/healthz": {200},
        "/api/auth/me": {200},
    }
    assert onlookers["/healthz"].p99 < SOON
    assert during.memory < before.memory + MORE_MEMORY
