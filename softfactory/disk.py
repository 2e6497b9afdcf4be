"""How full a disk may become, and who reads what this service keeps on it.

Files' bytes stop before the end of the disk, so that everything else can go on.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

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


def keep_private(database: str) -> None:
    """Let nobody but the owner read a SQLite database, nor what SQLite writes beside it.

    Makes the file where there is none: SQLite itself would make one by the process's umask, and
    gives what it writes beside a database the mode of that.

    Raises:
        OSError: it cannot be made.
    """
    # Never opened where it is there: closing it would end the locks that this process has on it
    # (sqlite.org, "How To Corrupt An SQLite Database File", section 2.2).
    with suppress(FileExistsError):
        os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    for path in map(Path, (database, f"{database}-wal", f"{database}-shm")):
        # Another user's stays as that user wants it.
        with suppress(FileNotFoundError, PermissionError):
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                path.chmod(mode & 0o700)
