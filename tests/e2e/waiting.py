"""Waiting for what a server does in its own time."""

import time
from collections.abc import Callable


def wait_for(is_so: Callable[[], bool]) -> None:
    """Wait until it is so, ten seconds at most."""
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
