"""Multipart uploads, of unknown size, to keys that the client names (docs/api/browser.md)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import InvalidPart
from softfactory.models import FileUpload, MultipartUpload, User
from softfactory.services.access import require_key
from softfactory.services.catalog import Catalog
from softfactory.services.multipart.aborting import abort
from softfactory.services.multipart.completing import Completion, NamedParts, named_size
from softfactory.services.multipart.records import MultipartRecords, require_open
from softfactory.services.storage_use import Expected
from softfactory.services.unit_of_work import write
from softfactory.storage.base import PartInfo, SignedUrl, Storage
from softfactory.storage.keys import Key


@dataclass(frozen=True, slots=True)
class BrowserUploads:
    """The use cases of the browser's multipart routes.

    They take what storage knows by key and upload id, also what a client began with credentials
    of its own; the rows of what was begun here are there for cleanup and for safe repetition.
    """

    session: Session
    storage: Storage
    catalog: Catalog
    records: MultipartRecords
    completion: Completion
    clock: Clock
    url_lifetime: timedelta

    def initiate(self, user: User, key: Key, *, content_type: str) -> str:
        """Begin an upload to ``key`` and return its id; what is there stays until it is completed.

        Raises:
            PermissionDenied: the key lies outside the user's roots.
            TooManyUploads: too many of the user's are open.
        """
        require_key(user, key, to_write=True)
        # What is to come is reserved as it comes.
        file = self.catalog.reserve_beside(
            user.id, key, content_type=content_type, expected=Expected.exactly(0)
        )
        try:
            upload_id = self.storage.create_multipart(key, content_type=content_type)
        except BaseException:
            self.records.forget(file)
            raise
        upload = MultipartUpload(file=file, upload_id=upload_id, created_at=self.clock())
        with write(self.session):
            self.records.begin(upload)
        return upload_id

    def part_url(self, user: User, key: Key, upload_id: str, part_number: int) -> SignedUrl:
        """Return a URL that takes the part by a plain PUT.

        Raises:
            PermissionDenied: the key lies outside the user's roots.
            UploadNotFound: there is no such upload to this key.
            Conflict: it was completed or aborted.
            QuotaExceeded: the parts that arrived are more than the user may have.
        """
        require_key(user, key, to_write=True)
        upload = self.records.find(key, upload_id)
        if upload is None:
            self.storage.list_parts(key, upload_id)
        else:
            require_open(upload)
            self.records.touch(upload.file)
            if self.catalog.quotas.is_limited(self.session.connection(), user.id):
                self._reserve_arrived(upload)
        urls = self.storage.presign_parts(
            key, upload_id, [part_number], expires_in=self.url_lifetime
        )
        return urls[0]

    def parts(self, user: User, key: Key, upload_id: str) -> Sequence[PartInfo]:
        """Return the parts that arrived, by number.

        Raises:
            PermissionDenied: the key lies outside the user's roots; administrators read all.
            UploadNotFound: there is no such open upload to this key.
        """
        require_key(user, key)
        self.records.find(key, upload_id)
        return self.storage.list_parts(key, upload_id)

    def complete(self, user: User, key: Key, upload_id: str, parts: NamedParts) -> FileUpload:
        """Make the upload the file at ``key``, whose ids stay if there was one; safe to repeat.

        Raises:
            PermissionDenied: the key lies outside the user's roots.
            UploadNotFound: there is no such upload to this key.
            Conflict: it was aborted.
            InvalidPart: a part is missing, differs, comes twice or is too small; it stays open.
            QuotaExceeded: it has more bytes than the user may have; it stays open.
        """
        require_key(user, key, to_write=True)
        upload = self.records.find(key, upload_id)
        if upload is not None:
            return self.completion.complete(upload, parts)
        try:
            size = named_size(parts, self.storage.list_parts(key, upload_id))
            self.catalog.require_room(user.id, size)
            self.catalog.evict_expired(key)
            self.storage.complete_multipart(key, upload_id, parts)
        except InvalidPart as error:
            raise InvalidPart(error.message, errors={"parts": [error.message]}) from error
        return self.catalog.adopt(user.id, key)

    def _reserve_arrived(self, upload: MultipartUpload) -> None:
        """Reserve what arrived in storage and did not pass through this service."""
        file_id, user_id = upload.file.id, upload.file.user_id
        arrived = self.storage.list_parts(Key(upload.file.file_key), upload.upload_id)
        self.catalog.reserve_at_least(file_id, user_id, sum(part.size for part in arrived))

    def abort(self, user: User, key: Key, upload_id: str) -> None:
        """End the upload and drop its parts; safe to repeat.

        Raises:
            PermissionDenied: the key lies outside the user's roots; administrators abort all.
            UploadNotFound: there is no such upload to this key.
            Conflict: it is completed.
        """
        require_key(user, key)
        upload = self.records.find(key, upload_id)
        if upload is not None:
            abort(self.completion, upload)
            return
        self.storage.list_parts(key, upload_id)
        self.storage.abort_multipart(key, upload_id)
