"""The verb that tells an operator what is wrong."""

import os
from secrets import token_hex
from sqlite3 import Connection

from softfactory.errors import SoftFactoryError, StorageError
from softfactory.storage.keys import Key
from softfactory.storage.local.changes import Changes
from softfactory.storage.local.directories import make_root
from softfactory.storage.local.reads import Reads

_LEAST_ROOM = 64 * 1024 * 1024
"""Bytes; with less than this free, the index itself may soon not be able to grow."""

_PROBE = b"SoftFactory Files was here."


class Health(Changes, Reads):
    """Looking after the directory itself; its sentences name no paths."""

    def check(self) -> list[str]:
        """Return what keeps this storage from working, a plain sentence each.

        Reads the whole index once, and stores, lists, reads and deletes a probe object. Makes
        the root where there is none.
        """
        return self._check_root() or self._check_index() or self._check_verbs()

    def upload_url_problems(self) -> list[str]:
        """Return nothing: the URLs lead to this service, which obeys no header but its own."""
        return []

    def _check_root(self) -> list[str]:
        try:
            make_root(self._root)
            room = os.statvfs(self._root)
        except OSError as error:
            return [f"MEDIA_ROOT is not there and cannot be made: {error.strerror}."]
        if not os.access(self._root, os.R_OK | os.W_OK | os.X_OK):
            return ["MEDIA_ROOT is not writable: give this service's user access to it."]
        if room.f_bavail * room.f_frsize < _LEAST_ROOM:
            return ["MEDIA_ROOT has less than 64 MiB free: make room on its disk."]
        return []

    def _check_index(self) -> list[str]:
        try:
            found = self._index.read(_quick_check)
        except StorageError as error:
            return [f"The index in MEDIA_ROOT cannot be read ({error.__cause__})."]
        if found != "ok":
            return [f"The index in MEDIA_ROOT is damaged; bring back a backup ({found})."]
        return []

    def _check_verbs(self) -> list[str]:
        key = Key(f".probe/{token_hex(8)}")
        try:
            self.put(key, [_PROBE])
            try:
                with self.open(key) as opened:
                    is_same = b"".join(opened.chunks()) == _PROBE
                is_listed = bool(self.list_objects(key).objects)
            finally:
                self.purge(key)
        except SoftFactoryError as error:
            return [f"A probe object could not be stored, read and deleted ({error.__cause__!r})."]
        if not is_same or not is_listed:
            return ["A probe object did not come back as it was stored: check the disk."]
        return []


def _quick_check(connection: Connection) -> str:
    return str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
