"""Multipart uploads: begun, filled in any order, completed or aborted."""

import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

from softfactory.errors import InvalidInput, InvalidPart, SoftFactoryError, UploadNotFound
from softfactory.storage.base import (
    MAX_PART_SIZE,
    MAX_PARTS,
    MIN_PART_SIZE,
    MultipartInfo,
    ObjectInfo,
    PartInfo,
    StorageClass,
)
from softfactory.storage.keys import Key, StoredKey
from softfactory.storage.s3.errors import storage_errors
from softfactory.storage.s3.part_memory import MEMORY, PART_SIZE, SMALL
from softfactory.storage.s3.reading import Reader, answered_version, encoding_argument
from softfactory.storage.s3.xml_text import key_of

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ListMultipartUploadsOutputTypeDef

logger = logging.getLogger(__name__)


class Multipart(Reader):
    """The verbs of multipart uploads."""

    def create_multipart(
        self,
        key: Key,
        *,
        content_type: str = "application/octet-stream",
        content_encoding: str | None = None,
        metadata: Mapping[str, str] | None = None,
        storage_class: StorageClass = StorageClass.STANDARD,
        part_size: int | None = None,  # S3 joins parts of any size, and without these
        size: int | None = None,
    ) -> str:
        """Begin an upload and return its id."""
        with storage_errors():
            answer = self.client.create_multipart_upload(
                Bucket=self.bucket,
                Key=key,
                ContentType=content_type,
                Metadata=metadata or {},
                StorageClass=storage_class.value,
                **encoding_argument(content_encoding),
            )
        return answer["UploadId"]

    def put_part(
        self, key: Key, upload_id: str, part_number: int, chunks: Iterable[bytes], *, size: int
    ) -> PartInfo:
        """Store one part, once all its bytes are here.

        S3 would take a part that is too short, and a failed request can only be sent again from
        bytes that are kept: those of a part of up to 8 MiB in memory, where the process has a place
        for it, all others in a temporary file. For an upload that is not there,
        none of it is read.
        """
        if not 1 <= part_number <= MAX_PARTS:
            raise InvalidInput.of("part_number", f"The part number must be 1 to {MAX_PARTS}.")
        if size > MAX_PART_SIZE:
            raise InvalidInput.of("size", f"A part is at most {MAX_PART_SIZE} bytes.")
        with storage_errors(missing=UploadNotFound):
            self.client.list_parts(Bucket=self.bucket, Key=key, UploadId=upload_id, MaxParts=1)
        needs_place = SMALL < size <= PART_SIZE
        with (
            MEMORY.place() if needs_place else nullcontext(enter_result=False) as has_place,
            tempfile.SpooledTemporaryFile(PART_SIZE if has_place else SMALL) as spool,
        ):
            received = 0
            for chunk in chunks:
                received += len(chunk)
                if received > size:
                    break
                spool.write(chunk)
            if received != size:
                raise InvalidInput.of("size", f"The part must have exactly {size} bytes.")
            spool.seek(0)
            etag = self.send_part(key, upload_id, part_number, spool)
        return PartInfo(part_number, etag, size)

    def send_part(self, key: Key, upload_id: str, part_number: int, body: bytes | IO[bytes]) -> str:
        """Send one part that is at hand; return its ETag."""
        with storage_errors(missing=UploadNotFound):
            answer = self.client.upload_part(
                Bucket=self.bucket,
                Key=key,
                UploadId=upload_id,
                PartNumber=part_number,
                Body=body,
            )
        return answer["ETag"].strip('"')

    def list_parts(self, key: StoredKey, upload_id: str) -> list[PartInfo]:
        """Return the parts that arrived, 1000 a request."""
        return [part for part, _ in self._arrivals(key, upload_id)]

    def complete_multipart(
        self, key: Key, upload_id: str, parts: Sequence[tuple[int, str]]
    ) -> ObjectInfo:
        """Make the object, after comparing ``parts`` with what arrived.

        S3 compares too, but servers like it let a wrong ETag or a part named twice pass.
        """
        arrived = {part.part_number: part for part in self.list_parts(key, upload_id)}
        named = sorted((number, etag.strip('"')) for number, etag in parts)
        _check_parts(named, arrived)
        return self.finish_multipart(key, upload_id, named)

    def finish_multipart(
        self, key: StoredKey, upload_id: str, parts: Sequence[tuple[int, str]]
    ) -> ObjectInfo:
        """Make the object of ``parts``, which are known to have arrived; return its head.

        The answer itself may lack the ETag (Ceph), and it lacks the time always.
        """
        with storage_errors(missing=UploadNotFound):
            answer = self.client.complete_multipart_upload(
                Bucket=self.bucket,
                Key=key,
                UploadId=upload_id,
                MultipartUpload={
                    "Parts": [{"PartNumber": number, "ETag": f'"{etag}"'} for number, etag in parts]
                },
            )
        return self.head(key, version_id=answered_version(answer))

    def abort_multipart(self, key: StoredKey, upload_id: str) -> None:
        """End the upload; its parts go."""
        try:
            with storage_errors(missing=UploadNotFound):
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)
        except UploadNotFound:
            return

    def abort_quietly(self, key: StoredKey, upload_id: str) -> None:
        """End the upload because of a failure, which stays the one that is reported."""
        try:
            self.abort_multipart(key, upload_id)
        except SoftFactoryError:
            # ``list_multiparts`` shows it, so cleanup ends it.
            logger.exception("could not abort a multipart upload")

    def list_multiparts(self, prefix: str = "") -> Iterator[MultipartInfo]:
        """Yield the open uploads; each costs a request for the time of its last part."""
        for page in self._upload_pages(prefix):
            for upload in page.get("Uploads", []):
                key, upload_id = key_of(page, upload["Key"]), upload["UploadId"]
                begun = upload["Initiated"].astimezone(UTC)
                try:
                    arrivals = [moment for _, moment in self._arrivals(key, upload_id)]
                except UploadNotFound:
                    continue  # completed or aborted while we listed
                yield MultipartInfo(key, upload_id, max([begun, *arrivals]))

    def _upload_pages(self, prefix: str) -> "Iterator[ListMultipartUploadsOutputTypeDef]":
        position: dict[str, Any] = {}
        while True:
            with storage_errors():
                page = self.client.list_multipart_uploads(
                    Bucket=self.bucket, Prefix=prefix, **position
                )
            yield page
            if not page["IsTruncated"]:
                return
            position = {
                "KeyMarker": key_of(page, page["NextKeyMarker"]),
                "UploadIdMarker": page["NextUploadIdMarker"],
            }

    def _arrivals(self, key: str, upload_id: str) -> list[tuple[PartInfo, datetime]]:
        pages = self.client.get_paginator("list_parts").paginate(
            Bucket=self.bucket, Key=key, UploadId=upload_id
        )
        with storage_errors(missing=UploadNotFound):
            return [
                (
                    PartInfo(part["PartNumber"], part["ETag"].strip('"'), part["Size"]),
                    part["LastModified"].astimezone(UTC),
                )
                for page in pages
                for part in page.get("Parts", [])
            ]


def _check_parts(named: Sequence[tuple[int, str]], arrived: Mapping[int, PartInfo]) -> None:
    if not named:
        raise InvalidPart("No parts are named. Name every part with its ETag.")
    if len({number for number, _ in named}) < len(named):
        raise InvalidPart("A part is named twice. Name every part once.")
    for position, (number, etag) in enumerate(named, start=1):
        part = arrived.get(number)
        if part is None:
            raise InvalidPart(f"Part {number} has not arrived. Send it, then complete again.")
        if part.etag != etag:
            raise InvalidPart(f"Part {number} has another ETag. Send it again, or name its ETag.")
        if position < len(named) and part.size < MIN_PART_SIZE:
            raise InvalidPart(
                f"Part {number} is too small: every part but the last has {MIN_PART_SIZE} bytes "
                "or more."
            )
