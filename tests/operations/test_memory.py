"""What was freed is the system's again, however many threads had it."""

import subprocess
import sys

from tests.e2e.server import ROOT

SENDING = """
import os, threading
from pathlib import Path
from softfactory import memory
{call}
start = threading.Barrier(8)

def send():
    start.wait()
    kept = []
    for _ in range(4):
        part = bytearray()
        for _ in range(8):
            part += bytes(1024 * 1024)
        kept.append(bytearray(1000))
        body = bytes(part)
        part.clear()
        kept.append(body[:1000])
        del body
    start.wait()
    hold.append(kept)
    start.wait()

hold = []
threads = [threading.Thread(target=send) for _ in range(7)]
for thread in threads: thread.start()
start.wait(); start.wait()
pages = int(Path("/proc/self/statm").read_text().split()[1])
print(pages * os.sysconf("SC_PAGE_SIZE") // 1024 // 1024)
start.wait()
"""


def resident(call: str) -> int:
    """Return the MiB that are resident in a process whose threads have sent parts."""
    ran = subprocess.run(
        [sys.executable, "-c", SENDING.format(call=call)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return int(ran.stdout)


def test_parts_that_were_sent_leave_a_process_no_larger() -> None:
    assert resident("memory.give_back_large_blocks()") < 40


READING = """
import resource, threading
from softfactory import memory
memory.give_back_large_blocks()

def read():
    for _ in range(300):
        bytearray(b"x") * (1024 * 1024)

thread = threading.Thread(target=read)
thread.start()
thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def test_what_is_read_piece_by_piece_takes_its_memory_from_the_system_once() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", READING],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert int(ran.stdout) < 20_000  # 77,000 pages where each piece is new
