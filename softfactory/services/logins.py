"""Logins: rows that every token names, and whose end is the tokens' end."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, bindparam, delete, func, select
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.models import LoginSession, User
from softfactory.services.look_up import columns_of, look_up_object

# Made once: every request with a token waits for it.
_WHOSE = (
    columns_of(User)
    .join(LoginSession, LoginSession.user_id == User.id)
    .where(LoginSession.id == bindparam("login"), LoginSession.expires_at > bindparam("now"))
)


@dataclass(frozen=True, kw_only=True)
class Logins:
    """The logins of users; every method runs in its caller's transaction."""

    session: Session
    clock: Clock
    lifetime: timedelta

    def begin(self, user: User) -> LoginSession:
        """Return a new login of ``user``."""
        now = self.clock()
        login = LoginSession(
            id=secrets.token_hex(16),
            user_id=user.id,
            created_at=now,
            expires_at=now + self.lifetime,
        )
        self.session.add(login)
        return login

    def identify(self, session_id: str) -> User | None:
        """Return whose live login this is, or None; one indexed query."""
        return look_up_object(
            self.session, User, _WHOSE, {"login": session_id, "now": self.clock()}
        )

    def end(self, session_id: str) -> None:
        """End one login."""
        self._delete(LoginSession.id == session_id)

    def end_all(self, user: User) -> None:
        """End every login of ``user``."""
        self._delete(LoginSession.user_id == user.id)

    def sweep(self, *, dry_run: bool) -> int:
        """Remove the logins whose time is over; return how many there are."""
        dead = LoginSession.expires_at <= self.clock()
        count = self.session.scalar(select(func.count()).select_from(LoginSession).where(dead))
        if not dry_run:
            self._delete(dead)
        return count or 0

    def _delete(self, criterion: ColumnElement[bool]) -> None:
        self.session.execute(
            delete(LoginSession).where(criterion).execution_options(synchronize_session=False)
        )
