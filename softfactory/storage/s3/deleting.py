"""Deleting: one object, one version, many at once."""

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

from softfactory.errors import ObjectNotFound, StorageError
from softfactory.storage.base import MAX_LIST_LIMIT, DeleteFailure
from softfactory.storage.keys import StoredKey
from softfactory.storage.s3.bucket import Bucket
from softfactory.storage.s3.errors import storage_errors
from softfactory.storage.s3.reading import version_argument
from softfactory.storage.s3.xml_text import is_sayable

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

logger = logging.getLogger(__name__)

DELETES_AT_ONCE = 8
"""Requests at once, for the few objects that need one each."""


class Deleter(Bucket):
    """The verbs that delete what they are told."""

    def delete(self, key: StoredKey, *, version_id: str | None = None) -> None:
        """Delete the object, or one version for good."""
        try:
            with storage_errors(version_id=version_id):
                self.client.delete_object(
                    Bucket=self.bucket, Key=key, **version_argument(version_id)
                )
        except ObjectNotFound:
            return

    def delete_many(self, keys: Sequence[StoredKey]) -> list[DeleteFailure]:
        """Delete the objects, 1000 a request; a request that fails fails for each of its keys."""
        return self.delete_all({"Key": key} for key in keys)

    def delete_all(self, targets: "Iterable[ObjectIdentifierTypeDef]") -> list[DeleteFailure]:
        """Delete objects and versions, 1000 a request; return those that could not be."""
        remaining = iter(targets)
        failures: list[DeleteFailure] = []
        while batch := list(islice(remaining, MAX_LIST_LIMIT)):
            alone = [target for target in batch if not is_sayable(target["Key"])]
            if alone:
                failures += self._delete_alone(alone)
                batch = [target for target in batch if is_sayable(target["Key"])]
            try:
                failures += self._delete_batch(batch) if batch else []
            except StorageError as error:
                logger.warning("could not delete %d objects", len(batch), exc_info=error)
                failures += [_failure(target["Key"]) for target in batch]
        return failures

    def _delete_alone(self, targets: "list[ObjectIdentifierTypeDef]") -> list[DeleteFailure]:
        """Delete what no DeleteObjects can name; return what could not be."""

        def delete(target: "ObjectIdentifierTypeDef") -> DeleteFailure | None:
            key = StoredKey(target["Key"])
            try:
                self.delete(key, version_id=target.get("VersionId"))
            except StorageError as error:
                logger.warning("could not delete an object", exc_info=error)
                return _failure(key)
            return None

        with ThreadPoolExecutor(DELETES_AT_ONCE) as pool:
            return [failure for failure in pool.map(delete, targets) if failure is not None]

    def _delete_batch(self, batch: "list[ObjectIdentifierTypeDef]") -> list[DeleteFailure]:
        with storage_errors():
            answer = self.client.delete_objects(
                Bucket=self.bucket, Delete={"Objects": batch, "Quiet": True}
            )
        errors = [
            error
            for error in answer.get("Errors", [])
            if error.get("Code") not in ("NoSuchKey", "NoSuchVersion")
        ]
        for error in errors:
            logger.warning("S3 did not delete an object: %s", error.get("Code"))
        return [_failure(error.get("Key", "")) for error in errors]


def _failure(key: str) -> DeleteFailure:
    return DeleteFailure(key, StorageError.code, StorageError.default_message)
