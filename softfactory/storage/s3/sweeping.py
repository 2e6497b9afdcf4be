"""Keeping a bucket with versions in order: what is no longer current goes when it is old."""

from datetime import UTC, datetime
from itertools import groupby, islice, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from softfactory.errors import StorageError
from softfactory.storage.base import MAX_LIST_LIMIT
from softfactory.storage.keys import StoredKey
from softfactory.storage.s3.deleting import Deleter
from softfactory.storage.s3.listing import Lister, entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3.type_defs import (
        DeleteMarkerEntryTypeDef,
        ObjectIdentifierTypeDef,
        ObjectVersionTypeDef,
    )

    _Entry: TypeAlias = ObjectVersionTypeDef | DeleteMarkerEntryTypeDef


class Sweeper(Lister, Deleter):
    """The verbs that remove what nobody can reach by a key any more."""

    def purge(self, key: StoredKey) -> None:
        """Delete everything of this key; the current version last, so no older one shows again.

        Raises:
            StorageError: some of it is still there.
        """
        history = [
            entry
            for page in self.version_pages(key, stop_behind=True)
            for entry in entries(page)
            if entry["Key"] == key
        ]
        for current in (False, True):
            targets = [_target(entry) for entry in history if entry["IsLatest"] is current]
            if self.delete_all(targets):
                raise StorageError

    def sweep_noncurrent(self, before: datetime, *, prefix: str = "", dry_run: bool = False) -> int:
        """Delete old versions below ``prefix``; one that can't be deleted is logged."""
        swept = 0
        stale = (_stale(history, before) for history in self._histories(prefix))
        # By the time the next page is asked for, nothing is deleted of the key at which it begins.
        while batch := list(islice(stale, MAX_LIST_LIMIT)):
            versions = [
                _target(version) for stale_versions, _ in batch for version in stale_versions
            ]
            swept += len(versions)
            if dry_run:
                continue
            failed = {failure.key for failure in self.delete_all(versions)}
            swept -= sum(target["Key"] in failed for target in versions)
            # A marker goes last, and never while an older version waits behind it to show again.
            markers = (_target(marker) for _, stale_markers in batch for marker in stale_markers)
            self.delete_all(marker for marker in markers if marker["Key"] not in failed)
        return swept

    def sweep_orphans(self, before: datetime, *, dry_run: bool = False) -> int:
        """Return 0: S3 leaves nothing behind but open uploads, which ``list_multiparts`` shows."""
        return 0

    def _histories(self, prefix: str) -> "Iterator[list[_Entry]]":
        """Yield the versions and delete markers of each key, newest first."""
        listed = (
            entry
            for page in self.version_pages(prefix)
            for entry in sorted(entries(page), key=itemgetter("Key"))
        )
        for _, history in groupby(listed, key=itemgetter("Key")):
            yield sorted(history, key=itemgetter("IsLatest", "LastModified"), reverse=True)


def _stale(history: "list[_Entry]", before: datetime) -> "tuple[list[_Entry], list[_Entry]]":
    """Return the versions, and the delete markers, of one key that are to go."""
    kept = history[:1]
    gone: list[_Entry] = []
    for newer, entry in pairwise(history):
        # It stopped being current when the next one came.
        (gone if newer["LastModified"].astimezone(UTC) < before else kept).append(entry)
    if all(_is_marker(entry) for entry in kept):
        gone += kept
    return (
        [entry for entry in gone if not _is_marker(entry)],
        [entry for entry in gone if _is_marker(entry)],
    )


def _is_marker(entry: "_Entry") -> bool:
    return "ETag" not in entry


def _target(entry: "_Entry") -> "ObjectIdentifierTypeDef":
    return {"Key": entry["Key"], "VersionId": entry["VersionId"]}
