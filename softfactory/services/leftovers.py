"""What storage has and no row tells of: open multiparts, bytes nobody waits for, old versions.

Only what lies below a root of this service's; a bucket may hold others' objects too.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import chain

import structlog
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from softfactory.errors import InvalidKey, StorageError
from softfactory.models import FileUpload, MultipartUpload, UploadStatus, User
from softfactory.services.access import askable
from softfactory.storage.base import MultipartInfo, Storage
from softfactory.storage.keys import SHARED_ROOTS, STAGING_FOLDER, StoredKey

BATCH = 200
"""Rows looked up at a time; each is then handled in a transaction of its own."""

UNFINISHED = (
    UploadStatus.PENDING.value,
    UploadStatus.UPLOADING.value,
    UploadStatus.FAILED.value,
    UploadStatus.ABORTED.value,
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Removes it; what storage will not list or remove is passed over, and stops nothing else.

    Attributes:
        skipped: what was passed over: an object or upload each, or all below a prefix.
    """

    session: Session
    storage: Storage
    dry_run: bool
    skipped: list[str] = field(default_factory=list)

    def abort_multiparts(self, idle_since: datetime) -> int:
        """Abort uploads that a crash left open in storage; return how many."""
        try:
            return self._abort_multiparts("", idle_since)
        except StorageError as error:
            # A server may fail to list a bucket for one upload in it; the others lie elsewhere.
            log.warning("cleanup.bucket_unreadable", exc_info=error)
        return self._each(self._roots(), partial(self._abort_multiparts, idle_since=idle_since))

    def _abort_multiparts(self, prefix: str, idle_since: datetime) -> int:
        aborted = 0
        for upload in self.storage.list_multiparts(prefix):
            if upload.last_activity >= idle_since or not self._is_unknown(upload):
                continue
            with self._passing_over(upload.key):
                if not self.dry_run:
                    self.storage.abort_multipart(StoredKey(upload.key), upload.upload_id)
                aborted += 1
        return aborted

    def purge_staged(self, sent_before: datetime) -> int:
        """Remove bytes that were sent for drive uploads which are open no more; return how many.

        A presigned URL of S3 takes bytes until it expires, also when its upload was confirmed or
        given up. No row reserves such bytes, so they are not to stay for long.
        """
        return self._each(
            self._staging_folders(), partial(self._purge_staged, sent_before=sent_before)
        )

    def _purge_staged(self, prefix: str, sent_before: datetime) -> int:
        purged = 0
        for key in self._staged(prefix, sent_before):
            with self._passing_over(key):
                if not self.dry_run:
                    self.storage.purge(StoredKey(key))
                purged += 1
        return purged

    def sweep_noncurrent(self, stale_since: datetime) -> int:
        """Remove versions that have not been current since; return how many."""
        shared = (f"{root}/" for root in SHARED_ROOTS)
        homes = (user.roots.home for user in self._users())
        return self._sweep_noncurrent(chain(shared, homes), stale_since)

    def sweep_replaced(self, replaced_since: datetime) -> int:
        """Remove what was sent for drive uploads and then sent again; return how often.

        A presigned URL takes its bytes as often as it likes; only the last of them are waited for.
        """
        return self._sweep_noncurrent(self._staging_folders(), replaced_since)

    def _sweep_noncurrent(self, prefixes: Iterable[str], before: datetime) -> int:
        return self._each(
            prefixes,
            lambda prefix: self.storage.sweep_noncurrent(
                before, prefix=prefix, dry_run=self.dry_run
            ),
        )

    def sweep_orphans(self, stale_since: datetime) -> int:
        """Remove what crashes left in storage's own directories; return how many."""
        return self._each(
            [""], lambda _: self.storage.sweep_orphans(stale_since, dry_run=self.dry_run)
        )

    def _each(self, prefixes: Iterable[str], handle: Callable[[str], int]) -> int:
        """Return the sum of what was done below each prefix; one that fails is passed over."""
        done = 0
        for prefix in prefixes:
            with self._passing_over(prefix):
                done += handle(prefix)
        return done

    @contextmanager
    def _passing_over(self, name: str) -> Iterator[None]:
        try:
            yield
        except (InvalidKey, StorageError) as error:
            self.skipped.append(name)
            log.warning("cleanup.skipped", key=name, exc_info=error)

    def _staged(self, prefix: str, sent_before: datetime) -> Iterator[str]:
        """Yield the keys below ``prefix`` whose bytes are that old, and that no upload waits for."""
        after: str | None = ""
        while after is not None:
            page = self.storage.list_objects(prefix, start_after=after)
            old = askable(found.key for found in page.objects if found.last_modified < sent_before)
            query = select(FileUpload.staging_key).where(
                FileUpload.staging_key.in_(old),
                FileUpload.status == UploadStatus.PENDING.value,
            )
            known = {*self.session.scalars(query)} if old else set()
            yield from (key for key in old if key not in known)
            after = page.next_start_after

    def _is_unknown(self, upload: MultipartInfo) -> bool:
        root, _, _ = upload.key.partition("/")
        is_user = exists().where(User.username == root)
        if root not in SHARED_ROOTS and not self.session.scalar(select(is_user)):
            return False
        known = exists().where(
            MultipartUpload.upload_id == upload.upload_id,
            MultipartUpload.file_id == FileUpload.id,
            FileUpload.status.in_(UNFINISHED),
        )
        return not self.session.scalar(select(known))

    def _roots(self) -> Iterator[str]:
        for user in self._users():
            yield from user.roots

    def _staging_folders(self) -> Iterator[str]:
        return (user.roots.home + STAGING_FOLDER for user in self._users())

    def _users(self) -> Iterator[User]:
        last = 0
        query = select(User).order_by(User.id).limit(BATCH)
        while users := self.session.scalars(query.where(User.id > last)).all():
            last = users[-1].id
            yield from users
