"""Keeping house: what expired, was abandoned, or was left behind by a crash goes for good."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import InvalidKey, StorageError
from softfactory.models import FileUpload, MultipartUpload, UploadStatus, User
from softfactory.services.accounts import Accounts
from softfactory.services.catalog import Catalog
from softfactory.services.multipart import IdleUploads
from softfactory.services.unit_of_work import write
from softfactory.storage.base import MultipartInfo, Storage
from softfactory.storage.keys import SHARED_ROOTS, Key

BATCH = 200
"""Rows looked up at a time; each is then handled in a transaction of its own."""

UNFINISHED = (
    UploadStatus.PENDING.value,
    UploadStatus.UPLOADING.value,
    UploadStatus.FAILED.value,
    UploadStatus.ABORTED.value,
)

_CONFIRMED = and_(
    FileUpload.status == UploadStatus.ABORTED.value,
    FileUpload.staging_key.is_not(None),
    FileUpload.etag.is_not(None),
)
"""How ``drive.confirmations`` leaves the row of an upload whose bytes became a file's."""

log = structlog.get_logger(__name__)

Progress = Callable[[int], object]
"""Told how many files were handled since it was last told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupReport:
    """How many of each went, or would go in a dry run."""

    expired_files: int
    abandoned_uploads: int
    orphan_parts: int
    noncurrent_versions: int
    spent_codes: int
    dead_sessions: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Maintenance:
    """The operator's use cases; safe beside live traffic and on several machines at once."""

    session: Session
    storage: Storage
    catalog: Catalog
    idle: IdleUploads
    accounts: Accounts
    clock: Clock
    upload_expiry: timedelta
    noncurrent_version_age: timedelta

    def count(self) -> int:
        """Return how many files a cleanup would look at now; for a progress bar's length."""
        now = self.clock()
        due = self._expired(now) | self._abandoned(now)
        return self.session.scalar(select(func.count()).select_from(FileUpload).where(due)) or 0

    def cleanup(
        self, *, dry_run: bool = False, progress: Progress = lambda _count: None
    ) -> CleanupReport:
        """Remove what is no longer anyone's; say how much. Safe to stop and to run again."""
        now = self.clock()
        idle_since = now - self.upload_expiry
        codes, sessions = self.accounts.sweep(dry_run=dry_run)
        expired = self._remove_all(self._expired(now), self._purge, progress, dry_run=dry_run)
        abandoned = self._remove_all(
            self._abandoned(now),
            self.catalog.drop_unfinished,
            progress,
            dry_run=dry_run,
            is_due=partial(self.idle.is_abandoned, since=idle_since, dry_run=dry_run),
        )
        drop = self.catalog.drop_unfinished
        self._remove_all(self._spent(now), drop, lambda _count: None, dry_run=dry_run)
        orphans = self.storage.sweep_orphans(idle_since, dry_run=dry_run)
        orphans += self._abort_unknown_multiparts(idle_since, dry_run=dry_run)
        stale_since = now - self.noncurrent_version_age
        versions = sum(
            self.storage.sweep_noncurrent(stale_since, prefix=root, dry_run=dry_run)
            for root in self._roots()
        )
        return CleanupReport(
            expired_files=expired,
            abandoned_uploads=abandoned,
            orphan_parts=orphans,
            noncurrent_versions=versions,
            spent_codes=codes,
            dead_sessions=sessions,
            dry_run=dry_run,
        )

    def _expired(self, now: datetime) -> ColumnElement[bool]:
        return and_(FileUpload.status == UploadStatus.COMPLETED.value, FileUpload.expires_at <= now)

    def _abandoned(self, now: datetime) -> ColumnElement[bool]:
        return and_(
            FileUpload.status.in_(UNFINISHED),
            FileUpload.last_activity_at < now - self.upload_expiry,
            ~_CONFIRMED,
        )

    def _spent(self, now: datetime) -> ColumnElement[bool]:
        """Rows of uploads whose bytes went over into a file, which nobody asks about any more."""
        return and_(_CONFIRMED, FileUpload.last_activity_at < now - self.upload_expiry)

    def _remove_all(
        self,
        due: ColumnElement[bool],
        remove: Callable[[FileUpload], None],
        progress: Progress,
        *,
        dry_run: bool,
        is_due: Callable[[int], bool] = lambda _file_id: True,
    ) -> int:
        """Handle every file that is ``due``, each in its own transaction; return how many.

        Args:
            is_due: asked about each, where the database alone can't tell.
        """
        removed = 0
        for file_id in self._ids(due):
            try:
                if is_due(file_id):
                    removed += dry_run or self._remove(file_id, due, remove)
            except StorageError as error:
                # The others still go; this one's row is there for the next run.
                log.warning("cleanup.skipped", file_id=file_id, exc_info=error)
            progress(1)
        return removed

    def _remove(
        self, file_id: int, due: ColumnElement[bool], remove: Callable[[FileUpload], None]
    ) -> bool:
        """Remove one file that is still due; False where another machine or its client has it."""
        with write(self.session):
            file = self.session.scalar(
                select(FileUpload)
                .where(FileUpload.id == file_id, due)
                .with_for_update(skip_locked=True)
            )
            if file is None:
                return False
            remove(file)
            self.session.delete(file)
            return True

    def _ids(self, due: ColumnElement[bool]) -> Iterator[int]:
        """Yield the ids of due files, a batch at a time; each once, also where removing fails."""
        last = 0
        query = select(FileUpload.id).where(due).order_by(FileUpload.id).limit(BATCH)
        while ids := self.session.scalars(query.where(FileUpload.id > last)).all():
            yield from ids
            last = ids[-1]

    def _purge(self, file: FileUpload) -> None:
        self.storage.purge(Key(file.file_key))

    def _abort_unknown_multiparts(self, idle_since: datetime, *, dry_run: bool) -> int:
        """Abort uploads that a crash left open in storage and that no row tells of."""
        aborted = 0
        for upload in self._unknown_multiparts(self.storage.list_multiparts(), idle_since):
            try:
                if not dry_run:
                    self.storage.abort_multipart(Key(upload.key), upload.upload_id)
                aborted += 1
            except (InvalidKey, StorageError) as error:
                # Others' clients write keys that ours never would; the rest still goes.
                log.warning("cleanup.skipped", key=upload.key, exc_info=error)
        return aborted

    def _unknown_multiparts(
        self, uploads: Iterable[MultipartInfo], idle_since: datetime
    ) -> Iterator[MultipartInfo]:
        for upload in uploads:
            if upload.last_activity < idle_since and self._is_below_a_root(upload.key):
                known = exists().where(
                    MultipartUpload.upload_id == upload.upload_id,
                    MultipartUpload.file_id == FileUpload.id,
                    FileUpload.status.in_(UNFINISHED),
                )
                if not self.session.scalar(select(known)):
                    yield upload

    def _roots(self) -> Iterator[str]:
        """Yield the prefixes that are this service's; a bucket may hold others' objects too."""
        yield from (f"{root}/" for root in SHARED_ROOTS)
        last = 0
        query = select(User.id, User.username).order_by(User.id).limit(BATCH)
        while users := self.session.execute(query.where(User.id > last)).all():
            yield from (f"{username}/" for _, username in users)
            last = users[-1][0]

    def _is_below_a_root(self, key: str) -> bool:
        """Whether the key is this service's; a bucket may hold others' uploads too."""
        root, _, _ = key.partition("/")
        if root in SHARED_ROOTS:
            return True
        return bool(self.session.scalar(select(exists().where(User.username == root))))
