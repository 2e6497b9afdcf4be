"""All that storage has of one user's files, in key order, with what the database alone knows."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from softfactory.models import FileUpload, UploadStatus, User
from softfactory.services.access import has_expired, is_alive
from softfactory.services.drive.listing_cache import PAGE_LIFETIME
from softfactory.services.listed_file import LISTED, ListedFile
from softfactory.storage.base import MAX_LIST_LIMIT, ObjectSummary, Storage
from softfactory.storage.keys import STAGING_FOLDER, is_staging

RECENT = timedelta(minutes=5)
"""How long a file counts as recent (docs/api/drive.md, Lists)."""

MAX_RECENT = 1000
"""Recent files that are looked for; more of them within five minutes are a bulk import."""

OPEN = (UploadStatus.PENDING.value, UploadStatus.UPLOADING.value)

# Made once: every page waits for them.
_NOW = bindparam("now", type_=FileUpload.uploaded_at.type)
_MINE = FileUpload.user_id == bindparam("user_id")
_OPEN = (
    select(FileUpload.staging_key, *LISTED)
    .where(_MINE, FileUpload.status.in_(OPEN))
    .order_by(FileUpload.id.desc())
)
_EXPIRED = select(FileUpload.file_key).where(_MINE, has_expired(_NOW))
_NEXT_EXPIRY = select(func.min(FileUpload.expires_at)).where(
    _MINE, FileUpload.status == UploadStatus.COMPLETED.value, FileUpload.expires_at > _NOW
)
_RECENT = (
    select(
        FileUpload.file_key,
        FileUpload.file_size,
        func.coalesce(FileUpload.etag, ""),
        FileUpload.uploaded_at,
        FileUpload.storage_tier,
    )
    .where(_MINE, is_alive(_NOW), FileUpload.uploaded_at > bindparam("since"))
    .order_by(FileUpload.uploaded_at.desc())
    .limit(MAX_RECENT)
)


@dataclass(frozen=True, slots=True)
class StorageView:
    """What is to be known before storage is listed.

    Attributes:
        recent: files completed within the last five minutes.
        waiting: rows of uploads that are not confirmed, by the key of the file to be.
        arrived: their bytes in storage, by the same key.
        expired: keys that storage still has and nobody may see.
        is_settled: no drive upload is open, whose bytes would come to storage without our knowing.
        true_until: when the next file expires, or five minutes from now.
    """

    storage: Storage
    user: User
    now: datetime
    recent: list[ObjectSummary]
    waiting: dict[str, ListedFile]
    arrived: dict[str, ObjectSummary]
    expired: set[str]
    is_settled: bool
    true_until: datetime

    @classmethod
    def of(cls, session: Session, storage: Storage, user: User, now: datetime) -> Self:
        """Return the view of this moment."""
        connection = session.connection()
        values = {"user_id": user.id, "now": now, "since": now - RECENT}
        staged = {
            key: ListedFile._make(columns)
            for key, *columns in connection.execute(_OPEN, values)
            if is_staging(key or "")
        }
        arrived = {
            staged[each.key].file_key: each
            for each in (_staged_objects(storage, user) if staged else ())
            if each.key in staged
        }
        next_expiry = connection.execute(_NEXT_EXPIRY, values).scalar()
        return cls(
            storage=storage,
            user=user,
            now=now,
            recent=[ObjectSummary(*columns) for columns in connection.execute(_RECENT, values)],
            waiting={key: staged[each.key] for key, each in arrived.items()},
            arrived=arrived,
            expired={*connection.execute(_EXPIRED, values).scalars()},
            is_settled=not staged,
            true_until=min(next_expiry or now + PAGE_LIFETIME, now + PAGE_LIFETIME),
        )

    def objects(self, after: str, wanted: int) -> Iterator[ObjectSummary]:
        """Yield what there is behind ``after``, in key order, each key once."""
        last = after
        stored = self._stored(after, min(wanted + 1, MAX_LIST_LIMIT))
        # Of one key, storage's own word comes first.
        for each in heapq.merge(stored, self.unlisted(after), key=lambda each: each.key):
            if each.key != last:
                last = each.key
                yield each

    def _stored(self, after: str, limit: int) -> Iterator[ObjectSummary]:
        for root in sorted(self.user.roots):
            position: str | None = after if after.startswith(root) else ""
            if after > root and not position:
                continue
            while position is not None:
                page = self.storage.list_objects(root, start_after=position, limit=limit)
                yield from (each for each in page.objects if self._is_shown(each.key))
                position = page.next_start_after

    def _is_shown(self, key: str) -> bool:
        return not (key.endswith("/") or is_staging(key) or key in self.expired)

    def unlisted(self, after: str) -> list[ObjectSummary]:
        """Return what the list of storage may not have yet, in the order of its keys to be."""
        waiting = [replace(each, key=key) for key, each in self.arrived.items()]
        # Where a file is there, an upload that is to replace it does not show.
        unlisted = {each.key: each for each in (*waiting, *self.recent) if each.key > after}
        return [unlisted[key] for key in sorted(unlisted)]


def _staged_objects(storage: Storage, user: User) -> list[ObjectSummary]:
    """Return what waits in storage to be confirmed."""
    prefix = f"{user.roots.home}{STAGING_FOLDER}"
    found: list[ObjectSummary] = []
    position: str | None = ""
    while position is not None:
        page = storage.list_objects(prefix, start_after=position)
        found.extend(page.objects)
        position = page.next_start_after
    return found
