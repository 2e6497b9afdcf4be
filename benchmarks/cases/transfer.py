"""1 GiB up in parts and down again, and what the server's memory does meanwhile."""

import os
from functools import partial
from pathlib import Path

from benchmarks import disk
from benchmarks.bench import Bench
from benchmarks.bodies import MIB
from benchmarks.cases.parts import Upload
from benchmarks.client.wire import Connection, expect, head
from benchmarks.report import Goal, Row, Section
from benchmarks.rounds import Stopwatch, interleaved
from benchmarks.servers.copyparty import Copyparty
from benchmarks.servers.memory import Memory
from benchmarks.servers.nginx import Nginx
from benchmarks.servers.service import Service, target

PART_SIZE = 64 * MIB
MEMORY_GOAL = 16
"""MiB that the server may take on top of what it has at rest."""

SYNCED = "nginx + fsync"
"""nginx, whose files are then fsynced from outside: as durable as the service's."""


class _Work:
    """Transfers by one server, with how far its memory rises."""

    def __init__(self, server: Service | Nginx | Copyparty, body: Path) -> None:
        self.server, self.body = server, body
        self.size = body.stat().st_size
        if isinstance(server, Service):
            # What is loaded on first use is not what a large file costs.
            Upload(server, MIB, 5 * MIB).whole(body)
        self.memory = Memory(server.pid)

    def up(self, *, is_synced: bool = False) -> float:
        """Send the body in parts; return MiB/s."""
        with self.memory.watched(), Stopwatch() as watch:
            if isinstance(self.server, Service):
                Upload(self.server, self.size, PART_SIZE).whole(self.body)
            else:
                self._put_parts()
            if is_synced:
                self._sync()
        for path in self._files():  # the service would keep a deleted file as a version
            path.unlink()
        return self.size / MIB / watch.seconds

    def down(self, path: str) -> float:
        """Fetch what is at ``path``; return MiB/s."""
        with self.memory.watched(), Connection(self.server.port) as connection:
            with Stopwatch() as watch:
                answer = expect(connection.drop(head("GET", path)), 200)
            if answer.length != self.size:
                raise RuntimeError(f"{self.server.name} sent {answer.length} bytes")
        return self.size / MIB / watch.seconds

    def _put_parts(self) -> None:
        with Connection(self.server.port) as connection:
            for offset in range(0, self.size, PART_SIZE):
                count = min(PART_SIZE, self.size - offset)
                request = head("PUT", f"/parts/{offset}", count)
                expect(connection.send_file(request, self.body, offset, count), 201, 204)

    def _files(self) -> list[Path]:
        if isinstance(self.server, Service):
            return [*self.server.media.glob("files/*/*/*")]
        return [path for path in self.server.files.glob("parts/*") if path.is_file()]

    def _sync(self) -> None:
        for path in self._files():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def measure(bench: Bench) -> Section:
    """Measure both directions."""
    section = Section("Large files", ("service", "nginx", SYNCED, "copyparty", disk.NAME))
    body = bench.bodies.large
    size = f"{body.stat().st_size // MIB:,} MiB"
    with bench.service() as service, bench.nginx() as nginx, bench.copyparty() as copyparty:
        servers = [server for server in (service, nginx, copyparty) if server is not None]
        works = {server.name: _Work(server, body) for server in servers}
        ups = {name: work.up for name, work in works.items()}
        if nginx is not None:
            ups[SYNCED] = partial(works[nginx.name].up, is_synced=True)
        ups[disk.NAME] = partial(_disk_alone, body, bench.room)
        goals = [Goal("service", 1.2, "nginx", is_floor=True)]
        row = Row(f"{size} up in parts, hashed", "MiB/s", interleaved(bench.rounds, ups), goals)
        section.rows.extend([row, _memory(f"memory rises, {size} up", works)])

        paths = {"service": stored(service, body)}
        for server in (nginx, copyparty):
            if server is not None:
                (server.files / "large").hardlink_to(body)
                paths[server.name] = "/large"
        downs = {name: partial(work.down, paths[name]) for name, work in works.items()}
        goals = [Goal("service", 1.0, "nginx", is_floor=True)]
        row = Row(f"{size} down", "MiB/s", interleaved(bench.rounds, downs), goals)
        section.rows.extend([row, _memory(f"memory rises, {size} down", works)])
    return section


def stored(service: Service, body: Path) -> str:
    """Store the body; return its signed URL, without the server."""
    upload = Upload(service, body.stat().st_size, PART_SIZE)
    upload.whole(body)
    question = {"file_id": int(upload.file_id)}
    url: str = service.call("POST", "/api/files/presigned-url", question)["presigned_url"]
    return target(url)


def _disk_alone(body: Path, room: Path) -> float:
    with Stopwatch() as watch:
        disk.write_durably(body, room)
    return body.stat().st_size / MIB / watch.seconds


def _memory(work: str, works: dict[str, _Work]) -> Row:
    """Return the row of what was seen since the last one."""
    rises = {name: each.memory.rises for name, each in works.items()}
    for each in works.values():
        each.memory.rises = []
    return Row(work, "MiB", rises, [Goal("service", MEMORY_GOAL)])
