"""How the C library hands freed memory back, which decides what a busy process keeps of it."""

import ctypes
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""mallopt(3)'s names for how much a heap keeps free at its end, and for the size from which a block has
a mapping of its own."""

LARGE = 4 * 1024 * 1024
"""Bytes; parts on their way to S3 are larger, what is read from a socket at a time is smaller."""


def give_back_large_blocks() -> None:
    """Have each large block given back to the system as it is freed.

    glibc raises its threshold to the size of what was freed last, up to 32 MiB, and from then on keeps
    such blocks in a heap for each thread: mallopt(3), "dynamic mmap threshold". Fixing the one fixes the
    other at 128 KiB, and each MiB that is read from a socket would be asked of the system anew, so it
    is set too. Does nothing where the C library knows no thresholds.
    """
    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, LARGE)
        library.mallopt(_M_TRIM_THRESHOLD, LARGE)
