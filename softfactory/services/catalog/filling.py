"""Bytes that pass through the service: stored, and made a file's in one transaction."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import structlog
from sqlalchemy.exc import IntegrityError

from softfactory.errors import Conflict, ObjectNotFound, StorageError
from softfactory.models import FileUpload
from softfactory.services.catalog.rows import RACES, Rows
from softfactory.services.digest import Digest
from softfactory.services.unit_of_work import write
from softfactory.storage.base import ObjectInfo
from softfactory.storage.keys import Key

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
            return self._complete(seen, stored, digest.hexdigest(), expiry[0])
        except BaseException as error:
            # After storage trouble nobody knows what storage has; cleanup finds the pending row.
            if is_ours and not isinstance(error, StorageError):
                self._discard(seen, stored)
            raise

    def _complete(
        self, seen: "_Seen", stored: ObjectInfo, sha256: str, expires_at: datetime | None
    ) -> FileUpload:
        """Commit the row of bytes that were just put."""
        for _ in range(RACES):
            try:
                with write(self.session):
                    file = self.holder(seen.key, lock=True)
                    info = stored
                    if not seen.is_still(file):
                        # Another writer, or a delete, came in between; only storage knows whose
                        # bytes came last.
                        info = self.storage.head(seen.key)
                    file = file or self._new(seen.user_id, seen.key, seen.filename)
                    self.describe(file, info)
                    if info.etag == stored.etag:
                        file.sha256, file.expires_at = sha256, expires_at
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

    def is_still(self, file: FileUpload | None) -> bool:
        """Whether the row is there and nobody has put other bytes to its key since."""
        if file is None:
            return False
        now = (file.id, file.status, file.etag, file.uploaded_at)
        return now == (self.file_id, self.status, self.etag, self.uploaded_at)

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
