"""The directories in which the parts of open uploads lie, one for each upload."""

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_hex

from softfactory.errors import UploadNotFound
from softfactory.storage.local.directories import (
    DIRECTORY_MODE,
    FILE_MODE,
    fsync_directory,
    locked,
    make_durable,
)
from softfactory.storage.local.failures import OutcomeUnknown, Translated
from softfactory.storage.local.uploads import Part, Upload
from softfactory.storage.local.writing import Draft

WHOLE = "whole"
"""The file in which each part of a declared upload has its slot; other parts have their own."""


class UploadDirectories:
    """Directories ``<root>/temp_uploads/<upload id>/``, there as long as the upload is open."""

    def __init__(self, root: Path) -> None:
        """Keep them in ``root``/temp_uploads; nothing is made before it is needed."""
        self._root = root
        self.path = root / "temp_uploads"

    def of(self, upload: Upload) -> Path:
        """Return the upload's directory."""
        return self.path / upload.upload_id

    @contextmanager
    def made(self, upload: Upload) -> Iterator[None]:
        """Make the upload's directory, durably; removed where the block fails."""
        directory = self.of(upload)
        with ExitStack() as held:
            with Translated():
                make_durable(self.path, root=self._root)
                directory.mkdir(mode=DIRECTORY_MODE)
                # Locked until the upload is in the index, so that no sweep takes it for a leftover.
                held.enter_context(locked(directory, fcntl.LOCK_SH))
                if upload.size is not None and upload.is_declared:
                    _make_file(directory / WHOLE, upload.size)
                fsync_directory(directory)
                fsync_directory(self.path)
            try:
                yield
            except OutcomeUnknown:
                raise
            except Exception:
                self.remove(upload)
                raise

    @contextmanager
    def locked(self, upload: Upload, how: int) -> Iterator[None]:
        """Hold a lock on the upload.

        Raises:
            UploadNotFound: it has ended.
        """
        with ExitStack() as held:
            with Translated():
                try:
                    held.enter_context(locked(self.of(upload), how))
                    self.of(upload).stat()  # whoever held the lock before may have removed it
                except FileNotFoundError as error:
                    raise UploadNotFound from error
            yield

    @contextmanager
    def whole(self, upload: Upload) -> Iterator[int]:
        """Yield the file with the slots, open for writing; meanwhile it cannot be completed.

        Raises:
            UploadNotFound: the upload has ended.
        """
        with Translated():
            try:
                fd = os.open(self.of(upload) / WHOLE, os.O_RDWR)
            except FileNotFoundError as error:
                raise UploadNotFound from error
        try:
            with Translated():
                fcntl.flock(fd, fcntl.LOCK_SH)
            yield fd
        finally:
            os.close(fd)

    @contextmanager
    def draft(self, upload: Upload, part_number: int) -> Iterator[Draft]:
        """Yield a new file for a part; withdrawn where the block fails.

        Raises:
            UploadNotFound: the upload has ended.
        """
        name = f"{part_number:05d}-{token_hex(8)}"
        with ExitStack() as held:
            with Translated():
                try:
                    draft = held.enter_context(Draft(self.of(upload), name))
                except FileNotFoundError as error:
                    raise UploadNotFound from error
            yield draft

    def lost(self, upload: Upload, parts: Iterable[Part]) -> set[Part]:
        """Return those of the ``parts`` whose bytes are not there any more.

        Raises:
            UploadNotFound: the file with the slots is gone; the upload cannot go on.
        """
        directory = self.of(upload)
        with Translated():
            whole = _size_of(directory / WHOLE) if upload.is_declared else None
            if upload.is_declared and whole is None:
                raise UploadNotFound
            return {
                part
                for part in parts
                if (
                    _size_of(directory / part.file) != part.size
                    if part.file is not None
                    else upload.offset(part.part_number) + part.size > (whole or 0)
                )
            }

    def discard(self, upload: Upload, name: str) -> None:
        """Remove the file of a part that was replaced; the sweep takes one that resists."""
        try:
            (self.of(upload) / name).unlink(missing_ok=True)
        except OSError:
            return

    def remove(self, upload: Upload) -> None:
        """Remove the directory of an upload that has ended; the sweep takes what resists."""
        shutil.rmtree(self.of(upload), ignore_errors=True)


def _size_of(path: Path) -> int | None:
    """Return the bytes of a file; None where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _make_file(path: Path, size: int) -> None:
    """Make a file of ``size`` bytes that take no room until they are written."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE)
    try:
        os.ftruncate(fd, size)
        os.fsync(fd)
    finally:
        os.close(fd)
