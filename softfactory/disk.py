"""How full a disk may become: files' bytes stop first, so that everything else can go on."""

import os

FOR_DATABASES = 4 * 1024 * 1024
"""Bytes that must be free before a SQLite transaction begins. One that deletes 1,000 files takes 0.6
MB, and the index of local storage 0.4 MB more."""

FOR_FILES = 4 * FOR_DATABASES
"""Bytes that must stay free behind a file's: room to delete, to rename and to log in with."""


def has_room(file: int | str, size: int) -> bool:
    """Whether the disk on which ``file`` lies has so many bytes; so too where it does not tell.

    Args:
        file: a path, or a file that is open.

    Raises:
        OSError: there is no such file.
    """
    disk = os.statvfs(file)
    return not disk.f_blocks or disk.f_bavail * disk.f_frsize >= size
