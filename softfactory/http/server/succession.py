"""Who takes over on a reload: workers of before go on until one that replaces them is there.

Workers, and the master, tell each other through memory and files that they share across the fork.
"""

import mmap
import os
import struct
from typing import Any

BOOT_SECONDS = 20.0
"""How long a replaced worker waits for its successors; gunicorn itself would not wait at all."""

_AGE = struct.Struct("q")

_newest = mmap.mmap(-1, _AGE.size)
"""The age of the youngest worker that serves. gunicorn numbers them in the order of their start."""


def replace_all(server: Any) -> None:  # noqa: ANN401  # gunicorn's arbiter
    """Let the workers that there are know that they are being replaced (``on_reload``)."""
    for worker in server.WORKERS.values():
        os.pwrite(worker.tmp.fileno(), _AGE.pack(server.worker_age), 0)


def has_booted(age: int) -> None:
    """Let older workers know that this one serves."""
    _newest[:] = _AGE.pack(max(age, _AGE.unpack(_newest[:])[0]))


def is_replaced(worker: Any) -> bool:  # noqa: ANN401  # gunicorn's worker
    """Whether the worker stops because of a reload, so that the instance stays."""
    return bool(os.pread(worker.tmp.fileno(), 1, 0))


def has_successor(worker: Any) -> bool:  # noqa: ANN401  # gunicorn's worker
    """Whether a worker that replaces this one serves already."""
    (oldest,) = _AGE.unpack(os.pread(worker.tmp.fileno(), _AGE.size, 0))
    return bool(_AGE.unpack(_newest[:])[0] > oldest)
