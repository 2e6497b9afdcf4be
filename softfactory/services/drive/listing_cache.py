"""Pages of the storage list, kept for five minutes and never beyond their user's next change."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from softfactory.clock import Clock
from softfactory.services.drive.entries import Entry
from softfactory.services.drive.recent_list import EntryPage

PAGE_LIFETIME = timedelta(minutes=5)
"""docs/api/drive.md, Lists."""


class ResponseCache(Protocol):
    """Keeps texts for a while, or forgets them earlier; it never fails."""

    def get(self, key: str) -> str | None:
        """Return the text, None where there is none any more."""
        ...

    def set(self, key: str, text: str, lifetime: timedelta) -> None:
        """Keep the text for ``lifetime`` at most."""
        ...


@dataclass(frozen=True, slots=True)
class ListingCache:
    """Pages by name, each with the moment until which it is true."""

    store: ResponseCache
    clock: Clock

    def get(self, name: str) -> EntryPage | None:
        """Return the page kept by this name, unless its time is over."""
        text = self.store.get(name)
        kept: dict[str, Any] = json.loads(text) if text else {}
        if not kept or datetime.fromisoformat(kept["until"]) <= self.clock():
            return None
        entries = [*map(_entry, kept["entries"])]
        return EntryPage(entries, kept["total"], kept["next_cursor"])

    def put(self, name: str, page: EntryPage, until: datetime) -> None:
        """Keep the page by this name until that moment, and five minutes at most."""
        now = self.clock()
        until = min(until, now + PAGE_LIFETIME)
        kept = {
            "until": until,
            "entries": page.entries,
            "total": page.total,
            "next_cursor": page.next_cursor,
        }
        self.store.set(name, json.dumps(kept, default=datetime.isoformat), PAGE_LIFETIME)


_MOMENT = Entry._fields.index("last_modified")


def _entry(kept: list[Any]) -> Entry:
    kept[_MOMENT] = datetime.fromisoformat(kept[_MOMENT])
    return Entry._make(kept)
