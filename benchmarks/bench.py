"""What every case is given: a room, bodies, the number of rounds, and the servers."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from benchmarks.bodies import GIB, MIB, Bodies
from benchmarks.servers import copyparty, nginx
from benchmarks.servers.backing import AbsentError, backing
from benchmarks.servers.copyparty import Copyparty
from benchmarks.servers.nginx import Nginx
from benchmarks.servers.service import Service

S = TypeVar("S", Nginx, Copyparty)


@dataclass
class Bench:
    """One run.

    Attributes:
        room: a directory on the disk that is measured; removed after the run.
        rounds: counted rounds of each work.
        is_quick: whether this is to see that all works, not to see figures.
    """

    room: Path
    rounds: int
    is_quick: bool
    missing: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Make what is sent."""
        large = 64 * MIB if self.is_quick else GIB
        self.bodies = Bodies(self.room, large, 200 if self.is_quick else 2000)

    @contextmanager
    def service(
        self,
        name: str = "service",
        fill: Callable[[Service], None] = lambda _: None,
        settings: Mapping[str, str] | None = None,
    ) -> Iterator[Service]:
        """Yield a fresh service that ``fill`` has filled, and remove it afterwards."""
        room = self.room / name
        service = Service(room, settings)
        fill(service)
        service.start()
        try:
            yield service
        finally:
            service.stop()
            shutil.rmtree(room)

    @contextmanager
    def scaled_service(
        self, name: str, fill: Callable[[Service], None]
    ) -> Iterator[Service | None]:
        """Yield one on PostgreSQL, Redis and S3, or None where one of these is not to be had."""
        with ExitStack() as stack:
            try:
                settings = stack.enter_context(backing())
            except AbsentError as error:
                print(f"{error} The service's columns on it stay empty.")
                yield None
                return
            yield stack.enter_context(self.service(name, fill, settings))

    @contextmanager
    def nginx(self) -> Iterator[Nginx | None]:
        """Yield a fresh nginx, or None where there is none to be had."""
        command = self._found(nginx.NAME, nginx.find)
        with self._running(Nginx(command, self._room(nginx.NAME)) if command else None) as server:
            yield server

    @contextmanager
    def copyparty(self) -> Iterator[Copyparty | None]:
        """Yield a fresh copyparty, or None where there is none to be had."""
        command = self._found(copyparty.NAME, copyparty.find)
        room = self._room(copyparty.NAME)
        with self._running(Copyparty(command, room) if command else None) as server:
            yield server

    def _found(self, name: str, find: Callable[[], str | None]) -> str | None:
        command = None if name in self.missing else find()
        if command is None and name not in self.missing:
            self.missing.add(name)
            print(f"{name} is not here and cannot be installed: its columns stay empty.")
        return command

    def _room(self, name: str) -> Path:
        room = self.room / name
        room.mkdir(exist_ok=True)
        return room

    @contextmanager
    def _running(self, server: S | None) -> Iterator[S | None]:
        try:
            yield server
        finally:
            if server is not None:
                server.stop()
                shutil.rmtree(self.room / server.name)
