"""Bytes that pass through the service: stored, and made a file's in one transaction."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import structlog
from sqlalchemy import bindparam, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.attributes import set_committed_value

from softfactory.errors import Conflict, ObjectNotFound, StorageError
from softfactory.models import FileUpload
from softfactory.services.catalog.rows import FILES, RACES, Rows, told_by
from softfactory.services.digest import Digest
from softfactory.services.generations import raise_generations
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

log = structlog.get_logger(__name__)


class Filling(Rows):
    """Gives a row its bytes."""

    __slots__ = ()

    def fill(
        self,
        file: FileUpload,
        chunks: Iterable[bytes],
        *,
        content_type: Callable[[], str],
        expires_at: Callable[[], datetime | None] = lambda: None,
    ) -> FileUpload:
        """Store the bytes of a reserved or an existing file; return its completed row.

        An existing file keeps its ids, and its older bytes as a version. Where anything raises,
        an existing file stays as it was, and so does a row that another upload reserved; one that
        was reserved for this upload leaves nothing.

        Args:
            content_type: as for ``Storage.put``: called after the last chunk.
            expires_at: likewise; it may raise to refuse the file.
        """
        seen, is_ours = _Seen.of(file), self.is_own_reservation(file)
        digest = Digest()
        expiry: list[datetime | None] = []

        def finish() -> str:
            detected = content_type()
            expiry.append(expires_at())
            return detected

        stored: ObjectInfo | None = None
        try:
            stored = self.storage.put(seen.key, digest.passing(chunks), content_type=finish)
            said = {"sha256": digest.hexdigest(), "expires_at": expiry[0]}
            if self._complete(file, seen, told_by(stored) | self._completed() | said):
                return file
            return self._complete_another(seen, stored, said)
        except BaseException as error:
            # After storage trouble nobody knows what storage has; cleanup finds the pending row.
            if is_ours and (stored is not None or not isinstance(error, StorageError)):
                self._discard(seen, stored)
            raise

    def _complete(self, file: FileUpload, seen: "_Seen", row: dict[str, Any]) -> bool:
        """Commit the row of bytes that were just put, if it is as it was; return whether it was."""
        with statements(self.session) as connection:
            if connection.execute(_COMPLETE, row | seen.as_before()).rowcount == 0:
                return False
            raise_generations(connection, seen.user_id)
        for name, value in row.items():
            set_committed_value(file, name, value)
        return True

    def _complete_another(
        self, seen: "_Seen", stored: ObjectInfo, said: dict[str, Any]
    ) -> FileUpload:
        """Commit the row of bytes that were put while another writer, or a delete, came by."""
        for _ in range(RACES):
            try:
                with write(self.session):
                    file = self.holder(seen.key, lock=True)
                    # Only storage knows whose bytes came last.
                    info = self.storage.head(seen.key)
                    file = file or self._new(seen.user_id, seen.key, seen.filename)
                    self.describe(file, info)
                    if info.etag == stored.etag:
                        file.sha256, file.expires_at = said["sha256"], said["expires_at"]
                    self.session.flush()
            except IntegrityError:
                continue
            except ObjectNotFound as error:
                raise Conflict("The file was deleted while it was sent. Send it again.") from error
            else:
                return file
        raise Conflict("Too many changes to this key at once. Try again.")

    def _discard(self, seen: "_Seen", stored: ObjectInfo | None) -> None:
        """Leave nothing of an upload that failed; what cannot go now is cleanup's to find."""
        try:
            if stored is not None:
                self.storage.delete(seen.key, version_id=stored.version_id)
            self.release(seen.file_id)
        except Exception as error:  # the upload's own error is the one to report
            log.warning("upload.discard_failed", file_id=seen.file_id, exc_info=error)


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
    def of(cls, file: FileUpload) -> Self:
        return cls(
            file_id=file.id,
            key=Key(file.file_key),
            user_id=file.user_id,
            filename=file.original_filename,
            status=file.status,
            etag=file.etag,
            uploaded_at=file.uploaded_at,
        )
