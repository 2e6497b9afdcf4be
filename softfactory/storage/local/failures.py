"""What the disk and the index say when they fail, put into the storage's own words."""

import errno
import sqlite3
from contextlib import ContextDecorator
from types import TracebackType

from softfactory.errors import StorageError, StorageFull

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


class OutcomeUnknown(StorageError):
    """The index failed while it committed; after a crash the change may turn out to be made.

    Nothing that the change refers to may be removed; ``sweep_orphans`` decides later.
    """


def storage_error(error: OSError | sqlite3.Error) -> StorageError:
    """Return what a caller may know of ``error``: only whether there was no room."""
    if isinstance(error, OSError):
        return StorageFull() if error.errno in _NO_ROOM else StorageError()
    is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return StorageFull() if is_full else StorageError()


class Translated(ContextDecorator):
    """Turns OSError and sqlite3.Error into StorageError; for a block or a whole function.

    Never around code of the caller's (``chunks``, ``content_type``): its errors are its own.
    """

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raise the translated error where there is one to translate."""
        if isinstance(error, OSError | sqlite3.Error):
            raise storage_error(error) from error
