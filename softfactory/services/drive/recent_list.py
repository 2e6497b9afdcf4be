"""The drive's list out of the database (v2): newest first, by page or behind a cursor."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.orm import Session

from softfactory.clock import Clock, isoformat
from softfactory.errors import InvalidInput, ObjectNotFound
from softfactory.models import FileUpload, User
from softfactory.services.access import MAX_ID, is_alive
from softfactory.services.drive.entries import Entry, note
from softfactory.services.unit_of_work import write
from softfactory.storage.base import ObjectInfo, Storage
from softfactory.storage.keys import Key

HEADS_AT_ONCE = 8
"""Connections of one request to storage; a page of 100 then costs some 13 round trips."""

_CURSOR = re.compile(
    r"ts:(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})Z(?::(\d{3})-(\d{1,19}))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class EntryPage:
    """One page of a list.

    Attributes:
        total: how many files the whole list has.
        next_cursor: what the next page stands behind; None at the end.
    """

    entries: Sequence[Entry]
    total: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class RecentList:
    """A user's completed files, whichever contract they came through."""

    session: Session
    storage: Storage
    clock: Clock

    def page(
        self, user: User, *, page: int, per_page: int, cursor: str | None, use_cache: bool
    ) -> EntryPage:
        """Return a page; behind ``cursor``, where there is one, else by its number.

        Behind a cursor no file is skipped or shown twice, whatever arrives meanwhile.

        Args:
            use_cache: False refreshes size, type and tier of the page's files from storage.

        Raises:
            InvalidInput: the cursor is none of ours.
        """
        matches = [FileUpload.user_id == user.id, is_alive(self.clock())]
        query = select(FileUpload).where(*matches)
        query = query.order_by(FileUpload.uploaded_at.desc(), FileUpload.id.desc())
        if cursor is None:
            query = query.offset(min((page - 1) * per_page, MAX_ID))
        else:
            query = query.where(_behind(cursor))
        files = [*self.session.scalars(query.limit(per_page + 1))]
        total = self.session.scalar(select(func.count()).where(*matches)) or 0
        shown = files[:per_page]
        next_cursor = _cursor_of(shown[-1]) if len(files) > per_page else None
        if not use_cache:
            self._refresh(shown)
        return EntryPage([Entry.of(file) for file in shown], total, next_cursor)

    def _refresh(self, files: Sequence[FileUpload]) -> None:
        """Write what storage says of the files into their rows; what is not there stays as it is."""
        keys = {file.id: Key(file.file_key) for file in files}
        with ThreadPoolExecutor(HEADS_AT_ONCE) as pool:
            infos = dict(zip(keys, pool.map(self._head, keys.values()), strict=True))
        changed = [file.id for file in files if _differs(file, infos[file.id])]
        if not changed:
            return
        with write(self.session):
            query = select(FileUpload).where(FileUpload.id.in_(changed)).order_by(FileUpload.id)
            for file in self.session.scalars(query.with_for_update()):
                info = infos[file.id]
                if info is not None and file.file_key == info.key:
                    note(file, info)
        for file in files:
            self.session.refresh(file)

    def _head(self, key: Key) -> ObjectInfo | None:
        try:
            return self.storage.head(key)
        except ObjectNotFound:
            return None


def _differs(file: FileUpload, info: ObjectInfo | None) -> bool:
    known = (file.etag, file.file_size, file.content_type, file.storage_tier)
    return info is not None and known != (
        info.etag,
        info.size,
        info.content_type,
        info.storage_class,
    )


def _cursor_of(file: FileUpload) -> str:
    """Return the position behind ``file``: its time, and what tells it from others of that time."""
    microseconds = file.uploaded_at.microsecond % 1000
    return f"ts:{isoformat(file.uploaded_at, milliseconds=True)}:{microseconds:03}-{file.id}"


def _behind(cursor: str) -> ColumnElement[bool]:
    """Return the condition of files that stand behind the cursor.

    Raises:
        InvalidInput: it is none of ours.
    """
    found = _CURSOR.fullmatch(cursor)
    try:
        moment = datetime.fromisoformat(f"{found[1]}+00:00") if found else None
    except ValueError:
        moment = None
    if found is None or moment is None:
        raise InvalidInput.of("cursor", "cursor is not valid. Send next_cursor of a page as it is.")
    if found[3] is None:
        return FileUpload.uploaded_at < moment
    moment += timedelta(microseconds=int(found[2]))
    file_id = min(int(found[3]), MAX_ID)
    return tuple_(FileUpload.uploaded_at, FileUpload.id) < tuple_(moment, file_id)
