"""The drive's list out of storage (v3): in key order, over all of the user's roots."""

import base64
import json
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import InvalidInput
from softfactory.models import FileUpload, User
from softfactory.services.access import askable, holds_its_key
from softfactory.services.content_types import type_by_name
from softfactory.services.drive.entries import Entry, tier_of
from softfactory.services.drive.listing_cache import ListingCache
from softfactory.services.drive.recent_list import EntryPage
from softfactory.services.drive.skipping import pass_over
from softfactory.services.drive.storage_view import StorageView
from softfactory.services.listed_file import LISTED, ListedFile
from softfactory.services.newest import count_files
from softfactory.storage.base import ObjectSummary, Storage

COUNTED = 10_000
"""Files up to which the total is counted in storage; past it, the database counts."""

FAR = 2**40
"""More files than anybody has; pages behind are as empty as this one."""

_ROWS = select(*LISTED).where(
    FileUpload.file_key.in_(bindparam("keys", expanding=True)), holds_its_key()
)


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
        # Read with the user: what changes while storage is listed makes the page one of the past.
        generation = user.files_generation
        position = base64.urlsafe_b64encode(after.encode()).decode()
        name = f"drive-list:{user.uuid}:{generation}:{per_page}:{skip}:{position}"
        cached = self.cache.get(name) if use_cache else None
        if cached is not None:
            return cached
        view = StorageView.of(self.session, self.storage, user, self.clock())
        total = f"drive-list:{user.uuid}:{generation}:total"
        built = self._build(view, after, skip, per_page, total if use_cache else None)
        if view.is_settled and (use_cache or not view.recent):
            self.cache.put(name, built, view.true_until)
            self.cache.put(total, EntryPage([], built.total, None), view.true_until)
        return built

    def _build(
        self, view: StorageView, after: str, skip: int, per_page: int, known_total: str | None
    ) -> EntryPage:
        position, left = pass_over(view, after, skip)
        found = [*islice(view.objects(position, left + per_page), left, left + per_page + 1)]
        shown = found[:per_page]
        is_whole = not after and not skip and len(found) <= per_page
        counted = self.cache.get(known_total) if known_total and not is_whole else None
        if counted is not None:
            total = counted.total
        else:
            total = len(shown) if is_whole else self._total(view)
        next_cursor = _cursor_of(shown[-1].key) if len(found) > per_page else None
        return EntryPage(self._entries(view, shown), total, next_cursor)

    def _total(self, view: StorageView) -> int:
        known = count_files(self.session, view.user.id, now=view.now)
        if known > COUNTED:
            return known
        position, left = pass_over(view, "", FAR)
        return FAR - left + sum(1 for _ in view.objects(position, COUNTED))

    def _entries(self, view: StorageView, shown: list[ObjectSummary]) -> list[Entry]:
        found = self.session.connection().execute(
            _ROWS, {"keys": askable(each.key for each in shown)}
        )
        rows = {**view.waiting, **{row.file_key: row for row in map(ListedFile._make, found)}}
        return [_entry(each, rows.get(each.key)) for each in shown]


def _entry(found: ObjectSummary, row: ListedFile | None) -> Entry:
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
        content_type=type_by_name(filename),
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
