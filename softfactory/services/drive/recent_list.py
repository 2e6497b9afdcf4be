"""The drive's list out of the database (v2): newest first, by page or behind a cursor."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from softfactory.clock import Clock, isoformat
from softfactory.errors import InvalidInput
from softfactory.models import FileUpload, User
from softfactory.services.access import MAX_ID, is_alive
from softfactory.services.catalog import note
from softfactory.services.drive.entries import Entry
from softfactory.services.heads import HEADS_AT_ONCE, head_each
from softfactory.services.listed_file import LISTED, ListedFile
from softfactory.services.newest import count_files, files_behind, newest_files
from softfactory.services.unit_of_work import write
from softfactory.storage.base import ObjectInfo, Storage
from softfactory.storage.keys import StoredKey

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
        now = self.clock()
        if cursor is None:
            found = newest_files(
                self.session, user.id, now=now, limit=per_page + 1, offset=(page - 1) * per_page
            )
            files, total = found.files, found.total
        else:
            moment, file_id = _place_of(cursor)
            files = files_behind(
                self.session,
                user.id,
                now=now,
                limit=per_page + 1,
                moment=moment,
                file_id=file_id,
            )
            total = count_files(self.session, user.id, now=now)
        shown = files[:per_page]
        next_cursor = _cursor_of(shown[-1]) if len(files) > per_page else None
        if not use_cache:
            shown = self._refreshed(shown)
        return EntryPage([Entry.of(file) for file in shown], total, next_cursor)

    def _refreshed(self, files: Sequence[ListedFile]) -> Sequence[ListedFile]:
        """Write what storage says of the files into their rows; return those that are still there.

        A file that storage does not have, or cannot answer for, stays as it is.

        Raises:
            StorageError: storage answered for none of them.
        """
        known = {file.id: _known(file) for file in files}
        with ThreadPoolExecutor(HEADS_AT_ONCE) as pool:
            heads = head_each(pool, self.storage, [StoredKey(file.file_key) for file in files])
        infos = heads.infos
        if files and len(heads.unreadable) == len(files):
            raise next(iter(heads.unreadable.values()))
        changed = [file.id for file in files if _differs(file, infos.get(file.file_key))]
        if not changed:
            return files
        with write(self.session):
            query = select(FileUpload).where(FileUpload.id.in_(changed)).order_by(FileUpload.id)
            for file in self.session.scalars(query.with_for_update()):
                info = infos.get(file.file_key)
                # Whoever changed the row since knows better.
                if info is not None and _known(file) == known[file.id]:
                    note(file, info)
        current = select(*LISTED).where(FileUpload.id.in_(known), is_alive(self.clock()))
        found = map(ListedFile._make, self.session.connection().execute(current))
        rows = {file.id: file for file in found}
        return [rows[file_id] for file_id in known if file_id in rows]


def _known(file: FileUpload | ListedFile) -> tuple[str | None, int, str, str]:
    return file.etag, file.file_size, file.content_type, file.storage_tier


def _differs(file: ListedFile, info: ObjectInfo | None) -> bool:
    if info is None:
        return False
    return _known(file) != (info.etag, info.size, info.content_type, info.storage_class)


def _cursor_of(file: ListedFile) -> str:
    """Return the position behind ``file``: its time, and what tells it from others of that time."""
    microseconds = file.uploaded_at.microsecond % 1000
    return f"ts:{isoformat(file.uploaded_at, milliseconds=True)}:{microseconds:03}-{file.id}"


def _place_of(cursor: str) -> tuple[datetime, int]:
    """Return the time and the id that the cursor's files stand behind.

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
        return moment, 0
    moment += timedelta(microseconds=int(found[2]))
    return moment, min(int(found[3]), MAX_ID)
