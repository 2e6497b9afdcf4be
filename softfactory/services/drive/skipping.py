"""Passing over files of a view: by storage itself, where it counts them for less than it lists."""

from softfactory.services.drive.storage_view import StorageView
from softfactory.storage.base import Skipping
from softfactory.storage.keys import LAST_CHARACTER, STAGING_FOLDER


def pass_over(view: StorageView, after: str, count: int) -> tuple[str, int]:
    """Pass over ``count`` files behind ``after``; return the position that was reached.

    With it comes how many files are left to be passed over from there: all of them where storage
    can't count.
    """
    storage = view.storage
    if not isinstance(storage, Skipping):
        return after, count
    position, left = after, count
    for stop, (files, behind) in [*sorted(_stops(view, after).items()), (None, (0, ""))]:
        if stop is not None and stop <= position:
            continue
        for root in sorted(view.user.roots):
            is_passed = position > root and not position.startswith(root)
            if left and not is_passed and (stop is None or stop > root):
                skipped = storage.skip_objects(root, start_after=position, before=stop, limit=left)
                position, left = skipped.last or position, left - skipped.count
        if not left or stop is None:
            break
        position, left = behind, left - files
    return position, left


def _stops(view: StorageView, after: str) -> dict[str, tuple[int, str]]:
    """Return where storage alone can't tell: how many files show there, and what lies behind."""
    staging = view.user.roots.home + STAGING_FOLDER
    return {
        **{key: (0, key) for key in view.expired},
        **{each.key: (1, each.key) for each in view.unlisted(after)},
        staging: (0, staging + LAST_CHARACTER),
    }
