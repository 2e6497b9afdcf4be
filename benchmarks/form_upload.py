"""A 45 MB form upload: how fast, beside writing the same bytes to the same disk, and how much memory.

``make bench`` or ``python benchmarks/form_upload.py [ROUNDS]``. Embedded configuration (SQLite,
local disk, fsync on), under gunicorn. Linux only: it reads and resets the kernel's own peak counter.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil
from urllib3 import encode_multipart_formdata

from tests import samples
from tests.e2e.person import Person
from tests.e2e.server import Server

MIB = 1024 * 1024
SIZE = 45 * MIB
GOAL_MIB = 16
"""How much the server's memory may rise (design.md, "Speed to reach")."""


def reset_peak(processes: list[psutil.Process]) -> None:
    """Make the kernel count each process's peak anew."""
    for process in processes:
        # "5" resets VmHWM (proc(5), /proc/pid/clear_refs).
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")


def peak(processes: list[psutil.Process]) -> int:
    """Return the sum of the processes' peaks since ``reset_peak``, in bytes."""
    total = 0
    for process in processes:
        status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        total += next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
    return total


def write_seconds(body: bytes, directory: Path) -> float:
    """Return how long it takes to write ``body`` to a file and fsync it."""
    started = time.perf_counter()
    with (directory / "baseline").open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    return time.perf_counter() - started


def measure(rounds: int, directory: Path) -> None:
    """Run the rounds against one server and print the table."""
    server = Server(
        settings={
            "APP_ENV": "development",
            "DATABASE_URL": f"sqlite:///{directory}/bench.db",
            "MEDIA_ROOT": str(directory / "media"),
            "MAIL_FILE_PATH": str(directory / "mail"),
            "RATELIMIT_ENABLED": "false",
        },
        log=directory / "server.log",
    )
    server.flask("db", "upgrade")
    server.start()
    try:
        person = Person(server.url, directory / "mail")
        person.register()
        person.log_in()
        body, header = encode_multipart_formdata({"file": ("a.pdf", samples.pdf(size=SIZE))})
        parent = psutil.Process(server.process.pid if server.process else 0)
        processes = [parent, *parent.children(recursive=True)]
        # A small upload first: what is imported on first use is not what a large file costs.
        person.call("POST", "/api/files/upload", files={"file": ("a.png", samples.png())})
        at_rest = sum(process.memory_info().rss for process in processes)
        uploads, writes, rises = [], [], []
        for _ in range(rounds):
            writes.append(write_seconds(body, directory))
            reset_peak(processes)
            started = time.perf_counter()
            answer = person.call(
                "POST", "/api/files/upload", data=body, headers={"Content-Type": header}
            )
            uploads.append(time.perf_counter() - started)
            answer.raise_for_status()
            rises.append((peak(processes) - at_rest) / MIB)
        upload, write = statistics.median(uploads), statistics.median(writes)
        print(
            f"45 MiB form upload, median of {rounds}: {upload:.3f} s ({SIZE / MIB / upload:.0f} MiB/s)"
        )
        print(
            f"the same bytes written and fsynced:  {write:.3f} s; upload / write = {upload / write:.2f}"
        )
        print(f"server memory rises by at most {max(rises):.1f} MiB above rest (goal: {GOAL_MIB})")
    finally:
        server.kill()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as room:
        measure(int(sys.argv[1]) if len(sys.argv) > 1 else 7, Path(room))
