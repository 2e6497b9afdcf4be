"""Accounts: who may come in, how they prove it, and how they get back in."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import (
    EmailNotVerified,
    InvalidCode,
    InvalidCredentials,
    InvalidInput,
    WrongPassword,
)
from softfactory.models import CodePurpose, LoginSession, User
from softfactory.services.codes import Codes
from softfactory.services.logins import Logins
from softfactory.services.mail import Mail, Mailer
from softfactory.services.passwords import (
    hash_password,
    needs_rehash,
    password_problems,
    verify_password,
)
from softfactory.services.unit_of_work import write
from softfactory.services.users import Users


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """Everything that is done with accounts and logins, for one request.

    A ``name`` is a username or an address, in any case. Every change first locks the user's row, so
    that what is done to one account at once is done in turn; hashing stays outside of transactions.
    """

    session: Session
    mailer: Mailer
    clock: Clock
    code_secret: str
    code_lifetime: timedelta
    login_lifetime: timedelta
    """How long a login lives: as long as its refresh token."""

    def register(self, username: str, email: str, password: str) -> None:
        """Make an account that has to be confirmed, and mail its code.

        Raises:
            InvalidInput: by field: not acceptable, or taken.
        """
        user = self._users.new(username, email, password)
        with self._users.adding(user):
            code = self._codes.issue(user, CodePurpose.CONFIRM)
        self._mail_code(user, CodePurpose.CONFIRM, code)

    def create_confirmed(
        self, username: str, email: str, password: str, *, is_admin: bool = False
    ) -> User:
        """Make an account that can log in at once, and return it.

        Raises:
            InvalidInput: by field: not acceptable, or taken.
        """
        user = self._users.new(username, email, password)
        user.is_admin = is_admin
        user.confirmed_at = user.created_at
        with self._users.adding(user):
            return user

    def confirm(self, name: str, code: str) -> None:
        """Confirm the address of an account.

        Raises:
            InvalidCode: a wrong code, no such user, or nothing to confirm, for which no code lives.
        """
        with write(self.session):
            user = self._users.lock(name)
            if user is not None and self._codes.redeem(user, CodePurpose.CONFIRM, code):
                user.confirmed_at = self.clock()
                return
        raise InvalidCode  # After the commit: a wrong try counts.

    def resend_code(self, name: str) -> None:
        """Mail a new confirmation code; does nothing where there is nothing to confirm."""
        with write(self.session):
            user = self._users.lock(name)
            if user is None or user.confirmed_at is not None:
                return
            code = self._codes.issue(user, CodePurpose.CONFIRM)
        self._mail_code(user, CodePurpose.CONFIRM, code)

    def login(self, name: str, password: str) -> LoginSession:
        """Begin a login and return it.

        Raises:
            InvalidCredentials: no such user, or not the password; both take equally long.
            EmailNotVerified: the right password of an account that is not confirmed.
        """
        user = self._users.find(name)
        verified = user.password_hash if user else None
        if not verify_password(password, verified) or user is None or verified is None:
            raise InvalidCredentials
        if user.confirmed_at is None:
            raise EmailNotVerified
        password_hash = hash_password(password) if needs_rehash(verified) else verified
        with write(self.session):
            # A password that was changed since it was verified has ended this login too.
            if self._users.lock_unchanged(user, verified) is None:
                raise InvalidCredentials
            user.password_hash = password_hash
            return self._logins.begin(user)

    def identify(self, session_id: str) -> User | None:
        """Return whose live login this is, or None."""
        return self._logins.identify(session_id)

    def built_in(self) -> User:
        """Return the account of callers without a token; nobody logs in to it."""
        return self._users.built_in()

    def owner(self, login: LoginSession) -> User:
        """Return whose ``login`` this is; without a query when it was begun here."""
        return self.session.get_one(User, login.user_id)

    def logout(self, session_id: str) -> None:
        """End a login on every worker; one that has ended stays ended."""
        with write(self.session):
            self._logins.end(session_id)

    def forgot_password(self, name: str) -> None:
        """Mail a code that allows a new password; does nothing for an unknown user.

        An account that is not confirmed gets one too, because the code proves the same address.
        """
        with write(self.session):
            user = self._users.lock(name)
            if user is None:
                return
            code = self._codes.issue(user, CodePurpose.RESET)
        self._mail_code(user, CodePurpose.RESET, code)

    def reset_password(self, name: str, code: str, new_password: str) -> None:
        """Set a new password, confirm the address that the code went to, and end all logins.

        Raises:
            InvalidInput: the new password is not acceptable; the code is still good.
            InvalidCode: a wrong code, or no such user.
        """
        password_hash = _hash_acceptable(new_password)
        with write(self.session):
            user = self._users.lock(name)
            if user is not None and self._codes.redeem(user, CodePurpose.RESET, code):
                user.confirmed_at = user.confirmed_at or self.clock()
                self._set_password(user, password_hash)
                return
        raise InvalidCode  # After the commit: a wrong try counts.

    def change_password(self, user: User, old_password: str, new_password: str) -> None:
        """Set a new password and end all logins of ``user``, the one that asks too.

        Raises:
            InvalidInput: the new password is not acceptable.
            WrongPassword: the old one is not right.
        """
        verified = user.password_hash
        self.session.commit()  # No connection waits for the hashing.
        if not verify_password(old_password, verified) or verified is None:
            raise WrongPassword
        password_hash = _hash_acceptable(new_password)
        with write(self.session):
            if self._users.lock_unchanged(user, verified) is None:
                raise WrongPassword
            self._set_password(user, password_hash)

    def sweep(self, *, dry_run: bool) -> tuple[int, int]:
        """Remove spent codes and dead sessions; return how many there are of each."""
        with write(self.session):
            return self._codes.sweep(dry_run=dry_run), self._logins.sweep(dry_run=dry_run)

    @property
    def _users(self) -> Users:
        return Users(session=self.session, clock=self.clock)

    @property
    def _codes(self) -> Codes:
        return Codes(
            session=self.session,
            clock=self.clock,
            secret=self.code_secret,
            lifetime=self.code_lifetime,
        )

    @property
    def _logins(self) -> Logins:
        return Logins(session=self.session, clock=self.clock, lifetime=self.login_lifetime)

    def _set_password(self, user: User, password_hash: str) -> None:
        """Replace the password, and end all that the older one, or a code, still allowed."""
        user.password_hash = password_hash
        self._codes.end(user, *CodePurpose)
        self._logins.end_all(user)

    def _mail_code(self, user: User, purpose: CodePurpose, code: str) -> None:
        """Mail ``code``; called after the commit, so that what is mailed is what is kept."""
        text = Mail.confirmation if purpose is CodePurpose.CONFIRM else Mail.password_reset
        mail = text(username=user.username, code=code, lifetime=self.code_lifetime)
        self.mailer.send(to=user.email, subject=mail.subject, body=mail.body)


def _hash_acceptable(new_password: str) -> str:
    """Return the hash of a new password that meets the policy, or raise InvalidInput."""
    if problems := password_problems(new_password):
        raise InvalidInput(" ".join(problems), errors={"new_password": problems})
    return hash_password(new_password)
