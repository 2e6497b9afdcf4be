"""Completing an upload: a large one is to cost what a small one does."""

from functools import partial
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.bodies import GIB, MIB
from benchmarks.cases.parts import Upload
from benchmarks.report import Goal, Row, Section
from benchmarks.rounds import Stopwatch, interleaved
from benchmarks.servers.service import Service

PARTS = 4
SMALL, SMALL_PART = 16 * MIB, 5 * MIB


def measure(bench: Bench) -> Section:
    """Measure completing alone; the parts are sent, and are durable, before."""
    large = GIB if bench.is_quick else 5 * GIB
    names = ("16 MiB", f"{large // GIB} GiB")
    section = Section("Completing", names)
    body = bench.room / "zeros"
    with body.open("wb") as file:
        file.truncate(large)
    with bench.service() as service:
        works = {
            names[0]: partial(_complete, service, body, SMALL, SMALL_PART),
            names[1]: partial(_complete, service, body, large, large // PARTS),
        }
        times = interleaved(min(bench.rounds, 5), works)
    goal = Goal(names[1], 1.5, names[0])
    section.rows.append(Row(f"completing an upload in {PARTS} parts", "ms", times, [goal]))
    return section


def _complete(service: Service, body: Path, size: int, part_size: int) -> float:
    upload = Upload(service, size, part_size)
    upload.begin()
    upload.send(body)
    with Stopwatch() as watch:
        upload.complete()
    for path in service.media.glob("files/*/*/*"):
        path.unlink()
    return watch.seconds * 1000
