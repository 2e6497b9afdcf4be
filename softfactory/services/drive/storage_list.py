"""The drive's list out of storage (v3): in key order, over all of the user's roots."""

import base64
import heapq
import json
import mimetypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import InvalidInput
from softfactory.models import FileUpload, UploadStatus, User
from softfactory.services.access import holds_its_key, is_alive
from softfactory.services.drive.entries import Entry, tier_of
from softfactory.services.drive.listing_cache import PAGE_LIFETIME, ListingCache
from softfactory.services.drive.recent_list import EntryPage
from softfactory.services.generations import generation_of
from softfactory.storage.base import MAX_LIST_LIMIT, ObjectSummary, Storage
from softfactory.storage.keys import STAGING_FOLDER, is_staging

RECENT = timedelta(minutes=5)
"""How long a file counts as recent (drive-api.md, "Handling of Recently Uploaded Files")."""

MAX_RECENT = 1000
"""Recent files that are looked for; more of them within five minutes are a bulk import."""

COUNTED = 10_000
"""Files up to which the total is counted in storage; past it, the database counts."""

FAR = 2**40
"""More files than anybody has; pages behind are as empty as this one."""

OPEN = (UploadStatus.PENDING.value, UploadStatus.UPLOADING.value)


@dataclass(frozen=True, slots=True)
class StorageList:
    """What storage has of a user's files, with what the database alone knows yet."""

    session: Session
    storage: Storage
    cache: ListingCache
    clock: Clock

    def page(
        self, user: User, *, page: int, per_page: int, cursor: str | None, use_cache: bool
    ) -> EntryPage:
        """Return a page; behind ``cursor``, where there is one, else by its number.

        Args:
            use_cache: False reads storage, whatever is cached.

        Raises:
            InvalidInput: the cursor is none of ours.
        """
        after = "" if cursor is None else _key_of(cursor)
        skip = min((page - 1) * per_page, FAR) if cursor is None else 0
        # Read first: what changes while storage is listed makes the page one of the past.
        generation = generation_of(self.session, user.id)
        position = base64.urlsafe_b64encode(after.encode()).decode()
        name = f"drive-v3:{user.uuid}:{generation}:{per_page}:{skip}:{position}"
        cached = self.cache.get(name) if use_cache else None
        if cached is not None:
            return cached
        view = _View.of(self.session, self.storage, user, self.clock())
        total = f"drive-v3:{user.uuid}:{generation}:total"
        built = self._build(view, after, skip, per_page, total if use_cache else None)
        if view.is_settled and (use_cache or not view.recent):
            self.cache.put(name, built, view.true_until)
            self.cache.put(total, EntryPage([], built.total, None), view.true_until)
        return built

    def _build(
        self, view: "_View", after: str, skip: int, per_page: int, known_total: str | None
    ) -> EntryPage:
        found = [*islice(view.objects(after, skip + per_page), skip, skip + per_page + 1)]
        shown = found[:per_page]
        is_whole = not after and not skip and len(found) <= per_page
        counted = self.cache.get(known_total) if known_total and not is_whole else None
        if counted is not None:
            total = counted.total
        else:
            total = len(shown) if is_whole else self._total(view)
        next_cursor = _cursor_of(shown[-1].key) if len(found) > per_page else None
        return EntryPage(self._entries(view, shown), total, next_cursor)

    def _total(self, view: "_View") -> int:
        rows = select(FileUpload.id).where(*view.living).limit(COUNTED + 1)
        if (self.session.scalar(select(func.count()).select_from(rows.subquery())) or 0) > COUNTED:
            return self.session.scalar(select(func.count()).where(*view.living)) or 0
        return sum(1 for _ in view.objects("", COUNTED))

    def _entries(self, view: "_View", shown: list[ObjectSummary]) -> list[Entry]:
        keys = [each.key for each in shown]
        query = select(FileUpload).where(FileUpload.file_key.in_(keys), holds_its_key())
        rows = {**view.waiting, **{row.file_key: row for row in self.session.scalars(query)}}
        return [_entry(each, rows.get(each.key)) for each in shown]


@dataclass(frozen=True, slots=True)
class _View:
    """What is to be known before storage is listed.

    Attributes:
        recent: files completed within the last five minutes.
        waiting: rows of uploads that are not confirmed, by the key of the file to be.
        expired: keys that storage still has and nobody may see.
        is_settled: no drive upload is open, whose bytes would come to storage without our knowing.
        true_until: when the next file expires, or five minutes from now.
    """

    storage: Storage
    user: User
    living: tuple[ColumnElement[bool], ...]
    recent: list[ObjectSummary]
    waiting: dict[str, FileUpload]
    arrived: dict[str, ObjectSummary]
    expired: set[str]
    is_settled: bool
    true_until: datetime

    @classmethod
    def of(cls, session: Session, storage: Storage, user: User, now: datetime) -> "_View":
        mine = FileUpload.user_id == user.id
        living = (mine, is_alive(now))
        completed = FileUpload.status == UploadStatus.COMPLETED.value
        open_ = session.scalars(
            select(FileUpload)
            .where(mine, FileUpload.status.in_(OPEN))
            .order_by(FileUpload.id.desc())
        ).all()
        expired = session.scalars(
            select(FileUpload.file_key).where(mine, completed, FileUpload.expires_at <= now)
        )
        next_expiry = session.scalar(
            select(func.min(FileUpload.expires_at)).where(
                mine, completed, FileUpload.expires_at > now
            )
        )
        staged = {row.staging_key: row for row in open_ if is_staging(row.staging_key or "")}
        arrived = _staged_objects(storage, user) if staged else []
        return cls(
            storage=storage,
            user=user,
            living=living,
            recent=_recent(session, living, now),
            waiting={
                staged[each.key].file_key: staged[each.key]
                for each in arrived
                if each.key in staged
            },
            arrived={each.key: each for each in arrived},
            expired={*expired},
            is_settled=not staged,
            true_until=min(next_expiry or now + PAGE_LIFETIME, now + PAGE_LIFETIME),
        )

    def objects(self, after: str, wanted: int) -> Iterator[ObjectSummary]:
        """Yield what there is behind ``after``, in key order, each key once."""
        last = after
        stored = self._stored(after, min(wanted + 1, MAX_LIST_LIMIT))
        # Of one key, storage's own word comes first.
        for each in heapq.merge(stored, self._unlisted(after), key=lambda each: each.key):
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

    def _unlisted(self, after: str) -> list[ObjectSummary]:
        """Return what the list of storage does not have yet, by the key it will have."""
        waiting = [
            replace(self.arrived[row.staging_key or ""], key=row.file_key)
            for row in self.waiting.values()
        ]
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


def _recent(
    session: Session, living: Sequence[ColumnElement[bool]], now: datetime
) -> list[ObjectSummary]:
    """Return the files that a list of storage might not show yet, the newest of them."""
    query = select(
        FileUpload.file_key,
        FileUpload.file_size,
        FileUpload.etag,
        FileUpload.uploaded_at,
        FileUpload.storage_tier,
    ).where(*living, FileUpload.uploaded_at > now - RECENT)
    newest = query.order_by(FileUpload.uploaded_at.desc()).limit(MAX_RECENT)
    return [
        ObjectSummary(key, size, etag or "", uploaded_at, storage_class)
        for key, size, etag, uploaded_at, storage_class in session.execute(newest)
    ]


def _entry(found: ObjectSummary, row: FileUpload | None) -> Entry:
    if row is not None:
        return Entry.of(
            row,
            last_modified=found.last_modified,
            size=found.size,
            storage_class=found.storage_class,
        )
    filename = found.key.rsplit("/", 1)[-1]
    return Entry(
        id=found.key,
        s3_key=found.key,
        file_name=filename,
        size=found.size,
        # A list of storage tells no types, and nothing else knows of this object.
        content_type=mimetypes.guess_type(filename)[0] or "application/octet-stream",
        tier=tier_of(found.storage_class),
        last_modified=found.last_modified,
        is_complete=True,
        object_id=None,
    )


def _cursor_of(key: str) -> str:
    text = json.dumps({"key": key}, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _key_of(cursor: str) -> str:
    """Return the key that the page stands behind.

    Raises:
        InvalidInput: the cursor is none of ours.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        key: str = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))["key"]
        # No Key: what others wrote to storage may be named by any text.
        return key.encode().decode()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        message = "cursor is not valid. Send next_cursor of a page as it is."
        raise InvalidInput.of("cursor", message) from error
