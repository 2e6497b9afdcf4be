"""Accounts: who may come in, how they prove it, and how they get back in."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import (
    AccountDisabled,
    EmailNotVerified,
    InvalidCode,
    InvalidCredentials,
    WrongPassword,
)
from softfactory.models import CodePurpose, LoginSession, User
from softfactory.services.logins import Logins
from softfactory.services.mailed_codes import MailedCodes
from softfactory.services.passwords import (
    hash_password,
    needs_rehash,
    require_acceptable,
    verify_password,
)
from softfactory.services.revocation import Revocation
from softfactory.services.tries import Account, Secret, Tries
from softfactory.services.unit_of_work import write
from softfactory.services.users import Users


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """Everything that is done with accounts and logins, for one request.

    A ``name`` is a username or an address, in any case. Every change first locks the user's row, so
    that what is done to one account at once is done in turn; hashing stays outside of transactions.
    Wrong passwords and codes in a row make an account wait (``Tries``); open logins go on.
    """

    session: Session
    clock: Clock
    users: Users
    codes: MailedCodes
    tries: Tries
    logins: Logins
    revocation: Revocation
    source: str = ""
    """The network that the request came from; who asks for much hashing waits behind others."""

    def register(self, username: str, email: str, password: str) -> None:
        """Make an account that has to be confirmed, and mail its code.

        Raises:
            InvalidInput: by field: not acceptable, or taken.
        """
        user = self.users.new(username, email, password, self._requester(username))
        with self.users.adding(user):
            code = self.codes.codes.issue(user, CodePurpose.CONFIRM)
        self.codes.send(user, CodePurpose.CONFIRM, code)

    def create_confirmed(
        self, username: str, email: str, password: str, *, is_admin: bool = False
    ) -> User:
        """Make an account that can log in at once, and return it.

        Raises:
            InvalidInput: by field: not acceptable, or taken.
        """
        user = self.users.new(username, email, password)
        user.is_admin = is_admin
        user.confirmed_at = user.created_at
        with self.users.adding(user):
            return user

    def confirm(self, name: str, code: str) -> None:
        """Confirm the address of an account.

        Raises:
            InvalidCode: a wrong code, no such user, or nothing to confirm, for which no code lives.
            TooManyTries: wrong codes in a row came before.
        """
        with write(self.session):
            user = self.users.lock(name)
            is_right = self.codes.is_right(user, name, CodePurpose.CONFIRM, code)
            if user is not None and is_right:
                user.confirmed_at = self.clock()
                self.codes.redeemed(user, CodePurpose.CONFIRM)
                return
        raise InvalidCode  # After the commit: a wrong try counts.

    def resend_code(self, name: str) -> None:
        """Mail a new confirmation code; does nothing where there is nothing to confirm."""
        with write(self.session):
            user = self.users.lock(name)
            if user is not None and user.confirmed_at is not None:
                user = None
            code = self.codes.issue(user, name, CodePurpose.CONFIRM)
        if user is not None and code is not None:
            self.codes.send(user, CodePurpose.CONFIRM, code)

    def login(self, name: str, password: str) -> LoginSession:
        """Begin a login and return it.

        Raises:
            InvalidCredentials: no such user, or not the password; both take equally long.
            EmailNotVerified: the right password of an account that is not confirmed.
            AccountDisabled: the right password of one that the operator has disabled.
            TooManyTries: wrong passwords in a row came before.
        """
        user = self.users.find(name)
        verified = user.password_hash if user else None
        account = self._check_tries(user, name)
        is_right = verify_password(password, verified, (self.source, account.slot))
        if not is_right or user is None or verified is None:
            with write(self.session):
                self.tries.count_wrong(account)
            raise InvalidCredentials
        password_hash = verified
        if needs_rehash(verified):
            password_hash = hash_password(password, (self.source, account.slot))
        with write(self.session):
            # A password that was changed since it was verified has ended this login too.
            if self.users.lock_unchanged(user, verified) is None:
                raise InvalidCredentials
            self.tries.count_right(account)
            user.password_hash = password_hash
            if user.confirmed_at is not None and user.disabled_at is None:
                return self.logins.begin(user)
        raise EmailNotVerified if user.disabled_at is None else AccountDisabled

    def identify(self, session_id: str) -> User | None:
        """Return whose live login this is, or None."""
        return self.logins.identify(session_id)

    def built_in(self) -> User:
        """Return the account of callers without a token; nobody logs in to it."""
        return self.users.built_in()

    def owner(self, login: LoginSession) -> User:
        """Return whose ``login`` this is; without a query when it was begun here."""
        return self.session.get_one(User, login.user_id)

    def logout(self, session_id: str) -> None:
        """End a login on every worker; one that has ended stays ended."""
        with write(self.session):
            self.logins.end(session_id)

    def forgot_password(self, name: str) -> None:
        """Mail a code that allows a new password; does nothing for an unknown user.

        An account that is not confirmed gets one too, because the code proves the same address.
        """
        with write(self.session):
            user = self.users.lock(name)
            code = self.codes.issue(user, name, CodePurpose.RESET)
        if user is not None and code is not None:
            self.codes.send(user, CodePurpose.RESET, code)

    def reset_password(self, name: str, code: str, new_password: str) -> None:
        """Set a new password, confirm the address that the code went to, and end all logins.

        Raises:
            InvalidInput: the new password is not acceptable; the code is still good.
            InvalidCode: a wrong code, or no such user; nothing was hashed.
            TooManyTries: wrong codes in a row came before.
        """
        require_acceptable(new_password)
        with write(self.session):
            user = self.users.lock(name)
            is_right = self.codes.is_right(user, name, CodePurpose.RESET, code)
        if user is None or not is_right:
            raise InvalidCode  # After the commit: a wrong try counts.
        password_hash = hash_password(new_password, self._requester(name))
        with write(self.session):
            locked = self.users.lock(user.username)
            # Of requests with one code the first has spent it; a newer code has ended it.
            if locked is None or not self.codes.codes.spend(locked, CodePurpose.RESET, code):
                raise InvalidCode
            locked.confirmed_at = locked.confirmed_at or self.clock()
            self.revocation.replace_password(locked, password_hash)
        self.revocation.finish(locked)

    def change_password(self, user: User, old_password: str, new_password: str) -> None:
        """Set a new password and end all logins of ``user``, the one that asks too.

        Raises:
            InvalidInput: the new password is not acceptable.
            WrongPassword: the old one is not right.
            TooManyTries: wrong passwords in a row came before, here or at a login.
        """
        verified = user.password_hash
        account = self._check_tries(user)
        requester = (self.source, account.slot)
        if not verify_password(old_password, verified, requester) or verified is None:
            with write(self.session):
                self.tries.count_wrong(account)
            raise WrongPassword
        require_acceptable(new_password)
        password_hash = hash_password(new_password, requester)
        with write(self.session):
            if self.users.lock_unchanged(user, verified) is None:
                raise WrongPassword
            self.tries.count_right(account)
            self.revocation.replace_password(user, password_hash)
        self.revocation.finish(user)

    def sweep(self, *, dry_run: bool) -> tuple[int, int]:
        """Remove spent codes and dead sessions; return how many there are of each.

        Access keys that should have ended with a password do now, and wrong tries that count no
        more go, uncounted.
        """
        if not dry_run:
            self.revocation.keys.end_due()
        with write(self.session):
            self.tries.sweep(dry_run=dry_run)
            codes = self.codes.codes.sweep(dry_run=dry_run)
            return codes, self.logins.sweep(dry_run=dry_run)

    def _requester(self, name: str) -> tuple[str, str]:
        """Return whose hashing it is, for ``Turns``."""
        return self.source, name.lower()

    def _check_tries(self, user: User | None, name: str = "") -> Account:
        """Return whose wrong passwords are counted, unless they have to wait (TooManyTries)."""
        account = self.tries.of(Secret.PASSWORD, user, name)
        self.tries.check(account)
        self.session.commit()  # What follows is hashing, and no connection waits for that.
        return account
