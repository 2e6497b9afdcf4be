"""Searching by a part of the name: through storage, as far as one call may, and through the rows."""

import heapq
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter

from sqlalchemy import func, select

from softfactory.models import FileUpload
from softfactory.services.access import holds_its_key, is_alive, owner_of
from softfactory.services.browser.entries import DELIMITER, Entry
from softfactory.services.visible import VisibleObjects
from softfactory.storage.base import MAX_LIST_LIMIT

MAX_RESULTS = 1000
"""Results of one search (docs/api/browser.md, Search)."""

MAX_SCANNED = 20_000
"""Objects of storage that one search looks at; 20 requests, where storage is S3."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The entries that were found, in key order.

    Attributes:
        is_complete: False where storage has so many objects that some may have been missed which
            no row tells of: those that clients wrote by means of their own since the last
            ``files reconcile``.
    """

    entries: list[Entry]
    is_complete: bool


@dataclass(slots=True)
class Search:
    """One search; its cost is bounded however many objects there are (docs/decisions/0017)."""

    visible: VisibleObjects
    wanted: str
    left: int = field(default_factory=lambda: MAX_SCANNED)

    def run(self, prefixes: list[str]) -> SearchResult:
        """Look for names below each of ``prefixes``; whose they are was decided before."""
        entries: list[Entry] = []
        is_complete = True
        for prefix in prefixes:
            found, stopped_at = self._through_storage(prefix, MAX_RESULTS - len(entries))
            entries += found
            if stopped_at is not None and len(entries) < MAX_RESULTS:
                is_complete = False
                entries += self._through_rows(prefix, stopped_at, MAX_RESULTS - len(entries))
        return SearchResult(entries, is_complete)

    def _through_storage(self, prefix: str, most: int) -> tuple[list[Entry], str | None]:
        """Return what storage has, and the key at which the looking stopped before the end."""
        entries: list[Entry] = []
        after: str | None = prefix if prefix.endswith(DELIMITER) else ""
        while after is not None and len(entries) < most:
            if self.left <= 0:
                return entries, after
            page = self.visible.page(prefix, delimiter="", start_after=after, limit=MAX_LIST_LIMIT)
            self.left -= MAX_LIST_LIMIT
            entries += [Entry.of(found) for found in page.objects if self._is_wanted(found.key)]
            after = page.next_start_after
        return entries[:most], None

    def _through_rows(self, prefix: str, behind: str, most: int) -> list[Entry]:
        """Return the files behind that key of which rows tell: one statement, no storage."""
        owner = owner_of(self.visible.session, prefix)
        if owner is None:
            return []
        keys = heapq.nsmallest(most, self._keys(owner.id, prefix, behind))
        query = select(
            FileUpload.file_key,
            FileUpload.file_size,
            FileUpload.uploaded_at,
            func.coalesce(FileUpload.etag, ""),
            FileUpload.storage_tier,
        ).where(FileUpload.file_key.in_(keys), holds_its_key())
        found = self.visible.session.connection().execute(query)
        return sorted((Entry(*row, is_folder=False) for row in found), key=attrgetter("key"))

    def _keys(self, user_id: int, prefix: str, behind: str) -> Iterator[str]:
        query = select(FileUpload.file_key).where(
            FileUpload.user_id == user_id, is_alive(self.visible.clock())
        )
        connection = self.visible.session.connection()
        for key in connection.scalars(query, execution_options={"yield_per": MAX_LIST_LIMIT}):
            if key > behind and key.startswith(prefix) and self._is_wanted(key):
                yield key

    def _is_wanted(self, key: str) -> bool:
        """Whether the last segment of the key, or of a folder's marker, has the text in it."""
        return self.wanted in folded(key.removesuffix(DELIMITER).rpartition(DELIMITER)[2])


def folded(text: str) -> str:
    """Return ``text`` as it is compared: in no case, its accents in one form."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text).casefold()
