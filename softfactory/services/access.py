"""Whose file it is: the one place where a file is looked up on behalf of a user."""

import re
from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, or_, select
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from softfactory.errors import NotFound, PermissionDenied
from softfactory.models import FileUpload, UploadStatus, User
from softfactory.models.likely import likely
from softfactory.services.look_up import look_up

HOLDING = (
    UploadStatus.PENDING.value,
    UploadStatus.UPLOADING.value,
    UploadStatus.COMPLETED.value,
)

_PLAIN_ID = re.compile(r"[1-9][0-9]{0,18}")

MAX_ID = 2**63 - 1
"""The largest number that a 64-bit id column holds; databases refuse to compare with more."""

Moment = datetime | BindParameter[datetime]
"""A time, or the parameter that will be one."""

# Made once: the bytes behind every signed URL wait for them. The status is no condition, or SQLite
# would take the index of statuses and read every completed file; so the few that ever expire are
# looked up by their keys (ix_file_uploads_expiring).
_PAST_THEIR_TIME = select(FileUpload.file_key, FileUpload.status).where(
    FileUpload.expires_at <= bindparam("now")
)
_ONE_KEY = _PAST_THEIR_TIME.where(FileUpload.file_key == bindparam("key"))
_SOME_KEYS = _PAST_THEIR_TIME.where(FileUpload.file_key.in_(bindparam("keys", expanding=True)))


def is_alive(now: Moment) -> ColumnElement[bool]:
    """Return the condition of files that their clients can see: completed and not expired."""
    return and_(
        FileUpload.status == UploadStatus.COMPLETED.value,
        or_(FileUpload.expires_at.is_(None), FileUpload.expires_at > now),
    )


def holds_its_key() -> ColumnElement[bool]:
    """Return the condition of rows whose key nobody else can take; for look-ups by key.

    It is the condition of the index of living keys (``models.file_upload.LIVING``), word for word
    and with no parameters: databases use a partial index for nothing else. To SQLite it is no
    reason to choose another one.
    """
    holding: BindParameter[str] = bindparam(
        "holding", HOLDING, expanding=True, literal_execute=True, unique=True
    )
    return and_(likely(FileUpload.staging_key.is_(None)), likely(FileUpload.status.in_(holding)))


def find_file(
    session: Session, user: User, file_id: int, *, now: datetime, lock: bool = False
) -> FileUpload:
    """Return the living file of this id that ``user`` may reach: their own, or any as an admin.

    Args:
        lock: hold the row until the transaction ends; what is returned is then current.

    Raises:
        NotFound: no such file, or no longer.
        PermissionDenied: it is someone else's.
    """
    query = select(FileUpload).where(FileUpload.id == file_id, is_alive(now))
    if lock:
        query = query.with_for_update()
    file = session.scalar(query) if 0 < file_id <= MAX_ID else None
    if file is None:
        raise NotFound("File not found.")
    require_reach(user, file)
    return file


def require_reach(user: User, file: FileUpload) -> None:
    """Return if ``user`` may read and delete the file: their own, or any as an admin.

    Raises:
        PermissionDenied: it is someone else's.
    """
    if file.user_id != user.id and not user.is_admin:
        raise PermissionDenied("Not authorized: this file belongs to another user.")


def require_key(user: User, key: str, *, to_write: bool = False) -> None:
    """Return if ``user`` may reach the key or prefix: below their own roots, or any as an admin.

    Args:
        to_write: an administrator reads, aborts and deletes everywhere, and writes only their own.

    Raises:
        PermissionDenied: it lies outside.
    """
    if not user.roots.owns(key) and (to_write or not user.is_admin):
        raise PermissionDenied("Not authorized: the key lies outside your own prefixes.")


def owner_of(session: Session, key: str) -> User | None:
    """Return the user below whose root ``key`` lies, None where it is nobody's."""
    root, _, rest = key.partition("/")
    name, slash, _ = rest.partition("/")
    if root == "users":
        query = select(User).where(User.uuid == name)
    elif root == "uploads" and _PLAIN_ID.fullmatch(name) and int(name) <= MAX_ID:
        query = select(User).where(User.id == int(name))
    else:
        slash, query = "/" if rest else "", select(User).where(User.username == root)
    return session.scalar(query.where(User.deleted_at.is_(None))) if slash else None


def askable(keys: Iterable[str]) -> list[str]:
    """Return those of ``keys`` that a row can have.

    PostgreSQL cannot even be asked for a NUL, which only others' clients write.
    """
    return [key for key in keys if "\0" not in key]


def expired_keys(session: Session, keys: Collection[str], *, now: datetime) -> set[str]:
    """Return those of ``keys`` whose files have expired, by one query."""
    asked = askable(keys)
    if not asked:
        return set()
    found = session.connection().execute(_SOME_KEYS, {"keys": asked, "now": now})
    return {key for key, status in found if status == UploadStatus.COMPLETED.value}


def refuse_expired(engine: Engine, key: str, *, now: datetime) -> None:
    """Return unless the file of this key has expired, however its URL was signed.

    Raises:
        NotFound: it has; its URLs die with it.
    """
    found = look_up(engine, _ONE_KEY, {"key": key, "now": now})
    if any(status == UploadStatus.COMPLETED.value for _, status in found):
        raise NotFound("File not found: it has expired.")


def is_let_in() -> ColumnElement[bool]:
    """Return the condition of users whose account the operator has neither disabled nor deleted."""
    return and_(User.disabled_at.is_(None), User.deleted_at.is_(None))


def has_expired(now: Moment) -> ColumnElement[bool]:
    """Return the condition of files that were completed and are past their time."""
    completed = FileUpload.status == UploadStatus.COMPLETED.value
    return and_(completed, FileUpload.expires_at <= now)
