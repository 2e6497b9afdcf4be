"""Reading: what is known of an object, and its bytes."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from softfactory.errors import ObjectArchived
from softfactory.storage.base import ObjectInfo, Restoration, StorageClass
from softfactory.storage.encoding import checked_encoding, stored_encoding
from softfactory.storage.keys import StoredKey
from softfactory.storage.s3.bucket import Bucket
from softfactory.storage.s3.errors import storage_errors, stream_errors

if TYPE_CHECKING:
    from botocore.response import StreamingBody

CHUNK_SIZE = 1024 * 1024
"""Bytes read from the network at a time."""


class Reader(Bucket):
    """The verbs that read one object."""

    def head(self, key: StoredKey, *, version_id: str | None = None) -> ObjectInfo:
        """Return what is known of the object, by one HeadObject."""
        with storage_errors(version_id=version_id):
            answer = self.client.head_object(
                Bucket=self.bucket, Key=key, **version_argument(version_id)
            )
        return object_info(key, answer)

    def open(self, key: StoredKey, *, version_id: str | None = None) -> "S3Object":
        """Open the object by one GetObject, which a read from the start uses up.

        A whole read is one request. A read from further on drops that stream and asks for its
        range, of the same version, and only while the ETag is the same.
        """
        with storage_errors(version_id=version_id):
            answer = self.client.get_object(
                Bucket=self.bucket, Key=key, **version_argument(version_id)
            )
        opened = S3Object(self, object_info(key, answer), answer["Body"])
        if opened.info.is_archived:
            opened.close()
            raise ObjectArchived
        return opened


class S3Object:
    """An object opened for reading."""

    def __init__(self, bucket: Bucket, info: ObjectInfo, body: "StreamingBody") -> None:
        self.info = info
        self._bucket = bucket
        self._first: StreamingBody | None = body
        self._bodies = [body]

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from ``start`` to ``stop``, a MiB or less at a time."""
        stop = self.info.size if stop is None else min(stop, self.info.size)
        remaining = stop - start
        if remaining <= 0:
            return
        with stream_errors():
            body = self._stream(start, stop)
        while remaining > 0:
            with stream_errors():
                chunk = body.read(min(CHUNK_SIZE, remaining))
                if not chunk:
                    raise EOFError
            remaining -= len(chunk)
            yield chunk

    def file(self) -> BinaryIO | None:
        """Return None: the bytes are not on this machine."""
        return None

    def close(self) -> None:
        """Close the streams; a connection whose bytes were all read goes back to the pool."""
        while self._bodies:
            self._bodies.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _stream(self, start: int, stop: int) -> "StreamingBody":
        first, self._first = self._first, None
        if first is not None and start == 0:
            return first
        if first is not None:
            first.close()
        answer = self._bucket.client.get_object(
            Bucket=self._bucket.bucket,
            Key=self.info.key,
            Range=f"bytes={start}-{stop - 1}",
            IfMatch=f'"{self.info.etag}"',
            **version_argument(self.info.version_id),
        )
        self._bodies.append(answer["Body"])
        return answer["Body"]


def object_info(key: str, answer: Mapping[str, Any]) -> ObjectInfo:
    """Return what the answer to a HeadObject, or to a GetObject of the whole, tells."""
    return ObjectInfo(
        key=key,
        size=answer["ContentLength"],
        etag=answer["ETag"].strip('"'),
        last_modified=answer["LastModified"].astimezone(UTC),
        storage_class=answer.get("StorageClass") or StorageClass.STANDARD,
        content_type=answer.get("ContentType") or "application/octet-stream",
        content_encoding=stored_encoding(answer.get("ContentEncoding")),
        version_id=answered_version(answer),
        metadata={name.lower(): value for name, value in answer.get("Metadata", {}).items()},
        restoration=_restoration(answer.get("Restore")),
    )


def version_argument(version_id: str | None) -> dict[str, Any]:
    """Return the argument that names ``version_id``; none where it is None."""
    return {} if version_id is None else {"VersionId": version_id}


def encoding_argument(content_encoding: str | None) -> dict[str, Any]:
    """Return the argument that says how the bytes are encoded; none where nothing does.

    Raises:
        InvalidInput: it is malformed.
    """
    encoding = checked_encoding(content_encoding)
    return {} if encoding is None else {"ContentEncoding": encoding}


def answered_version(answer: Mapping[str, Any]) -> str | None:
    """Return the version id that an answer tells; None where the bucket keeps no versions."""
    version_id: str | None = answer.get("VersionId")
    return None if version_id == "null" else version_id


def _restoration(header: str | None) -> Restoration | None:
    """Read ``ongoing-request="false", expiry-date="<HTTP date>"`` (S3: HeadObject, x-amz-restore).

    A server may leave the header out, or send it empty.
    """
    if not header:
        return None
    expiry = re.search(r'expiry-date="([^"]+)"', header)
    return Restoration(
        ongoing='ongoing-request="true"' in header,
        expires_at=parsedate_to_datetime(expiry[1]).astimezone(UTC) if expiry else None,
    )
