"""Ending what a password stood for: logins, codes, waits and access keys."""

from dataclasses import dataclass

from softfactory.models import CodePurpose, User
from softfactory.services.key_ending import KeyEnding
from softfactory.services.logins import Logins
from softfactory.services.mailed_codes import MailedCodes
from softfactory.services.tries import Secret, Tries


@dataclass(frozen=True, kw_only=True)
class Revocation:
    """Revokes in two steps: in the transaction of what revokes, and after its commit.

    That transaction has locked the user's row.
    """

    codes: MailedCodes
    tries: Tries
    logins: Logins
    keys: KeyEnding

    def replace_password(self, user: User, password_hash: str) -> None:
        """Replace the password, and revoke all that the older one, or a code, still allowed."""
        user.password_hash = password_hash
        self.revoke(user)

    def revoke(self, user: User) -> None:
        """End every login and code of ``user``, and the waits; note that the access keys end."""
        self.codes.redeemed(user, *CodePurpose)
        self.tries.forget(self.tries.of(Secret.PASSWORD, user))
        self.logins.end_all(user)
        self.keys.note(user)

    def finish(self, user: User) -> None:
        """End the access keys that were noted; where IAM fails, the next cleanup does."""
        self.keys.end(user)
