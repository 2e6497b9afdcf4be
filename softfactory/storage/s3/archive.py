"""Storage classes: moving an object to and from the archive, and asking it back."""

from botocore.exceptions import ClientError

from softfactory.errors import Conflict, ObjectArchived
from softfactory.storage.base import ObjectInfo, Restoration, StorageClass
from softfactory.storage.keys import StoredKey
from softfactory.storage.s3.copying import Copier
from softfactory.storage.s3.errors import error_code, storage_errors
from softfactory.storage.s3.reading import version_argument

_ARCHIVE_CLASSES = frozenset({StorageClass.GLACIER.value, "DEEP_ARCHIVE"})
"""S3: the classes that RestoreObject is for; DEEP_ARCHIVE comes by a bucket's lifecycle rules."""


class Archive(Copier):
    """The verbs of storage classes."""

    def set_storage_class(self, key: StoredKey, storage_class: StorageClass) -> ObjectInfo:
        """Change the class by a copy onto itself; nothing is done where it is that already."""
        info = self.head(key)
        if info.is_archived:
            raise ObjectArchived
        if info.storage_class == storage_class:
            return info
        return self.rewrite(key, storage_class=storage_class)

    def restore(self, key: StoredKey, *, version_id: str | None = None, days: int) -> Restoration:
        """Start the restoration at the standard speed (S3: 3 to 5 hours from GLACIER)."""
        info = self.head(key, version_id=version_id)
        if info.storage_class not in _ARCHIVE_CLASSES:
            raise Conflict("The file is not archived, so there is nothing to restore.")
        if info.restoration is not None:
            return info.restoration
        with storage_errors(version_id=version_id):
            self._start_restoration(key, version_id=version_id, days=days)
        return self.head(key, version_id=version_id).restoration or Restoration(ongoing=True)

    def _start_restoration(self, key: StoredKey, *, version_id: str | None, days: int) -> None:
        try:
            self.client.restore_object(
                Bucket=self.bucket,
                Key=key,
                RestoreRequest={"Days": days, "GlacierJobParameters": {"Tier": "Standard"}},
                **version_argument(version_id),
            )
        except ClientError as error:
            # Someone else asked between our head and this.
            if error_code(error) != "RestoreAlreadyInProgress":
                raise
