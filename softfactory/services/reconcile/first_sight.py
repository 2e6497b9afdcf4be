"""What looks like a difference at first sight: one walk over storage, one over the rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.models import FileUpload, UploadStatus
from softfactory.services.access import askable, holds_its_key, is_alive
from softfactory.storage.base import Losing, ObjectSummary, Storage
from softfactory.storage.keys import is_staging

BATCH = 1000
"""Rows looked up at a time; as many as a page of a list has objects."""

Progress = Callable[[int], object]
"""Told how many rows were compared since it was last told."""


@dataclass(slots=True)
class Suspects:
    """Keys of objects, ids of rows."""

    unknown_keys: list[str] = field(default_factory=list)
    missing_ids: list[int] = field(default_factory=list)
    mismatched_ids: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.unknown_keys or self.missing_ids or self.mismatched_ids)


@dataclass(frozen=True, slots=True)
class FirstSight:
    """Finds all differences, and things that live traffic is just changing among them."""

    session: Session
    storage: Storage
    clock: Clock

    def suspects(self, progress: Progress) -> Suspects:
        """Return what looks like a difference.

        Folder markers and what waits to be confirmed are no files.
        """
        suspects = Suspects()
        # Rows that come later are later runs' to compare.
        newest = self.session.scalar(select(func.max(FileUpload.id))) or 0
        self.session.rollback()
        seen = bytearray(newest // 8 + 1)
        lost = {*self.storage.lost_objects()} if isinstance(self.storage, Losing) else set()
        for listed in self._pages():
            page = [found for found in listed if found.key not in lost]
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
        query = select(
            FileUpload.id, FileUpload.file_key, FileUpload.file_size, FileUpload.status
        ).where(FileUpload.file_key.in_(askable(keys)), holds_its_key())
        rows = {row.file_key: row for row in self.session.execute(query)}
        # Rows come before objects, so the next page's have to be read after its objects.
        self.session.rollback()
        return rows

    def _ids(self, newest: int) -> Iterator[Sequence[int]]:
        """Yield the ids of the rows that should have an object, a batch at a time."""
        last = 0
        query = select(FileUpload.id).where(is_alive(self.clock()), FileUpload.id <= newest)
        query = query.order_by(FileUpload.id).limit(BATCH)
        while ids := self.session.scalars(query.where(FileUpload.id > last)).all():
            self.session.rollback()
            yield ids
            last = ids[-1]
