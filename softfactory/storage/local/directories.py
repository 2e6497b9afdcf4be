"""Directories that are there after a power cut, and locks on what lies in them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600


def make_root(root: Path) -> None:
    """Make the storage's own directory where there is none, so that a crash leaves it there."""
    if not root.is_dir():
        root.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        fsync_directory(root.parent)


def make_durable(directory: Path, *, root: Path) -> None:
    """Make ``directory`` and all between it and ``root``, so that a crash leaves them there.

    What another process made a moment ago is made durable too, so this costs an fsync for each
    level even where there is nothing to make: callers remember what they have made.
    """
    if directory != root:
        make_durable(directory.parent, root=root)
        directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        fsync_directory(directory.parent)
    else:
        make_root(root)


def fsync_directory(directory: Path) -> None:
    """Make the names in ``directory`` durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def locked(path: Path, how: int) -> Iterator[int]:
    """Hold a lock on a file or directory and yield its open descriptor.

    Threads and processes exclude each other alike; a killed one lets go.

    Args:
        how: ``fcntl.LOCK_SH`` or ``fcntl.LOCK_EX``, with ``LOCK_NB`` for not waiting.

    Raises:
        FileNotFoundError: nothing is at ``path``.
        BlockingIOError: it is held by another and ``LOCK_NB`` was asked for.
    """
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(fd, how)
        yield fd
    finally:
        os.close(fd)
