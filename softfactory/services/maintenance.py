"""Keeping house: what expired, was abandoned, or was left behind by a crash goes for good."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import InvalidKey, StorageError
from softfactory.models import FileUpload, UploadStatus
from softfactory.services.accounts import Accounts
from softfactory.services.catalog import Catalog
from softfactory.services.leftovers import BATCH, UNFINISHED, Leftovers
from softfactory.services.multipart import IdleUploads
from softfactory.services.removed_accounts import RemovedAccounts
from softfactory.services.unit_of_work import write
from softfactory.storage.base import Storage
from softfactory.storage.keys import StoredKey

_CONFIRMED = and_(
    FileUpload.status == UploadStatus.ABORTED.value,
    FileUpload.staging_key.is_not(None),
    FileUpload.etag.is_not(None),
)
"""How ``drive.confirmations`` leaves the row of an upload whose bytes became a file's."""

REPLACED_AGE = timedelta(minutes=5)
"""How long bytes stay that nobody waits for: sent again before they were confirmed, or after; a
confirmation that has just checked them may still be copying them."""

MAX_FAILURES = 3
"""After so many, storage itself is away, and waiting for each file would take hours."""

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
    unconfirmed_accounts: int
    deleted_accounts: int
    """Those whose objects went."""
    skipped: list[str]
    """What storage could not answer for: ids of files, keys, prefixes. Some of it may be left."""
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
    unconfirmed_age: timedelta

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
        skipped: list[str] = []
        codes, sessions = self.accounts.sweep(dry_run=dry_run)
        removed = RemovedAccounts(self.session, self.storage, self.clock)
        unconfirmed = removed.expire_unconfirmed(now - self.unconfirmed_age, dry_run=dry_run)
        expired = self._remove_all(
            self._expired(now), self._purge, progress, skipped, dry_run=dry_run
        )
        abandoned = self._remove_all(
            self._abandoned(now),
            self.catalog.drop_unfinished,
            progress,
            skipped,
            dry_run=dry_run,
            is_due=partial(self.idle.is_abandoned, since=idle_since, dry_run=dry_run),
        )
        drop = self.catalog.drop_unfinished
        self._remove_all(self._spent(now), drop, lambda _count: None, skipped, dry_run=dry_run)
        leftovers = Leftovers(self.session, self.storage, dry_run=dry_run)
        orphans = leftovers.sweep_orphans(idle_since)
        orphans += leftovers.abort_multiparts(idle_since)
        orphans += leftovers.purge_staged(now - REPLACED_AGE)
        versions = leftovers.sweep_noncurrent(now - self.noncurrent_version_age)
        deleted = removed.purge(dry_run=dry_run)
        versions += leftovers.sweep_replaced(now - REPLACED_AGE)
        return CleanupReport(
            expired_files=expired,
            abandoned_uploads=abandoned,
            orphan_parts=orphans,
            noncurrent_versions=versions,
            spent_codes=codes,
            dead_sessions=sessions,
            unconfirmed_accounts=unconfirmed,
            deleted_accounts=deleted,
            skipped=[*skipped, *leftovers.skipped, *removed.skipped],
            dry_run=dry_run,
        )

    def remove_expired(self) -> bool:
        """Remove files that have expired by now, up to 200; return whether each of them went.

        Made to be asked every second: it reads nothing but what has expired.
        """
        now = self.clock()
        # The status is no condition: SQLite would read every completed file for it.
        query = (
            select(FileUpload.id, FileUpload.status)
            .where(FileUpload.expires_at <= now)
            .order_by(FileUpload.expires_at)
            .limit(BATCH)
        )
        found = [*self.session.execute(query)]
        # Workers begin at different files, and no file that fails is in the way of the others.
        random.shuffle(found)
        failures = 0
        for file_id, status in found:
            if status != UploadStatus.COMPLETED.value or failures == MAX_FAILURES:
                continue
            try:
                self._remove(file_id, self._expired(now), self._purge)
            except (InvalidKey, StorageError) as error:
                failures += 1
                log.warning("expiry.skipped", file_id=file_id, exc_info=error)
        return failures == 0

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
        skipped: list[str],
        *,
        dry_run: bool,
        is_due: Callable[[int], bool] = lambda _file_id: True,
    ) -> int:
        """Handle every file that is ``due``, each in its own transaction; return how many.

        Args:
            skipped: told the ids of files that storage did not answer for.
            is_due: asked about each, where the database alone can't tell.
        """
        removed = 0
        for file_id in self._ids(due):
            try:
                if is_due(file_id):
                    removed += dry_run or self._remove(file_id, due, remove)
            except (InvalidKey, StorageError) as error:
                # The others still go; this one's row is there for the next run.
                skipped.append(f"file {file_id}")
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
        self.storage.purge(StoredKey(file.file_key))
