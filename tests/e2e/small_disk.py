"""A disk of a few MiB that a test can fill: a real tmpfs, which only root can mount."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class SmallDisk:
    """A mounted disk; what fills it is one file that stands for everybody else's."""

    path: Path

    @property
    def room(self) -> int:
        """How many bytes are free."""
        disk = os.statvfs(self.path)
        return disk.f_bavail * disk.f_frsize

    def fill(self, *, leave: int = 0) -> None:
        """Fill it up to the last so many bytes."""
        with self._ballast.open("ab") as ballast:
            if (size := self.room - leave) > 0:
                os.posix_fallocate(ballast.fileno(), ballast.tell(), size)

    def make_room(self) -> None:
        """Remove what filled it."""
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"


@contextmanager
def small_disk(path: Path, *, size: int) -> Iterator[SmallDisk]:
    """Mount a disk of ``size`` bytes at ``path``, which is made; skip the test where it cannot be."""
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no tmpfs can be mounted; run as root, in a container with CAP_SYS_ADMIN")
    try:
        yield SmallDisk(path)
    finally:
        # Lazily, because a server that was just killed may still hold a file.
        subprocess.run(["umount", "--lazy", str(path)], check=True)
