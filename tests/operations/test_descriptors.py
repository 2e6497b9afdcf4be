"""A server asks for the descriptors that it needs, and takes no more connections than it has room for."""

import os
import resource
import subprocess
import sys

import pytest

from tests.e2e.server import ROOT

ASK = (
    "import resource, runpy\n"
    "settings = runpy.run_path('gunicorn.conf.py')\n"
    "print(settings['worker_connections'], resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
)


def started_with(soft: int, hard: int) -> subprocess.CompletedProcess[str]:
    """Load gunicorn's configuration in a process of these limits."""
    limit = f'ulimit -Sn {soft} && ulimit -Hn {hard} && exec {sys.executable} -c "$ASK"'
    return subprocess.run(
        ["sh", "-c", limit],
        cwd=ROOT,
        env={**os.environ, "ASK": ASK, "APP_ENV": "development"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 4096, reason="the limit here is lower"
)
@pytest.mark.parametrize(
    ("soft", "hard", "connections", "raised"),
    [(1024, 4096, 1000, 2256), (1024, 1024, 384, 1024), (4096, 4096, 1000, 4096)],
)
def test_a_worker_takes_the_connections_for_which_it_has_descriptors(
    soft: int, hard: int, connections: int, raised: int
) -> None:
    started = started_with(soft, hard)

    assert started.stdout.split() == [str(connections), str(raised)], started.stderr


def test_a_limit_that_leaves_room_for_no_client_is_named_at_the_start() -> None:
    started = started_with(200, 200)

    assert started.returncode != 0
    assert "may open 200 files, and needs 2256: raise its limit (ulimit -n)" in started.stderr
