"""A user's files out of the database, newest first, at a cost that their number does not set."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Integer, Select, UnaryExpression, bindparam, func, select
from sqlalchemy.orm import Session

from softfactory.models import FileCount, FileUpload
from softfactory.services.access import has_expired, is_alive

NEWEST_FIRST = (FileUpload.uploaded_at.desc(), FileUpload.id.desc())
OLDEST_FIRST = (FileUpload.uploaded_at.asc(), FileUpload.id.asc())

_Order = tuple[UnaryExpression[datetime], UnaryExpression[int]]

_USER_ID: BindParameter[int] = bindparam("user_id")
_NOW: BindParameter[datetime] = bindparam("now")
_CATEGORY: BindParameter[str] = bindparam("category")


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
    values: dict[str, Any] = {"user_id": user_id, "now": now, "category": category}
    behind = total - offset - length
    if behind < offset:
        backwards = _page(OLDEST_FIRST, is_of_category=category is not None)
        values |= {"offset": behind, "limit": length}
        return FilePage([*session.scalars(backwards, values)][::-1], total)
    forwards = _page(NEWEST_FIRST, is_of_category=category is not None)
    # Not ``length``: a file that arrived since the count must not push the last one off.
    values |= {"offset": offset, "limit": limit}
    return FilePage([*session.scalars(forwards, values)], total)


def count_files(
    session: Session, user_id: int, *, now: datetime, category: str | None = None
) -> int:
    """Return how many living files the user has, of one category or of all.

    Costs the few rows of the counts, and one per expired file that cleanup has not met yet.
    """
    counted = _count(is_of_category=category is not None)
    values = {"user_id": user_id, "now": now, "category": category}
    completed, gone = session.execute(counted, values).one()
    return int(completed or 0) - int(gone)


# Statements are made once: making one takes longer than SQLite takes to answer it.


@cache
def _page(order: _Order, *, is_of_category: bool) -> Select[FileUpload]:
    query = select(FileUpload).where(FileUpload.user_id == _USER_ID, is_alive(_NOW))
    if is_of_category:
        query = query.where(FileUpload.category == _CATEGORY)
    limit: BindParameter[int] = bindparam("limit", type_=Integer)
    offset: BindParameter[int] = bindparam("offset", type_=Integer)
    return query.order_by(*order).limit(limit).offset(offset)


@cache
def _count(*, is_of_category: bool) -> Select[int | None, int]:
    counted = select(func.sum(FileCount.files)).where(FileCount.user_id == _USER_ID)
    expired = select(func.count()).where(FileUpload.user_id == _USER_ID, has_expired(_NOW))
    if is_of_category:
        counted = counted.where(FileCount.category == _CATEGORY)
        expired = expired.where(FileUpload.category == _CATEGORY)
    return select(counted.scalar_subquery(), expired.scalar_subquery())
