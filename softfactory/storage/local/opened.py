"""An object opened for reading from a file of this machine."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Self

from softfactory.errors import StorageError
from softfactory.storage.base import ObjectInfo
from softfactory.storage.local.failures import Translated

_CHUNK = 256 * 1024
"""Bytes read at a time."""


@dataclass(frozen=True)
class OpenedFile:
    """A StoredObject whose file stays open, and so stays whole, until it is closed."""

    info: ObjectInfo
    opened: BinaryIO

    def __enter__(self) -> Self:
        """Return this object; leaving the block closes it."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close the file."""
        self.close()

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes of the range; the file's own position stays where it is.

        Raises:
            StorageError: the file cannot be read, or ends before it should.
        """
        end = self.info.size if stop is None else min(stop, self.info.size)
        while start < end:
            with Translated():
                chunk = os.pread(self.opened.fileno(), min(_CHUNK, end - start), start)
            if not chunk:
                raise StorageError
            start += len(chunk)
            yield chunk

    def file(self) -> BinaryIO | None:
        """Return the open file; its ``name`` is its path."""
        return self.opened

    def close(self) -> None:
        """Close the file. Safe to repeat."""
        self.opened.close()
