"""``python -m benchmarks``: measure, print the table, write the figures."""

import argparse
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.cases import (
    api,
    completing,
    forms,
    lists,
    ranges,
    signing,
    small_files,
    transfer,
)
from benchmarks.report import Section, write_json
from tests.e2e.server import ROOT

CASES: dict[str, Callable[[Bench], Section]] = {
    "transfer": transfer.measure,
    "form": forms.measure,
    "small": small_files.measure,
    "range": ranges.measure,
    "list": lists.measure,
    "sign": signing.measure,
    "complete": completing.measure,
    "api": api.measure,
}

ROOM = ROOT / ".bench"
"""Beside the code, because directories for temporary files may be no disk."""


def main() -> None:
    """Run the cases that were asked for."""
    options = _options()
    # A bench that is told to stop ends the servers that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    ROOM.mkdir(exist_ok=True)
    machine = _machine()
    print(" · ".join(machine.values()), "\n", flush=True)
    sections = []
    room = Path(tempfile.mkdtemp(dir=options.room))
    try:
        bench = Bench(room, options.rounds or (1 if options.quick else 7), options.quick)
        for name in options.only or CASES:
            started = time.monotonic()
            section = CASES[name](bench)
            sections.append(section)
            print(section.table())
            print(f"\n({name}: {time.monotonic() - started:.0f} s)\n", flush=True)
    finally:
        shutil.rmtree(room)
    write_json(options.json, machine, sections)
    print(f"Every round of it: {options.json}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=[*CASES], help="may be given again")
    parser.add_argument("--quick", action="store_true", help="small, one round: does it work?")
    parser.add_argument("--rounds", type=int, help="counted rounds of each work (7)")
    parser.add_argument("--json", type=Path, default=ROOM / "results.json")
    parser.add_argument(
        "--room", type=Path, default=ROOM, help="a directory on the disk to measure"
    )
    return parser.parse_args()


def _machine() -> dict[str, str]:
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processors": f"{os.cpu_count()} processors",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"Python {platform.python_version()}",
        "load": f"load {os.getloadavg()[0]:.1f} at the start",
    }


if __name__ == "__main__":
    main()
