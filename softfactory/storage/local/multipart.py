"""The verbs of multipart uploads."""

import fcntl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from secrets import token_hex
from sqlite3 import Connection

from softfactory.errors import InvalidInput, StorageError, UploadNotFound
from softfactory.storage.base import MultipartInfo, ObjectInfo, PartInfo, StorageClass
from softfactory.storage.keys import Key, StoredKey
from softfactory.storage.local import part_sizes, uploads, versions
from softfactory.storage.local.assembly import assembled, etag_of
from softfactory.storage.local.base import LocalBase, dump_headers, dump_metadata
from softfactory.storage.local.times import from_ticks
from softfactory.storage.local.uploads import Part, Upload
from softfactory.storage.local.versions import Version
from softfactory.storage.local.writing import Draft, Writer


@dataclass(frozen=True, slots=True)
class _Slot:
    """A part's place in the file of its upload; what is written there is where it belongs."""

    writer: Writer
    name: None = None

    def publish(self) -> None:
        """Do nothing: the file has its name."""


class Multipart(LocalBase):
    """Uploads in parts; promises as in ``Storage``.

    A lock on the upload's directory orders what ends an upload (exclusive) and what changes its
    parts (shared), among all threads and processes.
    """

    def create_multipart(
        self,
        key: Key,
        *,
        content_type: str = "application/octet-stream",
        content_encoding: str | None = None,
        metadata: Mapping[str, str] | None = None,
        storage_class: StorageClass = StorageClass.STANDARD,
        part_size: int | None = None,
        size: int | None = None,
    ) -> str:
        """Begin a multipart upload and return its id."""
        if (part_size is not None and part_size < 1) or (size is not None and size < 0):
            raise InvalidInput("The sizes of an upload and of its parts must be positive.")
        upload = Upload(
            upload_id=token_hex(16),
            key=key,
            content_type=content_type,
            storage_class=storage_class,
            metadata=dump_metadata(metadata),
            part_size=part_size,
            size=size,
            last_activity=self._now(),
            headers=dump_headers(content_encoding=content_encoding),
        )
        with self._directories.made(upload):
            self._index.write(partial(uploads.insert, upload=upload))
        return upload.upload_id

    def put_part(
        self, key: Key, upload_id: str, part_number: int, chunks: Iterable[bytes], *, size: int
    ) -> PartInfo:
        """Store one part of exactly ``size`` bytes, replacing an earlier one of this number."""
        upload = self._upload(key, upload_id)
        upload.check_part(part_number, size)
        with self._arriving(upload, part_number) as arriving:
            for chunk in chunks:
                if arriving.writer.size + len(chunk) > size:
                    raise _wrong_size(part_number, size)
                arriving.writer.write(chunk)
            if arriving.writer.size != size:
                raise _wrong_size(part_number, size)
            arriving.writer.sync()
            part = Part(part_number, arriving.writer.digest, size, arriving.name)
            register = partial(uploads.register, upload=upload, part=part, now=self._now())
            with self._directories.locked(upload, fcntl.LOCK_SH):
                arriving.publish()
                replaced = self._index.write(register)
        if replaced:
            self._directories.discard(upload, replaced)
        return PartInfo(part_number, part.etag, size)

    def list_parts(self, key: StoredKey, upload_id: str) -> list[PartInfo]:
        """Return the parts that arrived whole, by number."""
        upload = self._upload(key, upload_id)
        arrived = self._arrived(upload)
        return [PartInfo(part.part_number, part.etag, part.size) for part in arrived]

    def complete_multipart(
        self, key: Key, upload_id: str, parts: Sequence[tuple[int, str]]
    ) -> ObjectInfo:
        """Make the object of the given parts (number, ETag), in the order of their numbers."""
        upload = self._upload(key, upload_id)
        with self._directories.locked(upload, fcntl.LOCK_EX):
            chosen = uploads.choose(self._arrived(upload), parts)
            with assembled(self._files, self._directories.of(upload), upload, chosen) as file:
                version = Version(
                    key=key,
                    file=file,
                    size=sum(part.size for part in chosen),
                    etag=etag_of(chosen),
                    content_type=upload.content_type,
                    storage_class=upload.storage_class,
                    metadata=upload.metadata,
                    modified=self._now(),
                    headers=upload.headers,
                )
                sizes = [part.size for part in chosen]
                finish = partial(self._finish, upload=upload, version=version, sizes=sizes)
                made = self._index.write(finish)
            self._directories.remove(upload)
        return self._settled(*made)

    def abort_multipart(self, key: StoredKey, upload_id: str) -> None:
        """End the upload and drop its parts; one that is not there is no error."""
        with suppress(UploadNotFound), ExitStack() as held:
            upload = self._upload(key, upload_id)
            with suppress(UploadNotFound):  # its directory may have been removed by hand
                held.enter_context(self._directories.locked(upload, fcntl.LOCK_EX))
            self._index.write(partial(uploads.delete, upload=upload))
            self._directories.remove(upload)

    def list_multiparts(self, prefix: str = "") -> Iterator[MultipartInfo]:
        """Yield the open multipart uploads below ``prefix``."""
        after: Upload | None = None
        while page := self._index.read(partial(uploads.page, prefix=prefix, after=after)):
            for upload in page:
                active = from_ticks(upload.last_activity)
                yield MultipartInfo(upload.key, upload.upload_id, active)
            after = page[-1]

    def _arrived(self, upload: Upload) -> list[Part]:
        """Return the parts that arrived whole, and whose bytes are there, by number."""
        read = partial(uploads.arrived, upload=upload)
        arrived = self._index.read(read)
        lost = self._directories.lost(upload, arrived)
        if lost:
            # One that was replaced meanwhile is not lost: it has another file now.
            arrived = [part for part in self._index.read(read) if part not in lost]
        return arrived

    @contextmanager
    def _arriving(self, upload: Upload, part_number: int) -> Iterator[_Slot | Draft]:
        """Yield where the part's bytes go: its slot, or a file where that is not free.

        A slot is written once. What comes later, or at the same moment, comes into a file of its
        own, so that neither can damage a part that has arrived.
        """
        if upload.is_declared:
            with self._directories.whole(upload) as fd:
                claim = partial(uploads.claim_slot, upload=upload, part_number=part_number)
                if self._index.write(claim):
                    try:
                        yield _Slot(Writer(fd, upload.offset(part_number)))
                    except BaseException:
                        release = partial(
                            uploads.release_slot, upload=upload, part_number=part_number
                        )
                        with suppress(StorageError):
                            self._index.write(release)
                        raise
                    return
        with self._directories.draft(upload, part_number) as draft:
            yield draft

    def _finish(
        self, connection: Connection, upload: Upload, version: Version, sizes: Sequence[int]
    ) -> tuple[Version, list[str]]:
        uploads.delete(connection, upload)
        part_sizes.keep(connection, version.file, sizes)
        return versions.add(connection, version, versioning=self._versioning)

    def _upload(self, key: StoredKey, upload_id: str) -> Upload:
        return self._index.read(partial(uploads.find, key=key, upload_id=upload_id))


def _wrong_size(part_number: int, size: int) -> InvalidInput:
    return InvalidInput.of("size", f"Part {part_number} did not have {size} bytes. Send it again.")
