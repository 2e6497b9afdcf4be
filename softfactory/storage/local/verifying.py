"""The verbs that read bytes back: every version is compared with the hash that is its ETag."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import BinaryIO

from xxhash import xxh3_128

from softfactory.errors import ObjectNotFound
from softfactory.storage.base import MAX_LIST_LIMIT, Damage, ObjectVersion, Verdict
from softfactory.storage.local import part_sizes, versions
from softfactory.storage.local.assembly import etag_of_digests
from softfactory.storage.local.base import LocalBase
from softfactory.storage.local.versions import Version

_CHUNK = 1024 * 1024
"""Bytes read at a time."""


class Verifying(LocalBase):
    """Looking for damage; promises as in ``Storage``."""

    def all_versions(self, *, start_after: str = "") -> Iterator[ObjectVersion]:
        """Yield the real versions of all objects, in key order, newest first of each."""
        after: str | None = start_after
        while after is not None:
            read = partial(versions.page, after=after, limit=MAX_LIST_LIMIT)
            after = None
            for version in self._index.read(read):
                after = version.key
                yield version.listed(version.version_id)

    def verify(self, version: ObjectVersion, read: Callable[[bytes], object]) -> Verdict | None:
        """Read the version's file and compare it; also that of an archived one."""
        find = partial(self._find, key=version.key, version_id=version.version_id)
        try:
            found = self._index.read(find)
            verdict = self._verify(found, read)
            # Only what the index still refers to can be damaged.
            return verdict if verdict.damage is None or self._index.read(find) == found else None
        except ObjectNotFound:
            return None

    def _verify(self, found: Version, read: Callable[[bytes], object]) -> Verdict:
        sizes = self._index.read(partial(part_sizes.of, file=found.file))
        is_known = found.etag.endswith("-1") or sum(sizes) == found.size > 0
        try:
            with self._files.path(found.file).open("rb", buffering=0) as file:
                digests, size = _digests(file, sizes or [found.size], read)
        except FileNotFoundError:
            return Verdict(Damage.MISSING)
        except OSError:
            return Verdict(Damage.UNREADABLE)
        if size != found.size:
            return Verdict(Damage.WRONG_SIZE)
        if is_known and etag_of_digests(digests) != found.etag:
            return Verdict(Damage.WRONG_CONTENT)
        return Verdict(is_compared=is_known)


def _digests(
    file: BinaryIO, sizes: Sequence[int], read: Callable[[bytes], object]
) -> tuple[list[str], int]:
    """Return the hash of each part of the file, and how many bytes there were in all.

    What stands behind the parts counts, as far as one look goes.
    """
    digests, total = [], 0
    for size in sizes:
        digest, left = xxh3_128(), size
        for chunk in iter(lambda: file.read(min(_CHUNK, left)), b""):  # noqa: B023  # at once
            digest.update(chunk)
            read(chunk)
            left -= len(chunk)
        digests.append(digest.hexdigest())
        total += size - left
    return digests, total + len(file.read(1))
