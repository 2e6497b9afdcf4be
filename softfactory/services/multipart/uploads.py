"""Uploads of declared size: begun, looked at, completed and aborted (docs/api/uploads.md)."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil

from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import (
    FileTooLarge,
    InvalidInput,
    PermissionDenied,
    SoftFactoryError,
    UploadNotFound,
)
from softfactory.models import FileUpload, MultipartUpload, UploadStatus, User
from softfactory.services.access import require_reach
from softfactory.services.catalog import Catalog
from softfactory.services.multipart.aborting import abort
from softfactory.services.multipart.completing import Completion, NamedParts
from softfactory.services.multipart.part_urls import PartUrls
from softfactory.services.multipart.records import MultipartRecords
from softfactory.services.storage_use import Expected
from softfactory.services.unit_of_work import write
from softfactory.storage.base import MAX_PARTS, PartInfo, SignedUrl, Storage
from softfactory.storage.keys import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a client says of a file before it sends it; sizes in bytes.

    Attributes:
        filename: as ``clean_filename`` returned it.
        part_size: of every part but the last; it may exceed ``size``.
    """

    filename: str
    size: int
    content_type: str
    num_parts: int
    part_size: int
    parent_content_type: str | None = None
    parent_object_id: int | None = None


@dataclass(frozen=True, slots=True)
class UploadState:
    """How an upload stands: the parts that arrived, and URLs (by number) for those that did not."""

    upload: MultipartUpload
    missing: Sequence[tuple[int, SignedUrl]]
    arrived: Sequence[PartInfo] = field(default=())

    @property
    def expires_in(self) -> timedelta:
        """How long the URLs live, all alike; nothing where there are none."""
        return self.missing[0][1].expires_in if self.missing else timedelta(0)

    @property
    def file(self) -> FileUpload:
        """The file that is being uploaded, or has been."""
        return self.upload.file


@dataclass(frozen=True, slots=True)
class Uploads:
    """The use cases of the uploads contract that have to do with parts."""

    session: Session
    storage: Storage
    catalog: Catalog
    records: MultipartRecords
    completion: Completion
    part_urls: PartUrls
    clock: Clock
    max_size: int
    url_lifetime: timedelta

    def initiate(self, user: User, declared: Declared) -> UploadState:
        """Begin an upload and return a URL for each of its parts.

        Row first: a crash at any moment leaves a pending row that ``files cleanup`` finds.

        Raises:
            FileTooLarge: over the configured size.
            InvalidInput: the number of parts is not what the sizes make, or over 10,000.
            QuotaExceeded, TooManyUploads: there is no room for it.
        """
        self._check(declared)
        file = self.catalog.reserve_upload(
            user.id,
            filename=declared.filename,
            content_type=declared.content_type,
            expected=Expected.exactly(declared.size),
        )
        try:
            upload_id = self.storage.create_multipart(
                Key(file.file_key),
                content_type=declared.content_type,
                part_size=declared.part_size,
                size=declared.size,
            )
        except BaseException:
            self.records.forget(file)
            raise
        upload = MultipartUpload(
            file=file,
            upload_id=upload_id,
            part_size=declared.part_size,
            num_parts=declared.num_parts,
            created_at=self.clock(),
        )
        with write(self.session):
            self.records.begin(upload)
            file.parent_content_type = declared.parent_content_type
            file.parent_object_id = declared.parent_object_id
        try:
            return UploadState(upload, self._urls(upload, range(1, declared.num_parts + 1)))
        except BaseException:
            # Nobody is told of the upload, and it is to reserve nothing.
            with suppress(SoftFactoryError):
                abort(self.completion, upload)
            raise

    def resume(self, user: User, file_id: int) -> UploadState:
        """Return how the upload stands, with fresh URLs for the parts that did not arrive.

        An administrator sees how anyone's stands, but gets no URLs to write with.

        Raises:
            UploadNotFound: there is no such upload.
            PermissionDenied: it is someone else's.
        """
        upload = self._reach(user, file_id)
        if upload.file.status != UploadStatus.UPLOADING.value:
            return UploadState(upload, ())
        self.records.touch(upload.file)
        try:
            arrived = self.storage.list_parts(Key(upload.file.file_key), upload.upload_id)
        except UploadNotFound:
            if not self.completion.recover(upload):
                raise
            return UploadState(self.records.of_file(upload.file_id), ())
        numbers = {part.part_number for part in arrived}
        missing = [n for n in range(1, (upload.num_parts or 0) + 1) if n not in numbers]
        may_write = upload.file.user_id == user.id
        return UploadState(upload, self._urls(upload, missing) if may_write else (), arrived)

    def complete(self, user: User, file_id: int, parts: NamedParts) -> FileUpload:
        """Return the completed file; safe to repeat, and to send twice at once.

        Raises:
            UploadNotFound, Conflict, InvalidPart: as ``Completion.complete``.
            PermissionDenied: it is someone else's, also for administrators.
        """
        upload = self._reach(user, file_id)
        if upload.file.user_id != user.id:
            raise PermissionDenied("Only the owner of an upload completes it.")
        return self.completion.complete(upload, parts)

    def abort(self, user: User, file_id: int) -> None:
        """End the upload and drop its parts; safe to repeat.

        Raises:
            UploadNotFound: there is no such upload.
            PermissionDenied: it is someone else's.
            Conflict: it is completed.
            StorageError: the parts are still there, and the upload is open as before.
        """
        upload = self._reach(user, file_id)
        abort(self.completion, upload)

    def _check(self, declared: Declared) -> None:
        if declared.size > self.max_size:
            raise FileTooLarge(
                f"file_size exceeds the maximum of {self.max_size} bytes. Send a smaller file."
            )
        count = ceil(declared.size / declared.part_size)
        if count > MAX_PARTS:
            raise InvalidInput.of(
                "part_size", f"part_size makes {count} parts; {MAX_PARTS} are the most. Raise it."
            )
        if declared.num_parts != count:
            raise InvalidInput.of(
                "num_parts", f"num_parts must be {count}: file_size / part_size, rounded up."
            )

    def _reach(self, user: User, file_id: int) -> MultipartUpload:
        upload = self.records.of_file(file_id)
        require_reach(user, upload.file)
        return upload

    def _urls(self, upload: MultipartUpload, numbers: Sequence[int]) -> list[tuple[int, SignedUrl]]:
        urls = self.part_urls.sign(upload, numbers, self.url_lifetime)
        return list(zip(numbers, urls, strict=True))
