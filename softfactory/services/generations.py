"""The generation of a user's files: every change raises it, so no cache outlives a change.

It comes with the user's row, which is read before what is to be cached under it.

Changes of ``FileUpload`` rows are noticed by themselves; who changes storage alone calls ``touch``.
"""

from typing import Any

from sqlalchemy import Connection, bindparam, event, update
from sqlalchemy.orm import Session, UOWTransaction

from softfactory.models import FileUpload, User

_CHANGED = "users_whose_files_changed"

_USERS = User.metadata.tables[User.__tablename__]
_RAISE = (
    update(_USERS)
    .where(_USERS.c.id == bindparam("user_id"))
    .values(files_generation=_USERS.c.files_generation + 1)
)


def touch(session: Session, user_id: int) -> None:
    """Raise the generation with the commit of the current transaction.

    For changes that no row of the session shows: to storage only, or by a bulk statement.
    """
    session.info.setdefault(_CHANGED, set()).add(user_id)


def raise_generations(connection: Connection, *user_ids: int) -> None:
    """Raise the generations within the transaction of ``connection``, whose last statement it is."""
    connection.execute(_RAISE, [{"user_id": user_id} for user_id in sorted(user_ids)])


def watch_files() -> None:
    """Raise the generations of all whose rows change, in every session. Safe to repeat."""
    event.listen(Session, "before_flush", _notice)
    event.listen(Session, "before_commit", _raise)
    event.listen(Session, "after_rollback", _forget)


def _notice(session: Session, _context: UOWTransaction, _instances: Any) -> None:  # noqa: ANN401  # SQLAlchemy's signature
    for row in (*session.new, *session.dirty, *session.deleted):
        if isinstance(row, FileUpload) and (row not in session.dirty or session.is_modified(row)):
            touch(session, row.user_id)


def _raise(session: Session) -> None:
    session.flush()
    if user_ids := session.info.pop(_CHANGED, None):
        # The last statement before the commit: the rows of users are locked for that long only.
        raise_generations(session.connection(), *user_ids)


def _forget(session: Session) -> None:
    session.info.pop(_CHANGED, None)
