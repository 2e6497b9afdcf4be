"""Copying within the bucket, which is also how S3 changes what is known of an object."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from softfactory.errors import ObjectArchived, StorageError
from softfactory.storage.base import MAX_PARTS, ObjectInfo, StorageClass
from softfactory.storage.keys import Key, StoredKey
from softfactory.storage.s3.deleting import Deleter
from softfactory.storage.s3.errors import storage_errors
from softfactory.storage.s3.multipart import Multipart
from softfactory.storage.s3.reading import answered_version, object_info, version_argument

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CopySourceTypeDef

logger = logging.getLogger(__name__)

MAX_COPY_SIZE = 5 * 1024 * 1024 * 1024
"""Bytes; S3: CopyObject takes no more, UploadPartCopy does the rest."""

COPY_PART_SIZE = 256 * 1024 * 1024
"""Bytes of one UploadPartCopy, where 10,000 of them suffice; it ends well within the timeout."""

COPY_WORKERS = 8
"""UploadPartCopy requests at once."""

_CARRIED = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "Metadata",
)
"""What belongs to an object and does not survive a copy that replaces any of it."""

_CARRIED_BY_NEW = ("ContentEncoding", "ContentType")
"""What of it is said of the bytes alone, and not by whoever wrote them of how they are kept."""


class Copier(Multipart, Deleter):
    """The verbs that copy."""

    def copy(
        self,
        source: StoredKey,
        target: Key,
        *,
        version_id: str | None = None,
        content_type: str | None = None,
        as_new: bool = False,
    ) -> ObjectInfo:
        """Copy the object, or one version of it; the bytes never leave the server."""
        changes: dict[str, Any] = {} if content_type is None else {"ContentType": content_type}
        if as_new:
            changes["StorageClass"] = StorageClass.STANDARD.value
        carried = _CARRIED_BY_NEW if as_new else _CARRIED
        copied, _ = self._copy(
            source, target, version_id=version_id, changes=changes, carried=carried
        )
        return copied

    def rename(self, source: StoredKey, target: Key) -> ObjectInfo:
        """Copy, then delete; onto its own name it stays as it is."""
        if source == target:
            return self.head(source)
        renamed = self.copy(source, target)
        self.delete(source)
        return renamed

    def rewrite(
        self,
        key: StoredKey,
        *,
        content_type: str | None = None,
        storage_class: StorageClass | None = None,
    ) -> ObjectInfo:
        """Copy the object onto itself with another type or class; what is None stays.

        The version that this replaces, of the same bytes, goes.
        """
        changes: dict[str, Any] = {}
        if content_type is not None:
            changes["ContentType"] = content_type
        if storage_class is not None:
            changes["StorageClass"] = storage_class.value
        rewritten, replaced = self._copy(key, key, changes=changes)
        if replaced and rewritten.version_id not in (None, replaced):
            try:
                self.delete(key, version_id=replaced)
            except StorageError:
                # Harmless: the sweep of noncurrent versions finds it.
                logger.exception("could not delete the version that a rewrite replaced")
        return rewritten

    def _copy(
        self,
        source: StoredKey,
        target: StoredKey,
        *,
        version_id: str | None = None,
        changes: Mapping[str, Any] | None = None,
        carried: Sequence[str] = _CARRIED,
    ) -> tuple[ObjectInfo, str | None]:
        """Copy, and return the copy and the version id of what was copied, as S3 says it."""
        with storage_errors(version_id=version_id):
            head = self.client.head_object(
                Bucket=self.bucket, Key=source, **version_argument(version_id)
            )
        info = object_info(source, head)
        if info.is_archived:
            raise ObjectArchived
        attributes: dict[str, Any] = {name: head[name] for name in carried if name in head}  # type: ignore[literal-required]
        if info.content_encoding is None:
            attributes.pop("ContentEncoding", None)
        else:
            attributes["ContentEncoding"] = info.content_encoding
        attributes["StorageClass"] = info.storage_class
        attributes |= changes or {}
        if carried is not _CARRIED:
            attributes["TaggingDirective"] = "REPLACE"
        origin: CopySourceTypeDef = {"Bucket": self.bucket, "Key": source}
        if info.version_id is not None:
            origin["VersionId"] = info.version_id
        if info.size > MAX_COPY_SIZE:
            copied = self._copy_in_parts(info, origin, target, attributes)
        else:
            copied = self._copy_at_once(info, origin, target, attributes)
        return copied, head.get("VersionId")

    def _copy_at_once(
        self,
        info: ObjectInfo,
        origin: "CopySourceTypeDef",
        target: StoredKey,
        attributes: Mapping[str, Any],
    ) -> ObjectInfo:
        with storage_errors():
            answer = self.client.copy_object(
                Bucket=self.bucket,
                Key=target,
                CopySource=origin,
                CopySourceIfMatch=f'"{info.etag}"',
                MetadataDirective="REPLACE",
                **attributes,
            )
        return self.head(target, version_id=answered_version(answer))

    def _copy_in_parts(
        self,
        info: ObjectInfo,
        origin: "CopySourceTypeDef",
        target: StoredKey,
        attributes: Mapping[str, Any],
    ) -> ObjectInfo:
        part_size = max(COPY_PART_SIZE, -(-info.size // MAX_PARTS))
        starts = range(0, info.size, part_size)
        # An upload in parts takes no tags along.
        kept = {name: said for name, said in attributes.items() if name != "TaggingDirective"}
        with storage_errors():
            begun = self.client.create_multipart_upload(Bucket=self.bucket, Key=target, **kept)
        upload_id = begun["UploadId"]

        def copy_part(number: int) -> tuple[int, str]:
            start = starts[number - 1]
            stop = min(start + part_size, info.size)
            with storage_errors():
                answer = self.client.upload_part_copy(
                    Bucket=self.bucket,
                    Key=target,
                    UploadId=upload_id,
                    PartNumber=number,
                    CopySource=origin,
                    CopySourceIfMatch=f'"{info.etag}"',
                    CopySourceRange=f"bytes={start}-{stop - 1}",
                )
            return number, answer["CopyPartResult"]["ETag"].strip('"')

        try:
            with ThreadPoolExecutor(COPY_WORKERS) as pool:
                parts = list(pool.map(copy_part, range(1, len(starts) + 1)))
            return self.finish_multipart(target, upload_id, parts)
        except BaseException:
            self.abort_quietly(target, upload_id)
            raise
