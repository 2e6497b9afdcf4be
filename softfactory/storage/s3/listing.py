"""Listing: objects page by page, and the versions of one key.

Keys come URL-encoded and are decoded by botocore, so that any character survives XML.
"""

from datetime import UTC
from typing import TYPE_CHECKING, Any

from softfactory.storage.base import (
    MAX_LIST_LIMIT,
    ObjectPage,
    ObjectSummary,
    ObjectVersion,
    StorageClass,
)
from softfactory.storage.keys import LAST_CHARACTER, StoredKey
from softfactory.storage.s3.bucket import Bucket
from softfactory.storage.s3.errors import storage_errors
from softfactory.storage.s3.xml_text import key_of, restored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3.type_defs import (
        DeleteMarkerEntryTypeDef,
        ListObjectsV2OutputTypeDef,
        ListObjectVersionsOutputTypeDef,
        ObjectVersionTypeDef,
    )


class Lister(Bucket):
    """The verbs that list."""

    def list_objects(
        self,
        prefix: str = "",
        *,
        delimiter: str = "",
        start_after: str = "",
        limit: int = MAX_LIST_LIMIT,
    ) -> ObjectPage:
        """Return one page by one ListObjectsV2, or by more where the first are empty.

        S3 may end a page early, with nothing on it, while more is to come.
        """
        arguments: dict[str, Any] = {
            "Bucket": self.bucket,
            "Prefix": prefix,
            "Delimiter": delimiter,
            "StartAfter": _past_prefix(start_after, prefix, delimiter),
            "MaxKeys": limit,
        }
        with storage_errors():
            answer = self.client.list_objects_v2(**arguments)
            while answer["IsTruncated"] and not _names(answer):
                arguments["ContinuationToken"] = restored(answer["NextContinuationToken"])
                answer = self.client.list_objects_v2(**arguments)
        objects = [
            ObjectSummary(
                key=key_of(answer, item["Key"]),
                size=item["Size"],
                etag=item["ETag"].strip('"'),
                last_modified=item["LastModified"].astimezone(UTC),
                storage_class=item.get("StorageClass") or StorageClass.STANDARD,
            )
            for item in answer.get("Contents", [])
        ]
        prefixes = [key_of(answer, item["Prefix"]) for item in answer.get("CommonPrefixes", [])]
        last = max(_names(answer), default=None)
        return ObjectPage(objects, prefixes, last if answer["IsTruncated"] else None)

    def list_versions(self, key: StoredKey) -> list[ObjectVersion]:
        """Return the versions of this key; the listing ends where the next key begins."""
        return [
            version
            for page in self.version_pages(key, stop_behind=True)
            for version in (object_version(item) for item in page.get("Versions", []))
            if version.key == key
        ]

    def holds_anything(self, prefix: str) -> bool:
        """Whether there is a version, a delete marker or an open upload below ``prefix``."""
        if any(entries(page) for page in self.version_pages(prefix, limit=1)):
            return True
        with storage_errors():
            answer = self.client.list_multipart_uploads(
                Bucket=self.bucket, Prefix=prefix, MaxUploads=1
            )
        return bool(answer.get("Uploads"))

    def version_pages(
        self,
        prefix: str = "",
        *,
        start_after: str = "",
        stop_behind: bool = False,
        limit: int = MAX_LIST_LIMIT,
    ) -> "Iterator[ListObjectVersionsOutputTypeDef]":
        """Yield ListObjectVersions pages below ``prefix``, in key order, newest first of a key.

        Args:
            start_after: only keys behind this one.
            stop_behind: end with the key that is ``prefix`` itself.
            limit: versions and markers of a page.
        """
        position: dict[str, Any] = {"KeyMarker": start_after} if start_after else {}
        while True:
            with storage_errors():
                page = self.client.list_object_versions(
                    Bucket=self.bucket, Prefix=prefix, MaxKeys=limit, **position
                )
            for entry in entries(page):
                entry["Key"] = key_of(page, entry["Key"])
            yield page
            if not page["IsTruncated"]:
                return
            listed = entries(page)
            if stop_behind and any(entry["Key"] != prefix for entry in listed):
                return
            # Ceph does not encode NextKeyMarker as it does the keys; it is the last of them.
            position = {
                "KeyMarker": max((entry["Key"] for entry in listed), default="")
                or key_of(page, page["NextKeyMarker"]),
                "VersionIdMarker": page["NextVersionIdMarker"],
            }


def entries(
    page: "ListObjectVersionsOutputTypeDef",
) -> "list[ObjectVersionTypeDef | DeleteMarkerEntryTypeDef]":
    """Return the page's versions and delete markers, the two apart from each other."""
    return [*page.get("Versions", []), *page.get("DeleteMarkers", [])]


def _names(answer: "ListObjectsV2OutputTypeDef") -> list[str]:
    """Return, for each item of a page, what stands right behind it in key order."""
    return [
        *(key_of(answer, item["Key"]) for item in answer.get("Contents", [])),
        *(
            key_of(answer, item["Prefix"]) + LAST_CHARACTER
            for item in answer.get("CommonPrefixes", [])
        ),
    ]


def _past_prefix(start_after: str, prefix: str, delimiter: str) -> str:
    """Return ``start_after``, moved behind the common prefix that it lies in.

    Servers disagree whether a prefix is listed again that begins before ``start_after`` and holds
    keys behind it. In key order it does not come after, so here it is not.
    """
    if delimiter and start_after.startswith(prefix):
        at = start_after.find(delimiter, len(prefix))
        if at >= 0:
            return start_after[: at + len(delimiter)] + LAST_CHARACTER
    return start_after


def object_version(item: "ObjectVersionTypeDef") -> ObjectVersion:
    """Return what a list of versions tells of one."""
    return ObjectVersion(
        key=item["Key"],
        size=item["Size"],
        etag=item["ETag"].strip('"'),
        last_modified=item["LastModified"].astimezone(UTC),
        storage_class=item.get("StorageClass") or StorageClass.STANDARD,
        version_id=item["VersionId"],
        is_latest=item["IsLatest"],
    )
