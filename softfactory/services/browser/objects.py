"""One object of the browser: put, linked, described, and its versions."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from softfactory.clock import Clock
from softfactory.errors import Conflict, NotFound, ObjectNotFound
from softfactory.models import FileUpload, UploadStatus, User
from softfactory.services.access import require_key
from softfactory.services.archive import refuse_archived
from softfactory.services.arrival import MAX_FORM_SIZE, Arrival
from softfactory.services.browser.names import file_key, stored_file_key, stored_key
from softfactory.services.catalog import RACES, Catalog
from softfactory.services.links import Links
from softfactory.services.storage_use import Expected
from softfactory.services.visible import VisibleObjects
from softfactory.storage.base import ObjectInfo, ObjectVersion, Storage
from softfactory.storage.disposition import OCTET_STREAM
from softfactory.storage.keys import Key, StoredKey, forms, shown_filename


@dataclass(frozen=True, slots=True)
class DownloadLink:
    """A URL that gives bytes to whoever has it, and for how long."""

    url: str
    expires_in: timedelta


@dataclass(frozen=True, slots=True)
class Objects:
    """The use cases of one object; a ``name`` is a whole key, as the client sent it.

    Every one raises InvalidKey where no object can have the name, and PermissionDenied where it
    lies outside the user's roots; administrators read everywhere, and write only their own.
    """

    storage: Storage
    catalog: Catalog
    visible: VisibleObjects
    links: Links
    clock: Clock
    restore_days: int
    url_lifetime: timedelta

    def upload(
        self, user: User, name: str, chunks: Iterable[bytes], *, expected: Expected
    ) -> FileUpload:
        """Store a file under this key and return its row; one that was there keeps its ids.

        The older bytes stay as a version. Where anything raises, they stay the current ones.

        Raises:
            FileTooLarge: over 100 MB.
            Conflict: an upload in parts holds the key.
            QuotaExceeded, TooManyUploads: there is no room for it.
        """
        key = file_key(name)
        require_key(user, key, to_write=True)
        arrival = Arrival(chunks)
        expected = expected.within(MAX_FORM_SIZE)
        file = self._place(user, key, expected)
        return self.catalog.fill(
            file, arrival.chunks(), expected=expected, content_type=arrival.content_type
        )

    def download(self, user: User, name: str, *, version_id: str | None = None) -> DownloadLink:
        """Return a signed URL to the bytes, of the current or of an older version.

        Raises:
            NotFound: no such object or version, or its file has expired.
            RestoreInProgress: it is archived; its restoration runs now.
        """
        key, info = self._head(user, map(stored_file_key, forms(name)), version_id)
        refuse_archived(self.storage, key, info, restore_days=self.restore_days)
        file = self.catalog.holder(key)
        ends_at = file.expires_at if file is not None else None
        link = self.links.sign(
            key,
            self.url_lifetime,
            filename=file.original_filename if file is not None else shown_filename(key),
            content_type=info.content_type,
            ends_at=ends_at,
            version_id=version_id,
        )
        return DownloadLink(link.url, link.expires_at - self.clock().replace(microsecond=0))

    def metadata(self, user: User, name: str, *, version_id: str | None = None) -> ObjectInfo:
        """Return what storage knows of an object, a version of it, or a folder's marker.

        Raises:
            NotFound: no such object or version, or its file has expired.
        """
        _, info = self._head(user, map(stored_key, forms(name)), version_id)
        return info

    def versions(self, user: User, name: str) -> list[ObjectVersion]:
        """Return the real versions, newest first, also of what was deleted; maybe none."""
        for key in map(stored_key, forms(name)):
            require_key(user, key)
            found = [] if self.visible.expired([key]) else self.storage.list_versions(key)
            if found:
                return found
        return []

    def _head(
        self, user: User, keys: Iterable[StoredKey], version_id: str | None
    ) -> tuple[StoredKey, ObjectInfo]:
        """Return the first of ``keys`` that is there, and what is known of it."""
        expired = False
        for key in keys:
            require_key(user, key)
            if self.visible.expired([key]):
                expired = True
                continue
            with suppress(ObjectNotFound):
                return key, self.storage.head(key, version_id=version_id)
        if expired:
            raise NotFound("File not found: it has expired.")
        raise ObjectNotFound

    def _place(self, user: User, key: Key, expected: Expected) -> FileUpload:
        """Return the row that the bytes go to: the one that has the key, or a new one."""
        for _ in range(RACES):
            file = self.catalog.holder(key)
            if file is None:
                file = self.catalog.reserve(
                    user.id,
                    key,
                    filename=key.filename,
                    content_type=OCTET_STREAM,
                    expected=expected,
                )
            elif self.visible.expired([key]):
                self.catalog.evict_expired(key)
                continue
            elif file.status == UploadStatus.UPLOADING.value:
                raise Conflict("An upload in parts to this key is open. Complete or abort it.")
            if file is not None:
                return file
        raise Conflict("Too many changes to this key at once. Try again.")
