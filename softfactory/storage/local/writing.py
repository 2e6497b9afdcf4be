"""Writing bytes to disk: hashed and counted as they come, and seen by nobody before the end."""

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from xxhash import xxh3_128

from softfactory.disk import FOR_FILES, has_room
from softfactory.storage.local.directories import FILE_MODE
from softfactory.storage.local.failures import OutcomeUnknown, Translated

_SMALL = 64 * 1024
"""Bytes; smaller chunks are gathered, so that a stream of tiny ones is no stream of writes."""

_EARLY = 4 * 1024 * 1024
"""Bytes after which the disk is given what was written, so that little is left to wait for."""

_NO_TMPFILE = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL})
"""What file systems and kernels without O_TMPFILE answer to it (open(2))."""

_DESCRIPTORS = Path("/proc/self/fd")

PARTIAL = ".partial"
"""How a file's name ends while it is written, where it cannot be nameless."""


class Writer:
    """Writes chunks to an open file from an offset on, and knows their hash and number."""

    def __init__(self, fd: int, offset: int = 0) -> None:
        """Write to ``fd``, which stays the caller's to close."""
        self.size = 0
        self._fd = fd
        self._position = self._begun = offset
        self._hash = xxh3_128()
        self._gathered = bytearray()

    @property
    def digest(self) -> str:
        """The XXH3-128 of all chunks so far, in hexadecimal."""
        return self._hash.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Take one chunk; it may be reused by the caller afterwards."""
        self._hash.update(chunk)
        self.size += len(chunk)
        if len(chunk) < _SMALL:
            self._gathered += chunk
            if len(self._gathered) >= _SMALL:
                self._flush()
        else:
            self._flush()
            self._write(chunk)

    @Translated()
    def sync(self) -> None:
        """Make all chunks so far durable."""
        self._flush()
        os.fdatasync(self._fd)

    def _flush(self) -> None:
        if self._gathered:
            self._write(self._gathered)
            self._gathered = bytearray()

    @Translated()
    def _write(self, chunk: bytes | bytearray) -> None:
        # The last of the disk is the index's: files that filled it could not be deleted any more.
        if not has_room(self._fd, FOR_FILES + len(chunk)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rest = memoryview(chunk)
        while rest:
            written = os.pwrite(self._fd, rest, self._position)
            self._position += written
            rest = rest[written:]
        if (fresh := self._position - self._begun) >= _EARLY:
            # Linux begins to write what is dirty, and keeps it in memory (mm/fadvise.c).
            os.posix_fadvise(self._fd, self._begun, fresh, os.POSIX_FADV_DONTNEED)
            self._begun = self._position


class Entry:
    """A new name in a directory, withdrawn if the ``with`` block that makes it fails.

    Entered, it holds a lock on the file until its block ends, which tells the sweep that the
    file's writer is alive. It stays where nobody knows whether the index refers to it.
    """

    fd: int
    """The file, open for reading and writing."""

    _lock = fcntl.LOCK_SH

    def __init__(self, directory: Path, name: str) -> None:
        """Stand for ``name`` in ``directory``, which exists."""
        self.name = name
        self._path = directory
        self._visible: str | None = None
        self._directory = -1

    def __enter__(self) -> Self:
        """Open the file and lock it.

        Raises:
            OSError: as it came; FileNotFoundError where the directory is gone.
        """
        self._directory = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.fd = self._open()
        except BaseException:
            os.close(self._directory)
            raise
        try:
            fcntl.flock(self.fd, self._lock)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Withdraw the name where the block failed for certain, and let go of the file."""
        is_published = self._visible == self.name
        # What is no Exception (a worker being stopped) can come in the middle of a commit.
        has_failed = isinstance(error, Exception) and not isinstance(error, OutcomeUnknown)
        if self._visible and (has_failed or not is_published):
            with suppress(OSError):  # nobody refers to it, so the sweep can do it too
                os.unlink(self._visible, dir_fd=self._directory)
        os.close(self.fd)
        os.close(self._directory)

    @Translated()
    def publish(self) -> None:
        """Give the file its name, durably; its bytes must be durable already."""
        self._link()
        os.fsync(self._directory)

    def _open(self) -> int:
        raise NotImplementedError

    def _link(self) -> None:
        raise NotImplementedError


class Draft(Entry):
    """A new file; nameless while it is written, so that a killed writer leaves nothing."""

    writer: Writer

    def _open(self) -> int:
        fd = _open_nameless(self._directory)
        if fd is None:
            self._visible = self.name + PARTIAL
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
            fd = os.open(self._visible, flags, FILE_MODE, dir_fd=self._directory)
        self.writer = Writer(fd)
        return fd

    def _link(self) -> None:
        here = self._directory
        partial, self._visible = self._visible, self.name
        if partial:
            os.rename(partial, self.name, src_dir_fd=here, dst_dir_fd=here)
        else:
            # Only with a src_dir_fd does CPython call linkat, which follows the link in /proc.
            os.link(_DESCRIPTORS / str(self.fd), self.name, src_dir_fd=here, dst_dir_fd=here)


class SecondName(Entry):
    """A second name for a file that is complete; entered, nobody else can be writing to it.

    Entering raises BlockingIOError where somebody is.
    """

    _lock = fcntl.LOCK_EX | fcntl.LOCK_NB

    def __init__(self, directory: Path, name: str, existing: Path) -> None:
        """Stand for ``name`` in ``directory``, on the same file system as ``existing``."""
        super().__init__(directory, name)
        self._existing = existing

    def _open(self) -> int:
        return os.open(self._existing, os.O_RDWR)

    def _link(self) -> None:
        os.link(self._existing, self.name, dst_dir_fd=self._directory)
        self._visible = self.name


def _open_nameless(directory: int) -> int | None:
    """Return a new file that has no name yet, or None where there is no such thing."""
    if not _DESCRIPTORS.is_dir():
        return None
    try:
        return os.open(".", os.O_TMPFILE | os.O_RDWR, FILE_MODE, dir_fd=directory)
    except OSError as error:
        if error.errno in _NO_TMPFILE:
            return None
        raise
