"""What the operator does with accounts: look, disable, make an administrator, delete."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import NotFound
from softfactory.models import User
from softfactory.services.passwords import hash_password, require_acceptable
from softfactory.services.removed_accounts import end_files
from softfactory.services.revocation import Revocation
from softfactory.services.unit_of_work import write
from softfactory.services.users import Users

BATCH = 200
"""Users read at a time."""


@dataclass(frozen=True, kw_only=True)
class Administration:
    """Every change first locks the user's row; what it ends is over on every worker at once.

    A ``name`` is a username or an address, in any case. The built-in account, and those that are
    deleted, have none here.
    """

    session: Session
    clock: Clock
    users: Users
    revocation: Revocation

    def all(self) -> Iterator[User]:
        """Yield all users, in the order of their ids."""
        last = 0
        query = select(User).where(User.password_hash.is_not(None)).order_by(User.id).limit(BATCH)
        while found := self.session.scalars(query.where(User.id > last)).all():
            yield from found
            last = found[-1].id

    def find(self, name: str) -> User:
        """Return the user of this name.

        Raises:
            NotFound: there is none.
        """
        user = self.users.find(name)
        if user is None:
            raise _nobody(name)
        return user

    def disable(self, name: str) -> User:
        """Let the user in no more, and end all logins and credentials; the files stay."""
        with write(self.session):
            user = self._lock(name)
            user.disabled_at = user.disabled_at or self.clock()
            self.revocation.revoke(user)
        self.revocation.finish(user)
        return user

    def enable(self, name: str) -> User:
        """Let a disabled user log in again; what was ended stays ended."""
        with write(self.session):
            user = self._lock(name)
            user.disabled_at = None
        return user

    def set_admin(self, name: str, *, is_admin: bool) -> User:
        """Let the user reach everybody's files, or their own alone, from the next request on."""
        with write(self.session):
            user = self._lock(name)
            user.is_admin = is_admin
        return user

    def set_password(self, name: str, password: str) -> User:
        """Set a password; all logins end, and credentials, and the wait for the next try.

        Raises:
            InvalidInput: the password is not acceptable.
        """
        require_acceptable(password)
        password_hash = hash_password(password)
        with write(self.session):
            user = self._lock(name)
            self.revocation.replace_password(user, password_hash)
        self.revocation.finish(user)
        return user

    def delete(self, name: str) -> User:
        """End the account: its username stays taken, its address is free, its files are gone.

        Its rows of files expire with it, so that every door says so at once; their bytes, and all
        else below its roots, are ``files cleanup``'s to remove.
        """
        now = self.clock()
        with write(self.session):
            user = self._lock(name)
            self.revocation.revoke(user)
            user.deleted_at = now
            user.password_hash = None
            user.is_admin = False
            # Undeliverable, and nobody's (RFC 2606 section 2).
            user.email = user.email_folded = f"{user.uuid}@deleted.invalid"
            end_files(self.session, user, now)
        self.revocation.finish(user)
        return user

    def _lock(self, name: str) -> User:
        user = self.users.lock_any(name)
        if user is None:
            raise _nobody(name)
        return user


def _nobody(name: str) -> NotFound:
    return NotFound(f"There is no user {name!r}. './files users list' shows all of them.")
