"""10,000 signed part URLs in one answer."""

from benchmarks.bench import Bench
from benchmarks.bodies import MIB
from benchmarks.cases.parts import Upload
from benchmarks.report import Goal, Row, Section
from benchmarks.rounds import Stopwatch, interleaved
from benchmarks.servers.service import Service

COUNT = 10_000
PART_SIZE = 5 * MIB


def measure(bench: Bench) -> Section:
    """Measure the first answer of an upload, and the one on resuming it."""
    section = Section("Signing", ("service",))
    with bench.service() as service:
        resumed: list[float] = []
        seconds = interleaved(bench.rounds, {"service": lambda: _sign(service, resumed)})
    goal = Goal("service", 0.25)
    section.rows.append(Row(f"initiate, {COUNT:,} part URLs", "s", seconds, [goal]))
    section.rows.append(Row(f"resume, {COUNT:,} part URLs", "s", {"service": resumed[1:]}, [goal]))
    return section


def _sign(service: Service, resumed: list[float]) -> float:
    upload = Upload(service, COUNT * PART_SIZE, PART_SIZE)
    with Stopwatch() as watch:
        upload.begin()
    with Stopwatch() as resuming:
        upload.resume()
    upload.abort()
    resumed.append(resuming.seconds)
    return watch.seconds
