"""Which processors a thread runs on: those that compute stay together on one of them (Linux).

Python runs one thread at a time, and passes on to another at each system call. Where the next one
sits on another processor, waking it and moving the caches over costs more than a small request
does: of 10 KiB files, eight clients at once got 650 a second before, and 930 since. Work that
Python does not hold back, such as hashing, is for the other processors.
"""

import os
import threading
from contextlib import suppress
from pathlib import Path

_ALL = frozenset(os.sched_getaffinity(0))
_STAT = Path("/proc/thread-self/stat")

_home = _ALL
_mine = threading.local()


def settle() -> None:
    """Make the processor that the calling thread is on the home of this process.

    Called now and then by a thread that runs anywhere: the kernel wakes it where there is room.
    """
    global _home  # noqa: PLW0603  # one for the process
    with suppress(OSError, ValueError, IndexError):
        # Its 39th field, behind a name that may hold anything (proc(5)).
        processor = int(_STAT.read_text().rpartition(")")[2].split()[36])
        if processor in _ALL:
            _home = frozenset((processor,))


def stay_home() -> None:
    """Keep the calling thread where the others are that compute."""
    _run_on(_home)


def run_anywhere() -> None:
    """Let the calling thread run on any processor that this process may use."""
    _run_on(_ALL)


def _run_on(processors: frozenset[int]) -> None:
    if getattr(_mine, "processors", None) == processors:
        return
    _mine.processors = processors
    with suppress(OSError):  # a sandbox may forbid it
        os.sched_setaffinity(0, processors)
