"""Bytes that pass through the service: stored, and made a file's in one transaction."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

import structlog
from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.attributes import set_committed_value

from softfactory.errors import Conflict, ObjectNotFound, QuotaExceeded, StorageError
from softfactory.models import FileUpload
from softfactory.services.catalog.reserving import OPEN, Reserving
from softfactory.services.catalog.rows import FILES, RACES, told_by
from softfactory.services.digest import Digest
from softfactory.services.generations import raise_generations
from softfactory.services.storage_use import Expected
from softfactory.services.unit_of_work import statements, write
from softfactory.storage.base import ObjectInfo
from softfactory.storage.keys import Key

_AS_BEFORE = (
    FILES.c.id == bindparam("seen_id"),
    FILES.c.file_key == bindparam("seen_key"),
    FILES.c.staging_key.is_(None),
    FILES.c.status == bindparam("seen_status"),
    FILES.c.etag.is_not_distinct_from(bindparam("seen_etag")),
    FILES.c.uploaded_at == bindparam("seen_uploaded_at"),
)
"""Nobody has put other bytes to the file's key since it was seen."""

_COMPLETE = update(FILES).where(*_AS_BEFORE)
"""Sets the columns that it is executed with."""

_END_RESERVATION = delete(FILES).where(
    FILES.c.id == bindparam("reservation_id"), FILES.c.status.in_(OPEN)
)

log = structlog.get_logger(__name__)


class Filling(Reserving):
    """Gives a row its bytes."""

    __slots__ = ()

    def fill(
        self,
        file: FileUpload,
        chunks: Iterable[bytes],
        *,
        expected: Expected,
        content_type: Callable[[], str],
        expires_at: Callable[[], datetime | None] = lambda: None,
    ) -> FileUpload:
        """Store the bytes of a reserved or an existing file; return its completed row.

        An existing file keeps its ids, and its older bytes as a version. Where anything raises,
        an existing file stays as it was, and so does a row that another upload reserved; one that
        was reserved for this upload leaves nothing.

        Args:
            expected: how many bytes of an existing file are to come; a row that was reserved for
                this upload has its own.
            content_type: as for ``Storage.put``: called after the last chunk.
            expires_at: likewise; it may raise to refuse the file.
        """
        seen = _Seen.of(file, is_ours=self.is_own_reservation(file))
        if not seen.is_ours:
            # The older bytes count until the new ones are there.
            beside = self.reserve_beside(
                seen.user_id, seen.key, content_type=file.content_type, expected=expected
            )
            seen = replace(seen, reservation_id=beside.id, reserved=beside.file_size)
        digest = Digest()
        expiry: list[datetime | None] = []

        def finish() -> str:
            detected = content_type()
            expiry.append(expires_at())
            return detected

        stored: ObjectInfo | None = None
        try:
            room = self._within(
                chunks,
                file_id=seen.reservation_id,
                user_id=seen.user_id,
                reserved=seen.reserved,
            )
            stored = self.storage.put(seen.key, digest.passing(room), content_type=finish)
            said = {"sha256": digest.hexdigest(), "expires_at": expiry[0]}
            if self._complete(file, seen, told_by(stored) | self._completed() | said):
                return file
            return self._complete_another(seen, stored, said)
        except BaseException as error:
            self._discard(seen, stored, error)
            raise

    def _complete(self, file: FileUpload, seen: "_Seen", row: dict[str, Any]) -> bool:
        """Commit the row of bytes that were just put, if it is as it was; return whether it was."""
        with statements(self.session) as connection:
            if connection.execute(_COMPLETE, row | seen.as_before()).rowcount == 0:
                return False
            if not seen.is_ours:
                reservation = {"reservation_id": seen.reservation_id}
                if connection.execute(_END_RESERVATION, reservation).rowcount == 0:
                    connection.rollback()
                    return False
            raise_generations(connection, seen.user_id)
        for name, value in row.items():
            set_committed_value(file, name, value)
        return True

    def _complete_another(
        self, seen: "_Seen", stored: ObjectInfo, said: dict[str, Any]
    ) -> FileUpload:
        """Commit the row of bytes that were put while another writer, or a delete, came by.

        Raises:
            QuotaExceeded: with the row, what was reserved by it went to somebody else.
        """
        for _ in range(RACES):
            try:
                with write(self.session):
                    file = self.holder(seen.key, lock=True)
                    # Only storage knows whose bytes came last.
                    info = self.storage.head(seen.key)
                    counted = file.file_size if file is not None else 0
                    if not seen.is_ours:
                        counted += self._end_reservation(seen.reservation_id)
                    file = file or self._new(seen.user_id, seen.key, seen.filename)
                    self.describe(file, info)
                    if info.etag == stored.etag:
                        file.sha256, file.expires_at = said["sha256"], said["expires_at"]
                    self.session.flush()
                    if (growth := info.size - counted) > 0:
                        self.quotas.require(
                            self.session.connection(), seen.user_id, least=growth, most=growth
                        )
            except IntegrityError:
                continue
            except ObjectNotFound as error:
                raise Conflict("The file was deleted while it was sent. Send it again.") from error
            else:
                return file
        raise Conflict("Too many changes to this key at once. Try again.")

    def _end_reservation(self, file_id: int) -> int:
        """Remove a row beside, within the caller's transaction; return what it still reserved."""
        query = select(FileUpload).where(FileUpload.id == file_id, FileUpload.status.in_(OPEN))
        beside = self.session.scalar(query.with_for_update())
        if beside is None:
            return 0
        self.session.delete(beside)
        return beside.file_size

    def _discard(self, seen: "_Seen", stored: ObjectInfo | None, error: BaseException) -> None:
        """Leave nothing of an upload that failed; what cannot go now is cleanup's to find."""
        try:
            if seen.is_ours and stored is None and isinstance(error, StorageError):
                # Nobody knows what storage has, so the row stays for cleanup, which looks.
                self.reserve_less(seen.reservation_id)
                return
            # An older file's bytes are replaced by now; there is nothing to go back to.
            is_unwanted = seen.is_ours or isinstance(error, QuotaExceeded)
            if stored is not None and is_unwanted and (seen.is_ours or stored.version_id):
                self.storage.delete(seen.key, version_id=stored.version_id)
            self.release(seen.reservation_id)
        except Exception as failure:  # the upload's own error is the one to report
            log.warning("upload.discard_failed", file_id=seen.file_id, exc_info=failure)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A row as it was before its bytes began to come."""

    file_id: int
    key: Key
    user_id: int
    filename: str
    status: str
    etag: str | None
    uploaded_at: datetime
    is_ours: bool
    """The row was reserved for this upload; else one beside it is."""
    reservation_id: int
    reserved: int

    def as_before(self) -> dict[str, Any]:
        """Return the values of ``_AS_BEFORE``."""
        return {
            "seen_id": self.file_id,
            "seen_key": self.key,
            "seen_status": self.status,
            "seen_etag": self.etag,
            "seen_uploaded_at": self.uploaded_at,
        }

    @classmethod
    def of(cls, file: FileUpload, *, is_ours: bool) -> Self:
        return cls(
            file_id=file.id,
            key=Key(file.file_key),
            user_id=file.user_id,
            filename=file.original_filename,
            status=file.status,
            etag=file.etag,
            uploaded_at=file.uploaded_at,
            is_ours=is_ours,
            reservation_id=file.id,
            reserved=file.file_size,
        )
