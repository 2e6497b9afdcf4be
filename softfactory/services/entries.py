"""Files of any status by their id: shown, described anew and deleted (docs/api/uploads.md)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import InvalidInput, NotFound, PermissionDenied
from softfactory.models import FileUpload, UploadStatus, User
from softfactory.services.access import MAX_ID, is_alive, require_reach
from softfactory.services.catalog import Catalog
from softfactory.services.unit_of_work import write


@dataclass(frozen=True, slots=True)
class Entries:
    """The use cases of the uploads contract that have to do with files, finished or not."""

    session: Session
    catalog: Catalog
    clock: Clock

    def get(self, user: User, file_id: int) -> FileUpload:
        """Return the file, whatever its status; an expired one is gone.

        Raises:
            NotFound: there is no such file, or no longer.
            PermissionDenied: it is someone else's.
        """
        return self._find(user, file_id)

    def change(
        self, user: User, file_id: int, changes: Mapping[str, str | int | datetime | None]
    ) -> FileUpload:
        """Set columns of the file's row: its name (the key stays), parent, expiry.

        Raises:
            NotFound: there is no such file, or no longer.
            PermissionDenied: it is someone else's, also for administrators.
            InvalidInput: it would have expired already.
        """
        expires_at = changes.get("expires_at")
        if isinstance(expires_at, datetime) and expires_at <= self.clock():
            raise InvalidInput.of("expires_at", "expires_at is in the past. Send a future time.")
        with write(self.session):
            file = self._find(user, file_id, lock=True)
            if file.user_id != user.id:
                raise PermissionDenied("Not authorized: only a file's owner changes it.")
            for column, value in changes.items():
                setattr(file, column, value)
        return file

    def delete(self, user: User, file_id: int) -> None:
        """Delete the file; one that is not finished goes with the parts that arrived.

        Raises:
            NotFound: there is no such file, or no longer.
            PermissionDenied: it is someone else's.
            StorageError: storage could not delete it; the file is still there.
        """
        if not self.catalog.delete(self._find(user, file_id)):
            raise NotFound("File not found.")

    def _find(self, user: User, file_id: int, *, lock: bool = False) -> FileUpload:
        unfinished = FileUpload.status != UploadStatus.COMPLETED.value
        query = select(FileUpload).where(
            FileUpload.id == file_id, or_(unfinished, is_alive(self.clock()))
        )
        query = query.with_for_update() if lock else query
        file = self.session.scalar(query) if 0 < file_id <= MAX_ID else None
        if file is None:
            raise NotFound("File not found.")
        require_reach(user, file)
        return file
