"""Beginning uploads: every file of a request is checked, and the good ones get a URL each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import InvalidInput, QuotaExceeded, SoftFactoryError, TooManyUploads
from softfactory.models import FileUpload, UploadStatus, User
from softfactory.models.file_upload import new_object_id
from softfactory.services.content_types import category_of, said_type, type_by_name
from softfactory.services.drive.entries import file_id
from softfactory.services.drive.open_uploads import OpenUploads
from softfactory.services.quotas import Quotas
from softfactory.services.unit_of_work import write
from softfactory.storage.base import Storage, StorageClass
from softfactory.storage.filenames import clean_filename
from softfactory.storage.keys import Key, drive_key, staging_key

MAX_FILES = 100
"""Files of one request (docs/api/drive.md, Uploads)."""

TIERS = {"standard": StorageClass.STANDARD, "glacier": StorageClass.GLACIER}


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a client needs to send one file.

    Attributes:
        s3_key: what to confirm it by.
        id: what opens the file once it is confirmed.
    """

    file_name: str
    presigned_url: str
    s3_key: str
    id: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that gets no URL, and why."""

    file_name: str
    error: SoftFactoryError


@dataclass(frozen=True, slots=True)
class Begun:
    """What became of each file of a request, in its order."""

    successful: list[Ticket] = field(default_factory=list)
    failed: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Declared:
    """A file as its client announces it, checked."""

    sent_name: str
    key: Key
    size: int
    content_type: str
    storage_class: StorageClass


@dataclass(frozen=True, slots=True)
class DriveUploads:
    """Makes room beside the files that are there: nothing sent shows before it is confirmed."""

    session: Session
    storage: Storage
    quotas: Quotas
    clock: Clock
    max_size: int
    url_lifetime: timedelta

    def begin(self, user: User, files: Sequence[Any]) -> Begun:
        """Write a pending row for every good file, and return a URL to PUT its bytes to.

        Args:
            files: JSON values; each is to be an object with ``file_name``, ``file_size`` and
                perhaps ``content_type`` and ``tier``.
        """
        begun, declared = Begun(), []
        for sent in files:
            try:
                declared.append(self._declared(user, sent))
            except InvalidInput as error:
                begun.failed.append(Refusal(_name_of(sent), error))
        if declared:
            begun.successful.extend(self._open(user, declared, begun.failed))
        return begun

    def _declared(self, user: User, sent: Any) -> _Declared:  # noqa: ANN401  # any JSON
        if not isinstance(sent, Mapping):
            raise InvalidInput.of("files", "Each of files must be an object with a file_name.")
        key = _key(user, sent.get("file_name"))
        return _Declared(
            sent_name=_name_of(sent),
            key=key,
            size=self._size(sent.get("file_size")),
            content_type=_content_type(sent.get("content_type"), key.filename),
            storage_class=_storage_class(sent.get("tier")),
        )

    def _size(self, size: Any) -> int:  # noqa: ANN401  # any JSON
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise InvalidInput.of("file_size", "file_size must be the number of bytes, 0 or more.")
        if size > self.max_size:
            message = f"file_size exceeds the limit: at most {self.max_size} bytes."
            raise InvalidInput(message, errors={"file_size": [message]}, code="FILE_TOO_LARGE")
        return size

    def _open(
        self, user: User, declared: Sequence[_Declared], failed: list[Refusal]
    ) -> list[Ticket]:
        """Write the rows of those that there is room for; the others are added to ``failed``."""
        now = self.clock()
        rows: list[tuple[_Declared, FileUpload, str]] = []
        with write(self.session):
            open_keys = OpenUploads(self.session).awaited_keys(
                user.id, [each.key for each in declared]
            )
            use = self.quotas.locked_use(self.session.connection(), user.id)
            for each in declared:
                try:
                    use = use.with_upload(each.size, max_open_uploads=self.quotas.max_open_uploads)
                except (QuotaExceeded, TooManyUploads) as error:
                    failed.append(Refusal(each.sent_name, error))
                    continue
                row = _row(user, each)
                row.uploaded_at = row.last_activity_at = now
                self.session.add(row)
                # Of several open uploads of one name each is known by where its bytes wait.
                staged = row.staging_key or ""
                rows.append((each, row, staged if each.key in open_keys else each.key))
                open_keys.add(each.key)
        try:
            return self._tickets(rows)
        except BaseException:
            self._forget([row.id for _, row, _ in rows])
            raise

    def _tickets(self, rows: Sequence[tuple[_Declared, FileUpload, str]]) -> list[Ticket]:
        return [
            Ticket(
                file_name=each.sent_name,
                presigned_url=self.storage.presign_put(
                    Key(row.staging_key or ""), size=each.size, expires_in=self.url_lifetime
                ),
                s3_key=s3_key,
                id=file_id(each.key, row.object_id),
            )
            for each, row, s3_key in rows
        ]

    def _forget(self, ids: Sequence[int]) -> None:
        """Remove the rows of uploads that nobody was told of, so that they reserve nothing."""
        with write(self.session):
            self.session.execute(delete(FileUpload).where(FileUpload.id.in_(ids)))


def _row(user: User, declared: _Declared) -> FileUpload:
    object_id, filename = new_object_id(), declared.key.filename
    return FileUpload(
        object_id=object_id,
        user_id=user.id,
        file_key=declared.key,
        staging_key=staging_key(username=user.username, unique=object_id, filename=filename),
        original_filename=filename,
        file_size=declared.size,
        content_type=declared.content_type,
        category=category_of(declared.content_type),
        storage_tier=declared.storage_class.value,
        status=UploadStatus.PENDING.value,
    )


def _name_of(sent: Any) -> str:  # noqa: ANN401  # any JSON
    name = sent.get("file_name") if isinstance(sent, Mapping) else None
    return name if isinstance(name, str) else ""


def _key(user: User, name: Any) -> Key:  # noqa: ANN401  # any JSON
    if not isinstance(name, str) or not name:
        raise InvalidInput.of("file_name", "file_name is required and must be a text.")
    if "/" in name:
        raise InvalidInput.of("file_name", "file_name must not have a / in it.")
    try:
        return drive_key(username=user.username, filename=clean_filename(name))
    except InvalidInput as error:
        raise InvalidInput.of("file_name", f"file_name is not usable: {error.message}") from error


def _content_type(content_type: Any, filename: str) -> str:  # noqa: ANN401  # any JSON
    if content_type is None:
        return type_by_name(filename)
    try:
        if isinstance(content_type, str):
            return said_type(content_type) or type_by_name(filename)
    except ValueError:
        pass
    raise InvalidInput.of("content_type", "content_type must be a type such as image/jpeg.")


def _storage_class(tier: Any) -> StorageClass:  # noqa: ANN401  # any JSON
    if tier is None:
        return StorageClass.STANDARD
    found = TIERS.get(tier.lower()) if isinstance(tier, str) else None
    if found is None:
        raise InvalidInput.of("tier", 'tier must be either "standard" or "glacier".')
    return found
