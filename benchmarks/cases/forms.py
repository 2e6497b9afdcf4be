"""A 45 MB form up, beside copyparty's own form upload."""

from functools import partial
from pathlib import Path

from benchmarks import disk
from benchmarks.bench import Bench
from benchmarks.bodies import FORM_TYPE, MIB
from benchmarks.client.wire import Connection, expect, head
from benchmarks.report import Goal, Row, Section
from benchmarks.rounds import Stopwatch, interleaved
from benchmarks.servers.copyparty import Copyparty
from benchmarks.servers.memory import Memory
from benchmarks.servers.service import Service

SIZE = 45 * MIB
MEMORY_GOAL = 16


class _Work:
    """Forms to one server, with how far its memory rises."""

    def __init__(self, server: Service | Copyparty, bench: Bench) -> None:
        self.server = server
        if isinstance(server, Service):
            self.form = bench.bodies.form("service", "file", SIZE)
            self._up(bench.bodies.form("little", "file", 10_240))
        else:
            self.form = bench.bodies.form("copyparty", "f", SIZE, act="bput")
        self.memory = Memory(server.pid)

    def up(self) -> float:
        """Send the form; return MiB/s."""
        with self.memory.watched(), Stopwatch() as watch:
            self._up(self.form)
        return SIZE / MIB / watch.seconds

    def _up(self, form: Path) -> None:
        size = form.stat().st_size
        if isinstance(self.server, Service):
            request = self.server.head("POST", "/api/files/upload", size, Content_Type=FORM_TYPE)
        else:
            request = head("POST", "/?j", size, Content_Type=FORM_TYPE)
        with Connection(self.server.port) as connection:
            expect(connection.send_file(request, form, 0, size), 200, 201)


def measure(bench: Bench) -> Section:
    """Measure speed and memory."""
    section = Section("One form", ("service", "copyparty", disk.NAME))
    with bench.service() as service, bench.copyparty() as copyparty:
        works = {s.name: _Work(s, bench) for s in (service, copyparty) if s is not None}
        ups = {name: work.up for name, work in works.items()}
        ups[disk.NAME] = partial(_disk_alone, works["service"].form, bench.room)
        speeds = interleaved(bench.rounds, ups)
    goals = [Goal("service", 2.0, "copyparty", is_floor=True)]
    section.rows.append(Row("45 MiB form up", "MiB/s", speeds, goals))
    rises = {name: work.memory.rises for name, work in works.items()}
    goals = [Goal("service", MEMORY_GOAL)]
    section.rows.append(Row("memory rises, 45 MiB form up", "MiB", rises, goals))
    return section


def _disk_alone(form: Path, room: Path) -> float:
    with Stopwatch() as watch:
        disk.write_durably(form, room)
    return SIZE / MIB / watch.seconds
