"""What accounts leave behind: objects of deleted ones, and those that were never confirmed."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import InvalidKey, StorageError
from softfactory.models import FileUpload, MailCode, UploadStatus, User
from softfactory.services.generations import touch
from softfactory.services.unit_of_work import write
from softfactory.storage.base import Storage
from softfactory.storage.keys import StoredKey

URLS_END_AFTER = timedelta(days=7)
"""S3: a SigV4 presigned URL lives at most seven days, and what it brings comes below the root."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RemovedAccounts:
    """Safe beside live traffic, on several machines at once, and to stop and run again.

    Attributes:
        skipped: what storage could not answer for: roots of users, keys.
    """

    session: Session
    storage: Storage
    clock: Clock
    skipped: list[str] = field(default_factory=list)

    def expire_unconfirmed(self, before: datetime, *, dry_run: bool) -> int:
        """Remove accounts made before then and never confirmed; return how many there are.

        Their names and addresses are free again: nobody was ever in. One whose code is still good
        stays, and so does one that has files.
        """
        now = self.clock()
        due = (
            User.confirmed_at.is_(None),
            User.deleted_at.is_(None),
            User.password_hash.is_not(None),
            User.created_at < before,
            ~exists().where(MailCode.user_id == User.id, MailCode.expires_at > now),
            ~exists().where(FileUpload.user_id == User.id),
        )
        with write(self.session):
            count = self.session.scalar(select(func.count()).select_from(User).where(*due)) or 0
            if not dry_run:
                self.session.execute(
                    delete(User).where(*due).execution_options(synchronize_session=False)
                )
        return count

    def purge(self, *, dry_run: bool) -> int:
        """Remove all that is below the roots of deleted users; return how many had something.

        It is looked at again until the last URL that may bring more has ended.
        """
        query = select(User).where(User.deleted_at.is_not(None), User.purged_at.is_(None))
        users = self.session.scalars(query.order_by(User.id)).all()
        self.session.commit()
        had_something = 0
        for user in users:
            try:
                used = [root for root in user.roots if self.storage.holds_anything(root)]
                had_something += bool(used)
                if dry_run:
                    continue
                with write(self.session):
                    # A request that was under way may have added one after all.
                    end_files(self.session, user, self.clock())
                for root in used:
                    self._empty(root)
                self._settle(user)
            except StorageError as error:
                # The others still go; this one's objects are there for the next run.
                self.skipped.append(user.roots.home)
                log.warning("cleanup.skipped", user_id=user.id, exc_info=error)
        return had_something

    def _empty(self, root: str) -> None:
        """Remove everything below ``root``, for good; one that storage refuses stops no other."""
        for upload in self.storage.list_multiparts(root):
            self._try(upload.key, upload.upload_id)
        after: str | None = ""
        while after is not None:
            page = self.storage.list_objects(root, start_after=after)
            for found in page.objects:
                self._try(found.key)
            after = page.next_start_after
        # What is left are versions behind delete markers, which no list shows.
        self.storage.sweep_noncurrent(self.clock() + timedelta(days=1), prefix=root)

    def _try(self, key: str, upload_id: str | None = None) -> None:
        try:
            if upload_id is None:
                self.storage.purge(StoredKey(key))
            else:
                self.storage.abort_multipart(StoredKey(key), upload_id)
        except (InvalidKey, StorageError) as error:
            self.skipped.append(key)
            log.warning("cleanup.skipped", key=key, exc_info=error)

    def _settle(self, user: User) -> None:
        """Look at the user no more, once nothing is left and nothing can come."""
        roots, deleted_at = [*user.roots], user.deleted_at
        self.session.commit()  # no transaction is open while storage works
        if deleted_at is None or self.clock() < deleted_at + URLS_END_AFTER:
            return
        if any(map(self.storage.holds_anything, roots)):
            return
        with write(self.session):
            if not self.session.scalar(select(exists().where(FileUpload.user_id == user.id))):
                user.purged_at = self.clock()


def end_files(session: Session, user: User, now: datetime) -> None:
    """Let the user's files expire and their uploads end; in its caller's transaction.

    Every door answers for them as for any expired file, and cleanup removes them as those.
    """
    living = FileUpload.status == UploadStatus.COMPLETED.value
    begun = FileUpload.status.in_((UploadStatus.PENDING.value, UploadStatus.UPLOADING.value))
    for which, values in (
        (living, {"expires_at": now}),
        (begun, {"status": UploadStatus.ABORTED.value}),
    ):
        session.execute(
            update(FileUpload)
            .where(FileUpload.user_id == user.id, which)
            .values(values)
            .execution_options(synchronize_session=False)
        )
    touch(session, user.id)
