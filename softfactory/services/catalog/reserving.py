"""Reserving: a file's key and its bytes' room are taken before its first byte moves."""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from softfactory.errors import Conflict, StorageFull
from softfactory.models import FileUpload, UploadStatus
from softfactory.services.catalog.rows import FILES, Rows
from softfactory.services.generations import raise_generations
from softfactory.services.look_up import as_loaded
from softfactory.services.storage_use import Expected
from softfactory.services.unit_of_work import statements, write
from softfactory.storage.keys import Key, upload_key

KEY_ATTEMPTS = 5
"""How many keys are tried for files of one name in one second; the second is random already."""

OPEN = (UploadStatus.PENDING.value, UploadStatus.UPLOADING.value)
"""Where an upload stands whose bytes are reserved."""

_RESERVED = "files_reserved_here"

_ADD = insert(FILES).returning(FILES.c.id)
_OPEN_ROW = update(FILES).where(FILES.c.id == bindparam("resized_id"), FILES.c.status.in_(OPEN))
_LOCK_OPEN = (
    select(FILES.c.file_size)
    .where(FILES.c.id == bindparam("locked_id"), FILES.c.status.in_(OPEN))
    .with_for_update()
)
_RESIZE = _OPEN_ROW.values(file_size=FILES.c.file_size + bindparam("more"))
_RESERVE_NOTHING = _OPEN_ROW.values(file_size=0)


class Reserving(Rows):
    """Makes rows of uploads, and keeps what is reserved by them."""

    __slots__ = ()

    def reserve(
        self,
        user_id: int,
        key: Key,
        *,
        filename: str,
        content_type: str,
        expected: Expected | None,
    ) -> FileUpload | None:
        """Commit a pending row that holds ``key``; None where another row holds it already.

        Its ``file_size`` is what is reserved, until the file is completed.

        Args:
            expected: None where the bytes are reserved by another row.

        Raises:
            QuotaExceeded, TooManyUploads: there is no room for it.
        """
        row = self._pending(user_id, key, filename=filename, content_type=content_type)
        try:
            return self._add(row, expected)
        except IntegrityError:
            return None

    def reserve_beside(
        self, user_id: int, key: Key, *, content_type: str, expected: Expected
    ) -> FileUpload:
        """Commit a pending row of an upload to ``key`` that holds no key.

        Raises:
            QuotaExceeded, TooManyUploads: there is no room for it.
        """
        row = self._pending(user_id, key, filename=key.filename, content_type=content_type)
        row["staging_key"] = f"uploads/{user_id}/multipart/{secrets.token_hex(16)}"
        return self._add(row, expected)

    def reserve_upload(
        self, user_id: int, *, filename: str, content_type: str, expected: Expected
    ) -> FileUpload:
        """Commit a pending row under a new key of the user's uploads root (``upload_key``).

        Raises:
            Conflict: every key that was tried is taken.
            QuotaExceeded, TooManyUploads: there is no room for it.
        """
        now = self.clock()
        for attempt in range(KEY_ATTEMPTS):
            unique = secrets.token_hex(4) if attempt else ""
            key = upload_key(user_id=user_id, now=now, filename=filename, unique=unique)
            file = self.reserve(
                user_id, key, filename=filename, content_type=content_type, expected=expected
            )
            if file is not None:
                return file
        raise Conflict("Too many files of this name at once. Try again.")

    def release(self, file_id: int) -> None:
        """Remove a reserved row, unless its file is completed by now."""
        with write(self.session):
            unfinished = FileUpload.status == UploadStatus.PENDING.value
            self.session.execute(delete(FileUpload).where(FileUpload.id == file_id, unfinished))

    def is_own_reservation(self, file: FileUpload) -> bool:
        """Whether this session reserved the row, and not another upload that is on its way."""
        return file.id in self.session.info.get(_RESERVED, ())

    def reserve_more(
        self, file_id: int, user_id: int, *, least: int, most: int, already: int = 0
    ) -> int:
        """Reserve more bytes by an open upload's row; return how many.

        Args:
            already: what is reserved for the same bytes; for the sentence of a refusal.

        Raises:
            Conflict: the upload was ended.
            QuotaExceeded: there is no room for ``least`` of them.
        """
        with statements(self.session) as connection:
            if not _resize(connection, file_id, most):
                raise Conflict("The upload was ended while its bytes came. Begin a new one.")
            fits = self.quotas.require(connection, user_id, least=least, most=most, already=already)
            if fits < most:
                _resize(connection, file_id, fits - most)
            return fits

    def reserve_at_least(self, file_id: int, user_id: int, size: int) -> None:
        """Let an open upload's row reserve ``size`` bytes in all, unless it has as many already.

        Of several that ask at once, as those do who ask for the URLs of parts, one reserves them.

        Raises:
            Conflict, QuotaExceeded: as ``reserve_more``.
        """
        with statements(self.session) as connection:
            reserved = connection.scalar(_LOCK_OPEN, {"locked_id": file_id})
            if reserved is None:
                raise Conflict("The upload was ended while its bytes came. Begin a new one.")
            more = size - reserved
            if more > 0:
                _resize(connection, file_id, more)
                self.quotas.require(connection, user_id, least=more, most=more)

    def require_room(self, user_id: int, size: int) -> None:
        """Return if the user may have ``size`` more bytes, which no row reserves.

        Raises:
            QuotaExceeded: they may not.
        """
        with statements(self.session) as connection:
            use = self.quotas.locked_use(connection, user_id)
            use.require(size)

    def reserve_less(self, file_id: int, size: int | None = None) -> None:
        """Give back some bytes that an upload reserved, or all; cleanup does, where that fails."""
        with suppress(SQLAlchemyError, StorageFull), statements(self.session) as connection:
            if size is None:
                connection.execute(_RESERVE_NOTHING, {"resized_id": file_id})
            else:
                _resize(connection, file_id, -size)

    def _within(
        self, chunks: Iterable[bytes], *, file_id: int, user_id: int, reserved: int
    ) -> Iterator[bytes]:
        """Yield ``chunks``; of what comes beyond the reserved, none before it is reserved too.

        Raises:
            Conflict, QuotaExceeded: as ``reserve_more``.
        """
        received = 0
        for chunk in chunks:
            received += len(chunk)
            if received > reserved:
                least, most = received - reserved, max(received, 2 * reserved) - reserved
                reserved += self.reserve_more(
                    file_id, user_id, least=least, most=most, already=reserved
                )
            yield chunk

    def _add(self, row: dict[str, Any], expected: Expected | None) -> FileUpload:
        with statements(self.session) as connection:
            row["file_size"] = expected.first if expected is not None else 0
            row["id"] = connection.scalar(_ADD, row)
            if expected is None:
                raise_generations(connection, row["user_id"])
            else:
                self._fit(connection, row, expected)
        file = as_loaded(self.session, FileUpload(**row))
        self.session.info.setdefault(_RESERVED, set()).add(file.id)
        return file

    def _fit(self, connection: Connection, row: dict[str, Any], expected: Expected) -> None:
        """Let the row that was just added reserve what is left, where that is less."""
        most = row["file_size"]
        fits = self.quotas.require(
            connection, row["user_id"], least=expected.least, most=most, begins_upload=True
        )
        if fits < most:
            _resize(connection, row["id"], fits - most)
            row["file_size"] = fits


def _resize(connection: Connection, file_id: int, more: int) -> bool:
    """Change what an open upload reserves; return whether there is one."""
    return connection.execute(_RESIZE, {"resized_id": file_id, "more": more}).rowcount > 0
