"""The immutable files that hold the objects' bytes, named at random and sharded by their names."""

import errno
import itertools
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from softfactory.storage.local.directories import make_durable
from softfactory.storage.local.failures import Translated
from softfactory.storage.local.writing import PARTIAL, Draft, SecondName

_FILES_PER_VISIT = 256
"""Files that go into one shard before the next is drawn, so that few are made and fsynced."""

FILE_NAME = re.compile(rf"[0-9a-f]{{32}}({re.escape(PARTIAL)})?")
"""What this store names its files; whatever else lies there is an operator's."""


class FileStore:
    """Files below ``<root>/files/ab/cd/``; a file's name begins with its shard, ``abcd``."""

    def __init__(self, root: Path) -> None:
        """Keep files in ``root``/files; nothing is made before it is needed."""
        self._root = root
        self._directory = root / "files"
        self._drawn = itertools.count()
        self._shard = ""
        self._durable: set[str] = set()

    @contextmanager
    def draft(self) -> Iterator[Draft]:
        """Yield a new file to write and publish; withdrawn where the block fails."""
        name = self._next_name()
        with ExitStack() as stack:
            with Translated():
                draft = stack.enter_context(Draft(self._made(name), name))
            yield draft

    @contextmanager
    def second_name(self, existing: Path) -> Iterator[SecondName | None]:
        """Yield a new name for the file at ``existing``, to publish; withdrawn as a draft is.

        None where the file cannot have one: somebody may be writing to it.
        """
        name = self._next_name()
        with ExitStack() as stack:
            with Translated():
                try:
                    second = stack.enter_context(SecondName(self._made(name), name, existing))
                except BlockingIOError:
                    second = None
            yield second

    def open(self, name: str, size: int) -> BinaryIO:
        """Open the file of ``size`` bytes for reading; it can be read on when it is removed.

        Raises:
            FileNotFoundError: it has been removed, or is not that large any more.
        """
        try:
            file = self.path(name).open("rb", buffering=0)
        except IsADirectoryError as error:
            raise FileNotFoundError(errno.ENOENT, "it is a directory", name) from error
        if os.fstat(file.fileno()).st_size != size:
            file.close()
            raise FileNotFoundError(errno.ENOENT, "it has another size", name)
        return file

    def require(self, name: str, size: int) -> None:
        """Return if the file is there with all its bytes.

        Raises:
            FileNotFoundError: as ``open``.
        """
        if self.path(name).stat().st_size != size:
            raise FileNotFoundError(errno.ENOENT, "it has another size", name)

    def path(self, name: str) -> Path:
        """Return where the file of that name lies."""
        return self._directory / f"{name[:2]}/{name[2:4]}/{name}"

    def remove(self, names: list[str]) -> None:
        """Remove files that the index no longer refers to; the sweep takes those that resist."""
        for name in names:
            try:
                self.path(name).unlink(missing_ok=True)
            except OSError:
                continue

    def shards(self) -> Iterator[tuple[str, Path]]:
        """Yield each shard that exists: what its files' names begin with, and its directory."""
        for first in _hex_directories(self._directory):
            for second in _hex_directories(first):
                yield first.name + second.name, second

    def _next_name(self) -> str:
        if next(self._drawn) % _FILES_PER_VISIT == 0:
            self._shard = token_hex(2)
        return self._shard + token_hex(14)

    @Translated()
    def _made(self, name: str) -> Path:
        directory = self.path(name).parent
        if name[:4] not in self._durable or not directory.is_dir():
            make_durable(directory, root=self._root)
            self._durable.add(name[:4])
        return directory


def _hex_directories(directory: Path) -> list[Path]:
    try:
        with os.scandir(directory) as entries:
            names = [e.name for e in entries if re.fullmatch("[0-9a-f]{2}", e.name)]
    except FileNotFoundError:
        return []
    return [directory / name for name in sorted(names)]
