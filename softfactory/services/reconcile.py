"""Database and storage compared: what one has and the other lacks, found and put in order.

Nothing that live traffic does meanwhile is a difference. What looks like one is looked at again,
after a pause, with the row locked. Memory goes by what is found, and one bit a row.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import InvalidKey, ObjectNotFound
from softfactory.models import FileUpload, UploadStatus
from softfactory.services.access import holds_its_key, is_alive, owner_of
from softfactory.services.catalog import Catalog
from softfactory.services.unit_of_work import write
from softfactory.storage.base import ObjectInfo, ObjectSummary, Storage
from softfactory.storage.keys import Key, is_staging

BATCH = 1000
"""Rows looked up at a time; as many as a page of a list has objects."""

SETTLE_SECONDS = 1.0
"""How long a change may be between storage and its row's commit before it is looked at again."""

Progress = Callable[[int], object]
"""Told how many rows were compared since it was last told."""


@dataclass(slots=True)
class ReconcileReport:
    """The keys that differ, and how many of them were put in order."""

    objects_without_row: list[str] = field(default_factory=list)
    rows_without_object: list[str] = field(default_factory=list)
    size_mismatches: list[str] = field(default_factory=list)
    fixed: int = 0

    @property
    def is_in_order(self) -> bool:
        """Whether no difference remains."""
        found = (self.objects_without_row, self.rows_without_object, self.size_mismatches)
        return sum(map(len, found)) == self.fixed

    def as_dict(self) -> dict[str, Any]:
        """Return the lists and the count by name."""
        return asdict(self)


@dataclass(slots=True)
class _Suspects:
    """What looked like a difference at first sight: keys of objects, ids of rows."""

    unknown_keys: list[str] = field(default_factory=list)
    missing_ids: list[int] = field(default_factory=list)
    mismatched_ids: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.unknown_keys or self.missing_ids or self.mismatched_ids)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The comparison; safe beside live traffic, on several machines at once, and to interrupt."""

    session: Session
    storage: Storage
    catalog: Catalog
    clock: Clock
    pause: Callable[[float], object] = time.sleep

    def count(self) -> int:
        """Return how many rows a comparison looks at now; for a progress bar's length."""
        query = select(func.count()).select_from(FileUpload).where(self._compared())
        return self.session.scalar(query) or 0

    def run(
        self, *, fix: bool = False, progress: Progress = lambda _count: None
    ) -> ReconcileReport:
        """Compare all files; with ``fix``, put in order what can be.

        An object below a user's root gets its row; one below nobody's stays, and stays a
        difference. A row whose object is gone becomes ``failed``. A size is what storage says.
        Expired files, unfinished uploads and folder markers are other people's business.

        Raises:
            StorageError: storage failed half-way; what was put in order until then is.
        """
        suspects = self._first_sight(progress)
        if suspects:
            self.pause(SETTLE_SECONDS)
        report = ReconcileReport()
        for key in suspects.unknown_keys:
            self._judge_object(key, report, fix=fix)
        for file_id in suspects.missing_ids:
            self._judge_row(file_id, report, fix=fix)
        for file_id in suspects.mismatched_ids:
            self._judge_size(file_id, report, fix=fix)
        return report

    # --- at first sight -----------------------------------------------------------------------

    def _first_sight(self, progress: Progress) -> _Suspects:
        suspects = _Suspects()
        # Rows that come later are later runs' to compare.
        newest = self.session.scalar(select(func.max(FileUpload.id))) or 0
        self.session.rollback()
        seen = bytearray(newest // 8 + 1)
        for page in self._pages():
            rows = self._rows([found.key for found in page])
            for found in page:
                row = rows.get(found.key)
                if row is None:
                    suspects.unknown_keys.append(found.key)
                    continue
                if row.id <= newest:
                    seen[row.id // 8] |= 1 << row.id % 8
                if row.status == UploadStatus.COMPLETED.value and row.file_size != found.size:
                    suspects.mismatched_ids.append(row.id)
            progress(len(rows))
        for ids in self._ids(newest):
            missing = [id_ for id_ in ids if not seen[id_ // 8] >> id_ % 8 & 1]
            suspects.missing_ids.extend(missing)
            progress(len(missing))
        return suspects

    def _pages(self) -> Iterator[list[ObjectSummary]]:
        """Yield the objects that should have a row, page by page."""
        start_after: str | None = ""
        while start_after is not None:
            page = self.storage.list_objects(start_after=start_after)
            yield [
                found
                for found in page.objects
                if not found.key.endswith("/") and not is_staging(found.key)
            ]
            start_after = page.next_start_after

    def _rows(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return id, size and status of the rows that hold ``keys``."""
        # PostgreSQL can't even be asked for a NUL; S3 can hold it.
        possible = [key for key in keys if "\0" not in key]
        query = select(
            FileUpload.id, FileUpload.file_key, FileUpload.file_size, FileUpload.status
        ).where(FileUpload.file_key.in_(possible), holds_its_key())
        rows = {row.file_key: row for row in self.session.execute(query)}
        # Rows come before objects, so the next page's have to be read after its objects.
        self.session.rollback()
        return rows

    def _ids(self, newest: int) -> Iterator[Sequence[int]]:
        """Yield the ids of the rows that should have an object, a batch at a time."""
        last = 0
        query = select(FileUpload.id).where(self._compared(), FileUpload.id <= newest)
        query = query.order_by(FileUpload.id).limit(BATCH)
        while ids := self.session.scalars(query.where(FileUpload.id > last)).all():
            self.session.rollback()
            yield ids
            last = ids[-1]

    def _compared(self) -> ColumnElement[bool]:
        return is_alive(self.clock())

    # --- looked at again ----------------------------------------------------------------------

    def _judge_object(self, key: str, report: ReconcileReport, *, fix: bool) -> None:
        owner_id = self._owner_id(key)
        if owner_id is None:
            listed = self.storage.list_objects(key, limit=1).objects
            if listed and listed[0].key == key:
                report.objects_without_row.append(key)
        elif self.catalog.adopt_unknown(owner_id, Key(key), dry_run=not fix):
            report.objects_without_row.append(key)
            report.fixed += fix

    def _judge_row(self, file_id: int, report: ReconcileReport, *, fix: bool) -> None:
        with write(self.session):
            file = self._lock(file_id)
            if file is None or self._head(Key(file.file_key)) is not None:
                return
            if fix:
                file.status = UploadStatus.FAILED.value
                file.last_activity_at = self.clock()
            key = file.file_key
        report.rows_without_object.append(key)
        report.fixed += fix

    def _judge_size(self, file_id: int, report: ReconcileReport, *, fix: bool) -> None:
        with write(self.session):
            file = self._lock(file_id)
            if file is None:
                return
            info = self._head(Key(file.file_key))
            if info is None or info.size == file.file_size:
                return
            key, user_id = file.file_key, file.user_id
        if fix:
            try:
                self.catalog.adopt(user_id, Key(key))
            except ObjectNotFound:  # deleted this moment
                return
        report.size_mismatches.append(key)
        report.fixed += fix

    def _owner_id(self, key: str) -> int | None:
        """Return whose file the object can become; None where it lies below nobody's root.

        Nor can one whose name no file may have: others wrote it, by other means.
        """
        try:
            owner = owner_of(self.session, Key(key))
        except InvalidKey:
            return None
        owner_id = owner.id if owner is not None else None
        self.session.rollback()
        return owner_id

    def _lock(self, file_id: int) -> FileUpload | None:
        """Return the row, if it should still have an object, held until the transaction ends."""
        query = select(FileUpload).where(FileUpload.id == file_id, self._compared())
        return self.session.scalar(query.with_for_update())

    def _head(self, key: Key) -> ObjectInfo | None:
        try:
            return self.storage.head(key)
        except ObjectNotFound:
            return None
