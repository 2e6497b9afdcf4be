"""Lists of the browser: one folder at a time, and a search through all of them."""

from dataclasses import dataclass

from softfactory.models import User
from softfactory.services.access import require_key
from softfactory.services.browser.entries import DELIMITER, Entry
from softfactory.services.browser.search import Search, SearchResult, folded
from softfactory.services.visible import VisibleObjects
from softfactory.storage.keys import check_prefix, forms

REFILLS = 5
"""How often a page that hidden objects left short is filled up before it goes out short."""


@dataclass(frozen=True, slots=True)
class EntryPage:
    """One page of a list.

    Attributes:
        cursor: what to pass for the next page; None at the end.
    """

    entries: list[Entry]
    prefix: str
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """What is there, as storage has it, so that what clients wrote themselves shows too."""

    visible: VisibleObjects

    def page(self, user: User, *, prefix: str | None, cursor: str | None, limit: int) -> EntryPage:
        """Return up to ``limit`` objects and folders right below ``prefix``, in key order.

        Args:
            prefix: by default the user's ``users/<uuid>/``; it works as S3's does, also without a
                slash at its end. An administrator's empty one is that of everything.

        Raises:
            InvalidKey: nothing can have this prefix.
            PermissionDenied: it lies outside the user's roots; administrators read everywhere.
        """
        *others, last = self._allowed(user, prefix)
        for form in others:
            page = self._page(form, cursor=cursor, limit=limit)
            if page.entries or page.cursor:
                return page
        return self._page(last, cursor=cursor, limit=limit)

    def _page(self, prefix: str, *, cursor: str | None, limit: int) -> EntryPage:
        # A folder's own marker has the folder's key, and stands before all that is in it.
        after: str | None = cursor or (prefix if prefix.endswith(DELIMITER) else "")
        entries: list[Entry] = []
        for _ in range(REFILLS):
            if after is None or len(entries) == limit:
                break
            page = self.visible.page(
                prefix, delimiter=DELIMITER, start_after=after, limit=limit - len(entries)
            )
            found = [*map(Entry.of, page.objects), *map(Entry, page.prefixes)]
            entries += sorted(found, key=lambda entry: entry.key)
            after = page.next_start_after
        return EntryPage(entries, prefix, after)

    def search(self, user: User, *, query: str, prefix: str | None) -> SearchResult:
        """Return the first 1000 objects, in key order, whose name has ``query`` in it, in any case.

        The name is the last segment of the key; a folder that was made has one too.

        Raises:
            InvalidKey, PermissionDenied: as ``page``.
        """
        return Search(self.visible, folded(query)).run(self._allowed(user, prefix))

    def _allowed(self, user: User, prefix: str | None) -> list[str]:
        """Return the prefixes that are meant, the likeliest first."""
        if prefix is None or (prefix == "" and not user.is_admin):
            return [user.roots.browser]
        meant = forms(prefix)
        for form in meant:
            check_prefix(form)
            require_key(user, form)
        return meant
