"""The storage interface: S3's verbs and S3's promises, whichever adapter keeps them.

``Storage`` is what services program against. Every adapter passes the one contract suite in
``tests/storage``; a promise is written in the docstring of the verb that makes it. For all verbs:

* Keys are opaque. ``a``, ``A`` and ``a/b`` are three objects; no key ever decides a path.
* What is written is named by a ``Key``; what is there is read, described and deleted by whatever
  ``StoredKey`` it has.
* A write is atomic: readers see the whole old object or the whole new one, never a mixture.
* After a write returns it is durable, and every later read and list on any machine shows it.
* Memory does not grow with the size of an object.
* Anything that storage itself gets wrong is a ``StorageError`` (``StorageFull`` where there is no
  room left); the bytes and index stay as they were before the call.
* Adapters are safe to share between threads.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import BinaryIO, Protocol, Self, runtime_checkable

from softfactory.errors import StorageError, StorageFull
from softfactory.storage.keys import Key, StoredKey

MIN_PART_SIZE = 5 * 1024 * 1024
"""Bytes; S3: every part but the last is at least this large (Amazon S3 multipart upload limits)."""

MAX_PART_SIZE = 5 * 1024 * 1024 * 1024
"""Bytes; S3: no part is larger (Amazon S3 multipart upload limits)."""

MAX_PARTS = 10_000
"""S3: part numbers run from 1 to this (Amazon S3 multipart upload limits)."""

MAX_LIST_LIMIT = 1000
"""S3: a page of ListObjectsV2 and a DeleteObjects request hold at most this many keys."""


class StorageClass(StrEnum):
    """Where an object's bytes are kept; the values are S3's."""

    STANDARD = "STANDARD"
    GLACIER = "GLACIER"


@dataclass(frozen=True, slots=True)
class Restoration:
    """The state of an archived object's restored copy.

    Attributes:
        ongoing: the restoration was started and is not finished.
        expires_at: until when the restored copy can be read; None while ongoing.
    """

    ongoing: bool
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ObjectSummary:
    """What a list tells of an object.

    Attributes:
        key: as storage has it; not a ``Key``, because others may have written it.
        size: bytes.
        etag: opaque, without quotes; equal ETags of one key mean equal bytes.
        last_modified: aware UTC.
        storage_class: ``STANDARD``, ``GLACIER``, or another class that storage reported.
    """

    key: str
    size: int
    etag: str
    last_modified: datetime
    storage_class: str


@dataclass(frozen=True, slots=True)
class ObjectInfo(ObjectSummary):
    """What a head tells of an object.

    Attributes:
        content_type: as it was put; ``application/octet-stream`` where nothing was said.
        version_id: None where the storage keeps no versions.
        content_encoding: as it was put; None where the bytes are the content itself.
        metadata: the custom metadata it was put with; lower-case names.
        restoration: None unless the object is archived and was asked back.
    """

    content_type: str = "application/octet-stream"
    content_encoding: str | None = None
    version_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    restoration: Restoration | None = None

    @property
    def is_archived(self) -> bool:
        """Whether the bytes cannot be read now because they are archived and not restored."""
        restored = self.restoration is not None and not self.restoration.ongoing
        return self.storage_class == StorageClass.GLACIER and not restored


@dataclass(frozen=True, slots=True)
class ObjectVersion(ObjectSummary):
    """One version of an object; delete markers are no versions here."""

    version_id: str
    is_latest: bool


class Damage(StrEnum):
    """What is wrong with the bytes of a version that were read back."""

    MISSING = "missing"
    WRONG_SIZE = "wrong size"
    WRONG_CONTENT = "wrong content"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What comparing a version with its ETag came to.

    Attributes:
        damage: None where nothing is wrong.
        is_compared: whether the ETag could tell; one of parts whose sizes nobody kept can't.
    """

    damage: Damage | None = None
    is_compared: bool = True


@dataclass(frozen=True, slots=True)
class ObjectPage:
    """One page of a list.

    Attributes:
        objects: in key order (UTF-8 bytes).
        prefixes: the common prefixes, each ending in the delimiter, in the same order.
        next_start_after: what to pass as ``start_after`` for the next page; None at the end.
    """

    objects: Sequence[ObjectSummary]
    prefixes: Sequence[str]
    next_start_after: str | None


@dataclass(frozen=True, slots=True)
class PartInfo:
    """One part that arrived: its number, its opaque ETag (without quotes), its size in bytes."""

    part_number: int
    etag: str
    size: int


@dataclass(frozen=True, slots=True)
class MultipartInfo:
    """A multipart upload that is neither completed nor aborted.

    Attributes:
        last_activity: when it was begun or, where storage knows, when its last part arrived.
    """

    key: str
    upload_id: str
    last_activity: datetime


@dataclass(frozen=True, slots=True)
class DeleteFailure:
    """A key that ``delete_many`` could not delete, and why, in words safe to show."""

    key: str
    code: str
    message: str

    @property
    def error(self) -> StorageError:
        """What a verb that deletes one key would have raised."""
        return StorageFull() if self.code == StorageFull.code else StorageError()


class SignedUrl(str):
    """A URL that carries its own permission, and the time for which it does.

    Attributes:
        signed_at: the second from which it counts; aware UTC.
        expires_at: the second at which it stops to work, whatever was asked for; aware UTC.
    """

    __slots__ = ("expires_at", "signed_at")

    signed_at: datetime
    expires_at: datetime

    def __new__(cls, url: str, signed_at: datetime, expires_at: datetime) -> Self:
        """Return ``url``, which works until ``expires_at``."""
        signed = super().__new__(cls, url)
        signed.signed_at = signed_at
        signed.expires_at = expires_at
        return signed

    @property
    def expires_in(self) -> timedelta:
        """How long it works, in whole seconds."""
        return self.expires_at - self.signed_at


class StoredObject(Protocol):
    """An object opened for reading; its bytes stay these bytes, whatever happens to the key.

    A context manager that closes itself.
    """

    @property
    def info(self) -> ObjectInfo:
        """What is known of the object that was opened."""
        ...

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from ``start`` up to, not including, ``stop`` (default: the end).

        Raises:
            StorageError: the storage failed half-way; the consumer must not call this complete.
        """
        ...

    def file(self) -> BinaryIO | None:
        """Return the open file of the bytes for sendfile, or None where there is none.

        It belongs to this object and is closed with it.
        """
        ...

    def close(self) -> None:
        """Release what is held open. Safe to repeat."""
        ...

    def __enter__(self) -> Self:
        """Return itself."""
        ...

    def __exit__(self, *exc_info: object) -> None:
        """Close it."""
        ...


@dataclass(frozen=True, slots=True)
class Skipped:
    """Objects that were passed over: how many, and the key of the last; None where there is none."""

    count: int
    last: str | None


def size_of_part(part_number: int, *, part_size: int | None, size: int | None) -> int | None:
    """Return how many bytes the part of a declared upload has, None where nothing is declared.

    A part beyond the last has none.
    """
    if part_size is None or size is None:
        return None
    return max(0, min(part_size, size - (part_number - 1) * part_size))


@runtime_checkable
class Skipping(Protocol):
    """What a storage has beside ``Storage`` if it counts objects for less than it lists them."""

    def skip_objects(
        self, prefix: str, *, start_after: str, before: str | None, limit: int
    ) -> Skipped:
        """Pass over up to ``limit`` objects, as ``Storage.list_objects`` has them in its order.

        Markers of folders, whose keys end in a slash, are passed over uncounted.

        Args:
            before: the key to stop in front of; None passes over all below ``prefix``.
        """
        ...


@runtime_checkable
class VersionBytes(Protocol):
    """What a storage has beside ``Storage`` if it knows what old versions take, without a list."""

    def noncurrent_bytes(self, roots: Iterable[str]) -> int:
        """Return the bytes of versions below ``roots`` that were replaced or deleted.

        Args:
            roots: ``users/<name>/``, ``uploads/<name>/`` or ``<name>/``; other prefixes have none.
        """
        ...


@runtime_checkable
class Losing(Protocol):
    """What a storage has beside ``Storage`` whose lists do not look at the bytes themselves."""

    def lost_objects(self) -> Iterator[str]:
        """Yield the keys of objects that lists show and whose bytes are gone."""
        ...


class Storage(Protocol):
    """One bucket, or one directory that keeps the same promises."""

    # --- writing ------------------------------------------------------------------------------

    def put(
        self,
        key: Key,
        chunks: Iterable[bytes],
        *,
        content_type: str | Callable[[], str] = "application/octet-stream",
        content_encoding: str | None = None,
        metadata: Mapping[str, str] | None = None,
        storage_class: StorageClass = StorageClass.STANDARD,
    ) -> ObjectInfo:
        """Store the bytes of ``chunks`` under ``key``, replacing what is there.

        If iterating ``chunks`` or calling ``content_type`` raises, that exception passes through
        and nothing is stored: no object, no version, no temporary file, no open multipart upload.

        Args:
            chunks: consumed once, as it arrives; any sizes, also none at all (an empty object).
            content_type: the type, or a function that is called once, after the last chunk, by
                those who know it only from the bytes.
            content_encoding: how the bytes encode that content (RFC 9110 section 8.4); it goes
                with them wherever they are copied. ``aws-chunked`` is none.
            metadata: names of lower-case letters, digits and hyphens, printable ASCII values;
                at most 2 KB in all (S3: user-defined metadata).
        """
        ...

    def copy(
        self,
        source: StoredKey,
        target: Key,
        *,
        version_id: str | None = None,
        content_type: str | None = None,
        as_new: bool = False,
    ) -> ObjectInfo:
        """Copy an object (or one version of it) with its type, encoding, metadata and class.

        Also beyond 5 GiB, S3's limit for one CopyObject.

        Args:
            content_type: what the copy is served with, where it is to differ.
            as_new: make it as if its bytes had just been put: of what the writer of the source
                said of it, only type and content encoding go over; no metadata, tags or class.

        Raises:
            ObjectNotFound: no such source.
            ObjectArchived: the source is archived and not restored.
        """
        ...

    def rename(self, source: StoredKey, target: Key) -> ObjectInfo:
        """Move an object; at every moment at least one of the two names has the bytes.

        Raises:
            ObjectNotFound: no such source.
            ObjectArchived: the source is archived and not restored.
        """
        ...

    def delete(self, key: StoredKey, *, version_id: str | None = None) -> None:
        """Delete the object, or one version for good; deleting what is not there is no error.

        Where versions are kept, deleting the object leaves its versions behind.
        """
        ...

    def delete_many(self, keys: Sequence[StoredKey]) -> list[DeleteFailure]:
        """Delete any number of objects; return those that could not be, empty where all could.

        Missing ones count as deleted. One failure does not stop the others.
        """
        ...

    def purge(self, key: StoredKey) -> None:
        """Delete the object with all its versions and markers, for good."""
        ...

    # --- reading ------------------------------------------------------------------------------

    def head(self, key: StoredKey, *, version_id: str | None = None) -> ObjectInfo:
        """Return what is known of the object (or of one version of it) without its bytes.

        Raises:
            ObjectNotFound: no such object or version.
        """
        ...

    def open(self, key: StoredKey, *, version_id: str | None = None) -> StoredObject:
        """Open the object, or one version of it, for reading.

        Raises:
            ObjectNotFound: no such object or version.
            ObjectArchived: it is archived and not restored.
        """
        ...

    def list_objects(
        self,
        prefix: str = "",
        *,
        delimiter: str = "",
        start_after: str = "",
        limit: int = MAX_LIST_LIMIT,
    ) -> ObjectPage:
        """Return up to ``limit`` objects and common prefixes below ``prefix``, in key order.

        The cost depends on what is returned, not on how many objects there are.

        Args:
            delimiter: one character; keys that have it after the prefix are rolled up into one
                common prefix each.
            start_after: only what comes after this string in key order; a page's
                ``next_start_after`` continues right behind that page, also behind a prefix.
            limit: 1 to 1000, objects and prefixes together.
        """
        ...

    def list_versions(self, key: StoredKey) -> list[ObjectVersion]:
        """Return the real versions of exactly this key, newest first; delete markers left out.

        Where no versions are kept: the object itself, with the version id ``null``, or nothing.
        """
        ...

    def holds_anything(self, prefix: str) -> bool:
        """Whether storage has anything below ``prefix``, whoever wrote it and whatever it is now.

        Objects, older versions, what marks a deleted one, and multipart uploads that are open. The
        cost does not depend on how much there is.
        """
        ...

    # --- storage class ------------------------------------------------------------------------

    def set_storage_class(self, key: StoredKey, storage_class: StorageClass) -> ObjectInfo:
        """Move the object to another class; its bytes, type and metadata stay.

        Raises:
            ObjectNotFound: no such object.
            ObjectArchived: it is archived and not restored.
        """
        ...

    def restore(self, key: StoredKey, *, version_id: str | None = None, days: int) -> Restoration:
        """Start bringing an archived object back for ``days`` days; return how it stands.

        Asking again while one runs, or once restored, starts nothing and is no error.

        Raises:
            ObjectNotFound: no such object or version.
            Conflict: the object is not archived.
        """
        ...

    # --- multipart ----------------------------------------------------------------------------

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
        """Begin a multipart upload and return its id; nothing shows under ``key`` until completed.

        Args:
            part_size: bytes of every part but the last, where it is known before;
            size: bytes of the whole, where it is known before. Given both, an adapter may put
                parts in their final place as they arrive, so that completing moves no bytes.
        """
        ...

    def put_part(
        self, key: Key, upload_id: str, part_number: int, chunks: Iterable[bytes], *, size: int
    ) -> PartInfo:
        """Store one part of exactly ``size`` bytes, replacing an earlier one of this number.

        A part whose chunks raise or do not add up to ``size`` leaves what was there before.

        Raises:
            UploadNotFound: no such upload, for this key.
            InvalidInput: ``part_number`` is not 1 to 10,000, the bytes are not ``size`` many, or
                not what the declared ``part_size`` and ``size`` of the upload call for, where the
                adapter remembers them (S3 cannot).
        """
        ...

    def list_parts(self, key: StoredKey, upload_id: str) -> list[PartInfo]:
        """Return the parts that arrived whole, by number.

        Raises:
            UploadNotFound: no such upload, for this key.
        """
        ...

    def complete_multipart(
        self, key: Key, upload_id: str, parts: Sequence[tuple[int, str]]
    ) -> ObjectInfo:
        """Make the object of the given parts (number, ETag), in the order of their numbers.

        Raises:
            UploadNotFound: no such upload, for this key.
            InvalidPart: none given, one that did not arrive, whose ETag differs, that is given
                twice, or that is not the last and under 5 MiB; the upload stays open.
        """
        ...

    def abort_multipart(self, key: StoredKey, upload_id: str) -> None:
        """End the upload and drop its parts; one that is not there is no error."""
        ...

    def list_multiparts(self, prefix: str = "") -> Iterator[MultipartInfo]:
        """Yield the open multipart uploads below ``prefix``, in no particular order."""
        ...

    # --- URLs ---------------------------------------------------------------------------------

    def object_url(self, key: str) -> str:
        """Return the unsigned URL that names the object; it gives no bytes."""
        ...

    def presign_get(
        self,
        key: StoredKey,
        *,
        expires_in: timedelta,
        version_id: str | None = None,
        content_type: str | None = None,
        content_disposition: str | None = None,
    ) -> SignedUrl:
        """Return a URL that gives the object's bytes to whoever has it, by GET, until it expires.

        Nothing is looked up: a URL for a missing object is 404 when it is used.

        Args:
            expires_in: 1 second to 7 days (S3: SigV4 presigned URLs). It ends sooner where what
                signs it does.
            content_type: answered instead of the object's own.
            content_disposition: answered with the bytes (RFC 6266).
        """
        ...

    def presign_put(self, key: Key, *, size: int, expires_in: timedelta) -> SignedUrl:
        """Return a URL that takes the object's ``size`` bytes by a plain PUT, until it expires.

        Nothing else in the request but the bytes, their number and standard headers of content
        (RFC 9110 section 8) has an effect, whoever adds it.
        """
        ...

    def presign_parts(
        self,
        key: Key,
        upload_id: str,
        part_numbers: Iterable[int],
        *,
        expires_in: timedelta,
        part_size: int | None = None,
        size: int | None = None,
    ) -> list[SignedUrl]:
        """Return, for each number, a URL that takes that part's bytes by a plain PUT.

        Args:
            part_size: as given to ``create_multipart``, and likewise
            size: with both, each URL takes exactly as many bytes as its part is to have.
        """
        ...

    # --- keeping in order ---------------------------------------------------------------------

    def sweep_noncurrent(self, before: datetime, *, prefix: str = "", dry_run: bool = False) -> int:
        """Delete versions below ``prefix`` that stopped being current before ``before``.

        Returns how many. A bucket may hold others' objects: name your own prefixes.

        A delete marker with nothing behind it goes too, uncounted.
        """
        ...

    def sweep_orphans(self, before: datetime, *, dry_run: bool = False) -> int:
        """Remove what crashes left behind; return how many files or parts that was.

        Only what no object or open upload refers to and nobody has touched since ``before``.
        Storage that leaves nothing behind returns 0.
        """
        ...

    def all_versions(self, *, start_after: str = "") -> Iterator[ObjectVersion]:
        """Yield the real versions of all objects, in key order, newest first of each.

        Args:
            start_after: only of keys behind this one.
        """
        ...

    def verify(self, version: ObjectVersion, read: Callable[[bytes], object]) -> Verdict | None:
        """Compare a version with its size and ETag; None where it was deleted meanwhile.

        Args:
            read: told the bytes as they are read, where they are: S3 keeps them by its own
                checksums, so there it is asked for what it knows of them.
        """
        ...

    def check(self) -> list[str]:
        """Return what keeps this storage from working, a plain sentence each; empty when it works.

        Tries each kind of access that the service needs, on a probe object of its own.
        """
        ...

    def upload_url_problems(self) -> list[str]:
        """Return what makes the URLs that write unfit for clients, a plain sentence each.

        Tries, on probe objects of its own, whether a client gains anything by what it adds to them.

        Raises:
            StorageError: storage failed, so nothing is known.
        """
        ...
