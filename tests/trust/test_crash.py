"""kill -9 under mixed load: what a client was told is stored is there, and nothing else is."""

import os
import sys
from collections.abc import Callable

from tests.conftest import REDIS
from tests.e2e.clients import embedded_and_scaled
from tests.e2e.server import Server
from tests.trust.killing import Killing
from tests.trust.settling import SETTINGS

KILLS = int(os.environ.get("TRUST_KILLS") or 2)
SETTLE_EVERY = 4


@embedded_and_scaled
def test_kills_lose_nothing_that_a_client_was_told_is_stored(
    make_server: Callable[..., Server], storage_environment: dict[str, str], seed: int
) -> None:
    is_scaled = storage_environment["UPLOAD_STORAGE_HANDLER"] == "s3"
    more = {"REDIS_URL": REDIS, "WEB_CONCURRENCY": "2"} if is_scaled and REDIS else {}
    server = make_server(RATELIMIT_ENABLED="false", **SETTINGS, **more)
    killing = Killing(server, seed)

    for number in range(1, KILLS + 1):
        killing.round(longest=1.5, settles=number % SETTLE_EVERY == 0 or number == KILLS)

    sys.stdout.write(killing.tally.report(seed, killing.clients))
