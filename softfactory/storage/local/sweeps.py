"""The verbs that remove what nobody needs any more: old versions and leftovers of crashes."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from sqlite3 import Connection

from softfactory.storage.local import uploads, versions
from softfactory.storage.local.base import LocalBase
from softfactory.storage.local.directories import locked
from softfactory.storage.local.failures import Translated
from softfactory.storage.local.files import FILE_NAME
from softfactory.storage.local.times import to_ticks
from softfactory.storage.local.upload_directories import WHOLE

_BATCH = 500
"""Versions removed by one commit, so that no other writer waits long."""


class Sweeps(LocalBase):
    """Cleaning up beside live traffic; promises as in ``Storage``.

    Every writer holds a lock on its file or directory from before it can be seen until the index
    knows it. So what is not locked, and not in the index afterwards, is nobody's.
    """

    def noncurrent_bytes(self, roots: Iterable[str]) -> int:
        """Return what old versions below ``roots`` take, as triggers of the index count it."""
        return self._index.look_up(partial(versions.noncurrent_bytes, roots=[*roots]))

    def sweep_noncurrent(self, before: datetime, *, prefix: str = "", dry_run: bool = False) -> int:
        """Delete versions below ``prefix`` that stopped being current before ``before``."""
        ticks = to_ticks(before)
        if dry_run:
            counted = partial(versions.count_noncurrent, before=ticks, prefix=prefix)
            return self._index.read(counted)
        removed = 0
        while True:
            remove = partial(versions.remove_noncurrent, before=ticks, prefix=prefix, limit=_BATCH)
            batch, count, spare = self._index.write(remove)
            self._files.remove(spare)
            removed += count
            if batch < _BATCH:
                return removed

    @Translated()
    def sweep_orphans(self, before: datetime, *, dry_run: bool = False) -> int:
        """Remove leftovers of crashes, untouched since ``before``; return how many.

        An upload's directory counts as one. Times are those of the file system.
        """
        removed = 0
        for shard, directory in self._files.shards():
            stale = [p for p in _stale(directory, before) if FILE_NAME.fullmatch(p.name)]
            if stale:
                known = self._index.read(partial(versions.files_of, shard=shard))
                for path in stale:
                    if path.name not in known:
                        in_use = partial(versions.is_referenced, file=path.name)
                        removed += self._sweep(path, in_use, dry_run=dry_run)
        for directory in _stale(self._directories.path, before):
            in_use = partial(uploads.exists, upload_id=directory.name)
            removed += self._sweep(directory, in_use, dry_run=dry_run)
        for directory in _stale(self._directories.path, None):
            for path in _stale(directory, before):
                in_use = partial(uploads.is_in_use, upload_id=directory.name, file=path.name)
                if path.name != WHOLE:
                    removed += self._sweep(path, in_use, dry_run=dry_run)
        return removed

    def _sweep(self, path: Path, in_use: Callable[[Connection], bool], *, dry_run: bool) -> int:
        """Remove a file or directory unless its writer is alive or the index knows it."""
        try:
            with locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
                if self._index.read(in_use):
                    return 0
                if dry_run:
                    return 1
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        except (FileNotFoundError, BlockingIOError):
            return 0
        return 1


def _stale(directory: Path, before: datetime | None) -> list[Path]:
    """Return what lies in ``directory`` and was not touched since ``before`` (None: all)."""
    found = []
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                touched = entry.stat(follow_symlinks=False).st_ctime_ns // 1000
                if before is None or touched < to_ticks(before):
                    found.append(Path(entry.path))
    return found
