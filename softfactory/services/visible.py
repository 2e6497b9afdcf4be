"""What storage has and clients may see: all but what has expired or waits to be confirmed."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.services.access import expired_keys
from softfactory.storage.base import MAX_LIST_LIMIT, ObjectPage, ObjectSummary, Storage
from softfactory.storage.keys import is_staging


@dataclass(frozen=True, slots=True)
class VisibleObjects:
    """Storage's lists, without what no list shows; whose they are is decided before."""

    session: Session
    storage: Storage
    clock: Clock

    def page(self, prefix: str, *, delimiter: str, start_after: str, limit: int) -> ObjectPage:
        """Return a page as ``Storage.list_objects`` does; what is hidden may leave it shorter."""
        page = self.storage.list_objects(
            prefix, delimiter=delimiter, start_after=start_after, limit=limit
        )
        folders = [folder for folder in page.prefixes if not is_staging(folder)]
        return ObjectPage(self._seen(page.objects), folders, page.next_start_after)

    def pages(
        self, prefix: str, *, start_after: str = "", limit: int = MAX_LIST_LIMIT
    ) -> Iterator[list[ObjectSummary]]:
        """Yield all objects below ``prefix``, in key order, a page at a time."""
        after: str | None = start_after
        while after is not None:
            page = self.storage.list_objects(prefix, start_after=after, limit=limit)
            yield self._seen(page.objects)
            after = page.next_start_after

    def expired(self, keys: Collection[str]) -> set[str]:
        """Return those of ``keys`` whose files have expired, and so are gone for their clients."""
        return expired_keys(self.session, keys, now=self.clock())

    def _seen(self, objects: Sequence[ObjectSummary]) -> list[ObjectSummary]:
        shown = [found for found in objects if not is_staging(found.key)]
        expired = self.expired([found.key for found in shown])
        return [found for found in shown if found.key not in expired]
