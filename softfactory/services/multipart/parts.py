"""One part on its way through this service to storage."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from softfactory.errors import Conflict, NotFound, UploadNotFound
from softfactory.services.catalog import Catalog
from softfactory.services.multipart.part_urls import OwnPartUrls
from softfactory.services.multipart.records import MultipartRecords, require_open, require_taking
from softfactory.storage.base import PartInfo, Storage
from softfactory.storage.keys import Key


@dataclass(frozen=True, slots=True)
class PartReceiver:
    """Takes parts from whoever has their URL.

    Attributes:
        urls: None where parts go straight to storage.
    """

    session: Session
    storage: Storage
    catalog: Catalog
    records: MultipartRecords
    urls: OwnPartUrls | None

    def admit(self, token: str, *, file_id: int, part_number: int) -> "AdmittedPart":
        """Return the place of the part that ``token`` was signed for.

        Raises:
            InvalidSignature: the token is forged, too old, or for another part or upload.
            NotFound: parts go straight to storage here, or the upload is gone altogether.
            Conflict: the upload was completed or aborted, or its account disabled.
        """
        if self.urls is None:
            raise NotFound(
                "Parts go straight to storage here: PUT each to its own URL from the answer to "
                "POST /v1/files/uploads/."
            )
        upload_id, size = self.urls.verify(token, file_id=file_id, part_number=part_number)
        upload = self.records.of_file(file_id)
        if upload.upload_id != upload_id:
            raise UploadNotFound
        require_taking(upload)
        self.records.touch(upload.file)
        key = Key(upload.file.file_key)
        # The part may take hours; no connection of the database waits for it.
        self.session.commit()
        return AdmittedPart(
            self.storage, self.catalog, self.records, key, upload_id, part_number, size
        )

    def admit_signed(
        self, key: Key, upload_id: str, part_number: int, size: int | None
    ) -> "AdmittedPart":
        """Return the place of a part whose URL storage signed, and was checked.

        Raises:
            UploadNotFound: the upload is one to another key.
            Conflict: the upload was completed or aborted, or its account disabled.
        """
        upload = self.records.find(key, upload_id)
        unsized: tuple[int, int] | None = None
        if upload is not None:
            require_taking(upload)
            self.records.touch(upload.file)
            if upload.num_parts is None:
                unsized = upload.file_id, upload.file.user_id
        self.session.commit()
        return AdmittedPart(
            self.storage,
            self.catalog,
            self.records,
            key,
            upload_id,
            part_number,
            size,
            unsized,
        )


@dataclass(frozen=True, slots=True)
class AdmittedPart:
    """A part whose URL was good.

    Attributes:
        size: how many bytes it is to have; None where its upload declares no sizes.
        unsized: the ids of file and user, where the upload's size was not declared and each part
            is reserved as it comes.
    """

    storage: Storage
    catalog: Catalog
    records: MultipartRecords
    key: Key
    upload_id: str
    part_number: int
    size: int | None
    unsized: tuple[int, int] | None = None

    def store(self, chunks: Iterator[bytes], *, size: int) -> PartInfo:
        """Store the part's bytes, replacing those that were sent before.

        Raises:
            InvalidInput: they are not as many as was announced or declared; nothing is left.
            Conflict: the upload was completed or aborted meanwhile.
            UploadNotFound: there is none, in storage or in any row.
            QuotaExceeded: there is no room for them.
        """
        try:
            with self._reserved(size):
                return self.storage.put_part(
                    self.key, self.upload_id, self.part_number, chunks, size=size
                )
        except UploadNotFound as error:
            upload = self.records.find(self.key, self.upload_id)
            if upload is None:
                raise
            require_open(upload)
            raise Conflict("This upload has just ended.") from error

    @contextmanager
    def _reserved(self, size: int) -> Iterator[None]:
        """Reserve the part's bytes, beside those of an earlier part that it replaces.

        Where it is smaller than that one, the difference stays reserved until the upload ends: of
        several that are sent at once nobody knows which replaces which.
        """
        if self.unsized is None:
            yield
            return
        file_id, user_id = self.unsized
        arrived = self.storage.list_parts(self.key, self.upload_id)
        more = size - sum(part.size for part in arrived if part.part_number == self.part_number)
        if more > 0:
            self.catalog.reserve_more(file_id, user_id, least=more, most=more)
        try:
            yield
        except BaseException:
            if more > 0:
                self.catalog.reserve_less(file_id, more)
            raise
