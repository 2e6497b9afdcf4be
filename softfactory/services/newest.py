"""A user's files out of the database, newest first, at a cost that their number does not set."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Integer,
    Select,
    UnaryExpression,
    bindparam,
    func,
    select,
    tuple_,
)
from sqlalchemy.orm import Session

from softfactory.models import FileCount, FileUpload
from softfactory.services.access import has_expired, is_alive
from softfactory.services.listed_file import LISTED, ListedFile

NEWEST_FIRST = (FileUpload.uploaded_at.desc(), FileUpload.id.desc())
OLDEST_FIRST = (FileUpload.uploaded_at.asc(), FileUpload.id.asc())

_Order = tuple[UnaryExpression[datetime], UnaryExpression[int]]

_USER_ID: BindParameter[int] = bindparam("user_id")
_NOW: BindParameter[datetime] = bindparam("now")
_CATEGORY: BindParameter[str] = bindparam("category")
_LIMIT: BindParameter[int] = bindparam("limit", type_=Integer)
_OFFSET: BindParameter[int] = bindparam("offset", type_=Integer)


@dataclass(frozen=True, slots=True)
class FilePage:
    """One page of a list, and how many files the whole list has."""

    files: Sequence[ListedFile]
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
        return FilePage(_listed(session, backwards, values)[::-1], total)
    forwards = _page(NEWEST_FIRST, is_of_category=category is not None)
    # Not ``length``: a file that arrived since the count must not push the last one off.
    values |= {"offset": offset, "limit": limit}
    return FilePage(_listed(session, forwards, values), total)


def files_behind(
    session: Session, user_id: int, *, now: datetime, limit: int, moment: datetime, file_id: int
) -> Sequence[ListedFile]:
    """Return the first of the user's living files that stand behind this place, newest first.

    Args:
        moment: when the file came that they stand behind; ``file_id`` tells it from others.
    """
    values = {"user_id": user_id, "now": now, "limit": limit, "moment": moment, "file_id": file_id}
    return _listed(session, _BEHIND, values)


def count_files(
    session: Session, user_id: int, *, now: datetime, category: str | None = None
) -> int:
    """Return how many living files the user has, of one category or of all.

    Costs the few rows of the counts, and one per expired file that cleanup has not met yet.
    """
    counted = _count(is_of_category=category is not None)
    values = {"user_id": user_id, "now": now, "category": category}
    completed, gone = session.connection().execute(counted, values).one()
    return int(completed or 0) - int(gone)


def _listed(
    session: Session, query: Select[*tuple[Any, ...]], values: dict[str, Any]
) -> list[ListedFile]:
    return [*map(ListedFile._make, session.connection().execute(query, values))]


# Statements are made once: making one takes longer than SQLite takes to answer it.

_MINE = select(*LISTED).where(FileUpload.user_id == _USER_ID, is_alive(_NOW))

_PLACE = tuple_(
    bindparam("moment", type_=FileUpload.uploaded_at.type),
    bindparam("file_id", type_=FileUpload.id.type),
)
_BEHIND = (
    _MINE.where(tuple_(FileUpload.uploaded_at, FileUpload.id) < _PLACE)
    .order_by(*NEWEST_FIRST)
    .limit(_LIMIT)
)


@cache
def _page(order: _Order, *, is_of_category: bool) -> Select[*tuple[Any, ...]]:
    query = _MINE.where(FileUpload.category == _CATEGORY) if is_of_category else _MINE
    return query.order_by(*order).limit(_LIMIT).offset(_OFFSET)


@cache
def _count(*, is_of_category: bool) -> Select[int | None, int]:
    counted = select(func.sum(FileCount.files)).where(FileCount.user_id == _USER_ID)
    expired = select(func.count()).where(FileUpload.user_id == _USER_ID, has_expired(_NOW))
    if is_of_category:
        counted = counted.where(FileCount.category == _CATEGORY)
        expired = expired.where(FileUpload.category == _CATEGORY)
    return select(counted.scalar_subquery(), expired.scalar_subquery())
