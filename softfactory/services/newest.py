"""A user's files out of the database, newest first, at a cost that their number does not set."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from softfactory.models import FileCount, FileUpload
from softfactory.services.access import has_expired, is_alive

NEWEST_FIRST = (FileUpload.uploaded_at.desc(), FileUpload.id.desc())
OLDEST_FIRST = (FileUpload.uploaded_at.asc(), FileUpload.id.asc())


@dataclass(frozen=True, slots=True)
class FilePage:
    """One page of a list, and how many files the whole list has."""

    files: Sequence[FileUpload]
    total: int


def newest_files(
    session: Session,
    user_id: int,
    *,
    now: datetime,
    limit: int,
    offset: int,
    category: str | None = None,
) -> FilePage:
    """Return the user's living files from the ``offset``-th newest on.

    A database passes over each file before the page one by one, so the page is looked for from
    whichever end of the list is nearer.
    """
    total = count_files(session, user_id, now=now, category=category)
    length = min(limit, total - offset)
    if length <= 0:
        return FilePage((), total)
    query = select(FileUpload).where(*_matching(user_id, now, category))
    behind = total - offset - length
    if behind < offset:
        backwards = query.order_by(*OLDEST_FIRST).offset(behind).limit(length)
        return FilePage([*session.scalars(backwards)][::-1], total)
    # Not ``length``: a file that arrived since the count must not push the last one off.
    forwards = query.order_by(*NEWEST_FIRST).offset(offset).limit(limit)
    return FilePage([*session.scalars(forwards)], total)


def count_files(
    session: Session, user_id: int, *, now: datetime, category: str | None = None
) -> int:
    """Return how many living files the user has, of one category or of all.

    Costs the few rows of the counts, and one per expired file that cleanup has not met yet.
    """
    counted = select(func.sum(FileCount.files)).where(FileCount.user_id == user_id)
    expired = select(func.count()).where(FileUpload.user_id == user_id, has_expired(now))
    if category is not None:
        counted = counted.where(FileCount.category == category)
        expired = expired.where(FileUpload.category == category)
    completed, gone = session.execute(
        select(counted.scalar_subquery(), expired.scalar_subquery())
    ).one()
    return int(completed or 0) - int(gone)


def _matching(user_id: int, now: datetime, category: str | None) -> list[ColumnElement[bool]]:
    matching = [FileUpload.user_id == user_id, is_alive(now)]
    return matching if category is None else [*matching, FileUpload.category == category]
