"""Files that come as one form: stored, listed, linked and deleted (docs/api/files.md)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Protocol

from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import InvalidInput, NotFound
from softfactory.models import FileUpload, User
from softfactory.services.access import find_file
from softfactory.services.archive import require_readable
from softfactory.services.catalog import Catalog
from softfactory.services.content_types import (
    ContentSniffer,
    check_allowed,
    may_become_allowed,
)
from softfactory.services.links import Links, SignedLink
from softfactory.services.newest import FilePage, newest_files
from softfactory.services.storage_use import Expected
from softfactory.storage.base import Storage
from softfactory.storage.filenames import clean_filename

MAX_FORM_FILE_SIZE = 50 * 1024 * 1024
"""Bytes (docs/api/files.md, Types and categories)."""


class IncomingFile(Protocol):
    """A file on its way in; what it turns out to be is known when its chunks are exhausted."""

    @property
    def filename(self) -> str:
        """As the client sent it."""
        ...

    @property
    def content_type(self) -> str | None:
        """What the client says it is, if anything."""
        ...

    @property
    def expected(self) -> Expected:
        """How many bytes are to come, as far as the client says."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes, once; raise if they do not all arrive."""
        ...

    def expires_at(self) -> datetime | None:
        """Return when the file is to expire; called after the last chunk."""
        ...


@dataclass(frozen=True, slots=True)
class Files:
    """The use cases of the files contract."""

    session: Session
    storage: Storage
    catalog: Catalog
    links: Links
    clock: Clock
    restore_days: int

    def upload(self, user: User, incoming: IncomingFile) -> FileUpload:
        """Store the file for ``user`` and return its completed row.

        Row first: a crash at any moment leaves a pending row that ``files cleanup`` finds.

        Raises:
            InvalidInput: empty, over 50 MB, of a type that is not allowed, or cut off; nothing
                of it is left.
            QuotaExceeded, TooManyUploads: there is no room for it.
        """
        filename = clean_filename(incoming.filename)
        arrival = _Arrival(incoming)
        chunks = arrival.chunks()
        first = next(chunks, b"")
        if not first:
            raise InvalidInput.of("file", "File is empty. Send a file with at least one byte.")
        arrival.refuse_hopeless()
        expected = incoming.expected.within(MAX_FORM_FILE_SIZE)
        file = self.catalog.reserve_upload(
            user.id,
            filename=filename,
            content_type=arrival.sniffer.head_type(),
            expected=expected,
        )
        return self.catalog.fill(
            file,
            chain((first,), chunks),
            expected=expected,
            content_type=arrival.content_type,
            expires_at=incoming.expires_at,
        )

    def get(self, user: User, file_id: int) -> FileUpload:
        """Return the file.

        Raises:
            NotFound, PermissionDenied: as ``find_file``.
        """
        return find_file(self.session, user, file_id, now=self.clock())

    def list(self, user: User, *, category: str | None, limit: int, offset: int) -> FilePage:
        """Return a page of the user's files, newest first, and how many match in all."""
        return newest_files(
            self.session, user.id, now=self.clock(), limit=limit, offset=offset, category=category
        )

    def presign(
        self, user: User, file_id: int, lifetime: timedelta
    ) -> tuple[FileUpload, SignedLink]:
        """Return the file and a signed URL to its bytes.

        Raises:
            NotFound, PermissionDenied: as ``find_file``.
            RestoreInProgress: the file is archived.
        """
        file = self.get(user, file_id)
        require_readable(self.storage, file, restore_days=self.restore_days)
        return file, self.links.download(file, lifetime)

    def delete(self, user: User, file_id: int) -> None:
        """Delete the file; of two at once one succeeds.

        Raises:
            NotFound, PermissionDenied: as ``find_file``.
            StorageError: the object could not be deleted; the file is still there.
        """
        file = self.get(user, file_id)
        if not self.catalog.delete(file):
            raise NotFound("File not found.")


class _Arrival:
    """What is learned of a file while it streams by: its size and its type."""

    def __init__(self, incoming: IncomingFile) -> None:
        self._incoming = incoming
        self.sniffer = ContentSniffer()

    def chunks(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._incoming.chunks():
            size += len(chunk)
            if size > MAX_FORM_FILE_SIZE:
                message = "File size exceeds limit: at most 50 MB (52428800 bytes) in one form."
                raise InvalidInput(message, errors={"file": [message]}, code="FILE_TOO_LARGE")
            self.sniffer.feed(chunk)
            yield chunk

    def refuse_hopeless(self) -> None:
        """Refuse what the first bytes already show to be of no allowed type.

        Raises:
            InvalidInput: it can't become one, whatever follows.
        """
        head_type = self.sniffer.head_type()
        if self.sniffer.is_head_complete and not may_become_allowed(head_type):
            self._check(head_type)

    def content_type(self) -> str:
        """Return the type by the content, after the last chunk.

        Raises:
            InvalidInput: it is not allowed, or the client said otherwise.
        """
        detected = self.sniffer.content_type()
        self._check(detected)
        return detected

    def _check(self, detected: str) -> None:
        claimed, filename = self._incoming.content_type, self._incoming.filename
        check_allowed(detected=detected, claimed=claimed, filename=filename)
