"""Looking for damage: what a list tells of each version is compared with what S3 knows of it.

S3 keeps bytes by checksums of its own and mends them, so they are not read back.
"""

from collections.abc import Callable, Iterator

from softfactory.errors import ObjectNotFound
from softfactory.storage.base import Damage, ObjectVersion, Verdict
from softfactory.storage.keys import StoredKey
from softfactory.storage.s3.listing import Lister, object_version
from softfactory.storage.s3.reading import Reader


class Verifier(Reader, Lister):
    """The verbs that look after old bytes."""

    def all_versions(self, *, start_after: str = "") -> Iterator[ObjectVersion]:
        """Yield the real versions of all objects, in key order, newest first of each."""
        for page in self.version_pages(start_after=start_after):
            for version in map(object_version, page.get("Versions", [])):
                # Ceph begins with the key itself.
                if version.key > start_after:
                    yield version

    def verify(self, version: ObjectVersion, read: Callable[[bytes], object]) -> Verdict | None:
        """Ask for the version by one HeadObject."""
        key = StoredKey(version.key)
        try:
            info = self.head(key, version_id=version.version_id)
        except ObjectNotFound:
            listed = {each.version_id for each in self.list_versions(key)}
            return Verdict(Damage.MISSING) if version.version_id in listed else None
        if info.size != version.size:
            return Verdict(Damage.WRONG_SIZE)
        return Verdict(Damage.WRONG_CONTENT if info.etag != version.etag else None)
