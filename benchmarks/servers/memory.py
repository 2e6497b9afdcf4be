"""What a server's processes hold in memory, by the kernel's own count (Linux)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

MIB = 1024 * 1024


def family(pid: int) -> list[psutil.Process]:
    """Return a process with all its children."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def resident(pid: int) -> int:
    """Return what the processes hold now, in bytes."""
    return sum(process.memory_info().rss for process in family(pid))


def reset_peak(pid: int) -> None:
    """Make the kernel count each process's peak anew."""
    for process in family(pid):
        # "5" resets VmHWM (proc(5), /proc/pid/clear_refs).
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")


def peak(pid: int) -> int:
    """Return the sum of the processes' peaks since ``reset_peak``, in bytes."""
    total = 0
    for process in family(pid):
        status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        total += next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
    return total


class Memory:
    """How far the memory of a server's processes rises above what they hold at rest, in MiB."""

    def __init__(self, pid: int) -> None:
        """Take what the server whose first process is ``pid`` holds now as its rest."""
        self._pid, self._at_rest = pid, resident(pid)
        self.rises: list[float] = []
        """One for each block that was watched."""

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note the highest point that memory reaches while the block runs."""
        reset_peak(self._pid)
        yield
        self.rises.append(max(0.0, (peak(self._pid) - self._at_rest) / MIB))
