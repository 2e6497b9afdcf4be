"""Threads of this process, for work that needs no interpreter and should not grow with requests."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from softfactory.processors import run_anywhere


def threads(name: str, count: int) -> ThreadPoolExecutor:
    """Return the process's ``count`` threads of this name; a fork does not take threads along."""
    return _threads(os.getpid(), name, count)


@cache
def _threads(_pid: int, name: str, count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix=name, initializer=run_anywhere)
