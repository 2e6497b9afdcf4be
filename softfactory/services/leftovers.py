"""What storage has and no row tells of: open multiparts, bytes nobody waits for, old versions.

Only what lies below a root of this service's; a bucket may hold others' objects too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

import structlog
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from softfactory.errors import InvalidKey, StorageError
from softfactory.models import FileUpload, MultipartUpload, UploadStatus, User
from softfactory.storage.base import MultipartInfo, Storage
from softfactory.storage.keys import SHARED_ROOTS, STAGING_FOLDER, Key

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
    """Removes it; one that storage will not remove does not stop the others."""

    session: Session
    storage: Storage
    dry_run: bool

    def abort_multiparts(self, idle_since: datetime) -> int:
        """Abort uploads that a crash left open in storage; return how many."""
        aborted = 0
        for upload in self.storage.list_multiparts():
            if upload.last_activity >= idle_since or not self._is_unknown(upload):
                continue
            try:
                if not self.dry_run:
                    self.storage.abort_multipart(Key(upload.key), upload.upload_id)
                aborted += 1
            except (InvalidKey, StorageError) as error:
                # Others' clients write keys that ours never would; the rest still goes.
                log.warning("cleanup.skipped", key=upload.key, exc_info=error)
        return aborted

    def purge_staged(self, idle_since: datetime) -> int:
        """Remove bytes that were sent for drive uploads which were given up; return how many.

        A presigned URL takes bytes until it expires, also when its upload's row is gone.
        """
        purged = 0
        for username in self._usernames():
            for key in self._staged(f"{username}/{STAGING_FOLDER}", idle_since):
                try:
                    if not self.dry_run:
                        self.storage.purge(Key(key))
                    purged += 1
                except (InvalidKey, StorageError) as error:
                    log.warning("cleanup.skipped", key=key, exc_info=error)
        return purged

    def sweep_noncurrent(self, stale_since: datetime) -> int:
        """Remove versions that have not been current since; return how many."""
        return sum(
            self.storage.sweep_noncurrent(stale_since, prefix=f"{root}/", dry_run=self.dry_run)
            for root in chain(SHARED_ROOTS, self._usernames())
        )

    def _staged(self, prefix: str, idle_since: datetime) -> Iterator[str]:
        """Yield the keys below ``prefix`` whose bytes are that old and wait for no row."""
        after: str | None = ""
        while after is not None:
            page = self.storage.list_objects(prefix, start_after=after)
            # PostgreSQL can't even be asked for a NUL, which only others' clients write.
            old = [
                found.key
                for found in page.objects
                if found.last_modified < idle_since and "\0" not in found.key
            ]
            query = select(FileUpload.staging_key).where(FileUpload.staging_key.in_(old))
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

    def _usernames(self) -> Iterator[str]:
        last = 0
        query = select(User.id, User.username).order_by(User.id).limit(BATCH)
        while users := self.session.execute(query.where(User.id > last)).all():
            yield from (username for _, username in users)
            last = users[-1][0]
