"""Completing an upload: storage makes the object, then one transaction makes it a file.

No lock is held while storage works, which may take minutes. Storage decides which of two requests
completes; the other one, and whoever comes back after a crash in between, finds the object and the
upload gone, and commits the same rows or reads them. Whoever aborts or deletes meanwhile, and finds
no object yet, has won: the object is taken back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from softfactory.errors import (
    Conflict,
    InvalidPart,
    NotFound,
    StorageError,
    UploadNotFound,
)
from softfactory.models import FileUpload, MultipartUpload, UploadStatus
from softfactory.services.catalog import Catalog
from softfactory.services.heads import find_object
from softfactory.services.multipart.records import MultipartRecords, require_open
from softfactory.services.unit_of_work import check_room, write
from softfactory.storage.base import ObjectInfo, PartInfo, Storage
from softfactory.storage.keys import Key

NamedParts = Sequence[tuple[int, str]]
"""Part numbers with their ETags, as a client names them."""


@dataclass(frozen=True, slots=True)
class Completion:
    """Makes files of multipart uploads, of those with declared sizes and of those without."""

    storage: Storage
    catalog: Catalog
    records: MultipartRecords

    def complete(self, upload: MultipartUpload, parts: NamedParts) -> FileUpload:
        """Return the completed file of ``upload``; safe to repeat.

        Raises:
            Conflict: the upload was aborted, or has failed.
            InvalidPart: the parts are not what arrived or was declared; the upload stays open.
            UploadNotFound: it was deleted, or storage lost it, and it has failed with that.
            QuotaExceeded: it has more bytes than the user may have; the upload stays open.
            StorageFull: neither storage nor rows have changed.
        """
        if upload.file.status == UploadStatus.COMPLETED.value:
            return upload.file
        require_open(upload)
        # What is read of the rows later may be gone by then.
        row_id, upload_id, key = upload.id, upload.upload_id, Key(upload.file.file_key)
        is_beside = upload.file.staging_key is not None
        check_room(self.catalog.session)
        try:
            arrived = self.storage.list_parts(key, upload_id)
            if upload.num_parts is not None:
                _check_declared(upload, parts, arrived)
            else:
                size = named_size(parts, arrived)
                self.catalog.reserve_at_least(upload.file_id, upload.file.user_id, size)
                self.catalog.evict_expired(key)
            self.catalog.session.commit()  # no transaction is open while storage works
            info = self.storage.complete_multipart(key, upload_id, parts)
        except InvalidPart as error:
            raise InvalidPart(error.message, errors={"parts": [error.message]}) from error
        except UploadNotFound:
            return self._ended_elsewhere(row_id, parts)
        except (Conflict, StorageError):
            # What is said of an upload that another request is ending, or has just ended.
            if (file := self._ended(row_id)) is None:
                raise
            return file
        try:
            file = self._ended(row_id)
        except (Conflict, UploadNotFound):
            self._take_back(key, info, is_beside=is_beside)
            raise
        return file or self._settle(row_id, info)

    def recover(self, upload: MultipartUpload, parts: NamedParts | None = None) -> bool:
        """Whether storage has completed the upload; its rows are then completed too.

        Args:
            parts: those that the client named, which tell more of an upload without sizes.
        """
        info = self.object_of(upload, parts)
        if info is None:
            return False
        self._settle(upload.id, info)
        return True

    def has_ended(self, upload: MultipartUpload) -> bool:
        """Whether storage made an object of the upload, of which no row may tell yet."""
        try:
            self.storage.list_parts(Key(upload.file.file_key), upload.upload_id)
        except UploadNotFound:
            return self.object_of(upload) is not None
        return False

    def object_of(
        self, upload: MultipartUpload, parts: NamedParts | None = None
    ) -> ObjectInfo | None:
        """Return the object that storage made of an upload that it no longer knows, if it did."""
        info = find_object(self.storage, Key(upload.file.file_key))
        if info is None:
            return None
        if upload.num_parts is not None:
            is_ours = info.size == upload.file.file_size
        else:
            is_ours = self._is_news(upload, info) and _has_parts(info, parts)
        return info if is_ours else None

    def _ended(self, row_id: int) -> FileUpload | None:
        """Return the file if the upload is completed, None while nobody has aborted it.

        Raises:
            Conflict: it was aborted.
            UploadNotFound: it was deleted.
        """
        with write(self.catalog.session):
            self.records.locked(row_id)
        upload = self.records.again(row_id)
        if upload.file.status == UploadStatus.COMPLETED.value:
            return upload.file
        if upload.file.status == UploadStatus.ABORTED.value:
            require_open(upload)
        return None

    def _ended_elsewhere(self, row_id: int, parts: NamedParts) -> FileUpload:
        """Return the file that another request completed, at this moment or before a crash."""
        if (file := self._ended(row_id)) is not None:
            return file
        if self.recover(self.records.again(row_id), parts):
            return self.records.again(row_id).file
        with write(self.catalog.session):
            file = self.records.locked(row_id).file
            if file.status == UploadStatus.UPLOADING.value:
                file.status = UploadStatus.FAILED.value
        raise UploadNotFound("The storage no longer has this upload. Begin a new one.")

    def _is_news(self, upload: MultipartUpload, info: ObjectInfo) -> bool:
        """Whether the object came after the upload began: no row knows it, or a newer one."""
        holder = self.catalog.holder(Key(upload.file.file_key))
        if holder is None or holder.etag != info.etag:
            return True
        return holder.uploaded_at > upload.created_at

    def _settle(self, row_id: int, info: ObjectInfo) -> FileUpload:
        """Commit that the object is there."""
        upload = self.records.again(row_id)
        if upload.file.staging_key is None:
            file = self.catalog.finish(upload.file_id, info)
            if file is None:
                raise NotFound("The file was deleted while it was completed.")
            return file
        beside = upload.file
        file = self.catalog.adopt(beside.user_id, Key(beside.file_key))
        self.records.hand_over(row_id, file)
        return file

    def _take_back(self, key: Key, info: ObjectInfo, *, is_beside: bool) -> None:
        """Remove the object of an upload that was ended before it was there.

        Where no versions are kept, a key that the client chose has nothing to go back to.
        """
        if info.version_id is not None or not is_beside:
            self.storage.delete(key, version_id=info.version_id)


def named_size(parts: NamedParts, arrived: Sequence[PartInfo]) -> int:
    """Return the bytes of those parts that are named."""
    numbers = {number for number, _ in parts}
    return sum(part.size for part in arrived if part.part_number in numbers)


def _has_parts(info: ObjectInfo, parts: NamedParts | None) -> bool:
    """Whether the object was made of parts, as many as were named.

    S3: the ETag of an object made of N parts ends in "-N"; local storage does the same.
    """
    count = info.etag.partition("-")[2]
    return count.isdigit() and (parts is None or int(count) == len(parts))


def _check_declared(
    upload: MultipartUpload, parts: NamedParts, arrived: Sequence[PartInfo]
) -> None:
    """Raise InvalidPart unless these are all the parts and add up to what was declared.

    Whether each is what arrived is for storage to say.
    """
    count = upload.num_parts or 0
    if sorted(number for number, _ in parts) != list(range(1, count + 1)):
        raise InvalidPart(f"Name each of the {count} parts once, with its ETag.")
    sizes = [part.size for part in arrived if part.part_number <= count]
    if len(sizes) < count:
        return
    total = sum(sizes)
    if total != upload.file.file_size:
        raise InvalidPart(
            f"The parts have {total} bytes; {upload.file.file_size} were declared as file_size. "
            "Send the parts that differ again."
        )
