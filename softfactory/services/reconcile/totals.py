"""What users hold of storage, as it is counted, compared with the sum of their rows."""

from dataclasses import dataclass

from sqlalchemy import Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from softfactory.models import FileUpload, UploadStatus, User, UserStorage
from softfactory.services.unit_of_work import write

_COMPLETED = FileUpload.status == UploadStatus.COMPLETED.value
_OPEN = FileUpload.status.in_((UploadStatus.PENDING.value, UploadStatus.UPLOADING.value))

_COUNTED = (UserStorage.used, UserStorage.reserved, UserStorage.open_uploads)


def _sums() -> Select[int, int, int, int]:
    """Return the query for what each user's rows come to (migration 0007 counts the same)."""
    return (
        select(
            FileUpload.user_id.label("user_id"),
            func.sum(case((_COMPLETED, FileUpload.file_size), else_=0)).label("used"),
            func.sum(case((_OPEN, FileUpload.file_size), else_=0)).label("reserved"),
            func.sum(case((_OPEN, 1), else_=0)).label("open_uploads"),
        )
        .where(or_(_COMPLETED, _OPEN))
        .group_by(FileUpload.user_id)
    )


@dataclass(frozen=True, slots=True)
class Totals:
    """Compares and mends; one statement sees rows and counts of one moment."""

    session: Session

    def wrong(self) -> list[tuple[int, str]]:
        """Return id and name of the users whose counts are wrong."""
        sums = _sums().subquery()
        same = and_(*(func.coalesce(c, 0) == func.coalesce(sums.c[c.key], 0) for c in _COUNTED))
        query = (
            select(User.id, User.username)
            .outerjoin(UserStorage, UserStorage.user_id == User.id)
            .outerjoin(sums, sums.c.user_id == User.id)
            .where(~same)
            .order_by(User.id)
        )
        found = [(user_id, username) for user_id, username in self.session.execute(query)]
        self.session.rollback()
        return found

    def mend(self, user_id: int) -> None:
        """Write the sums of the user's rows into their counts."""
        with write(self.session):
            # Whoever commits a change of rows meanwhile waits for the counts, and adds to ours.
            query = select(UserStorage).where(UserStorage.user_id == user_id)
            counted = self.session.scalar(query.with_for_update())
            if counted is None:
                counted = UserStorage(user_id=user_id)
                self.session.add(counted)
            sums = self.session.execute(_sums().where(FileUpload.user_id == user_id)).first()
            counted.used = int(sums.used) if sums else 0
            counted.reserved = int(sums.reserved) if sums else 0
            counted.open_uploads = int(sums.open_uploads) if sums else 0
