"""Codes by mail, for whoever names an account: sent and tried without saying who exists."""

from dataclasses import dataclass

from softfactory.models import CodePurpose, User
from softfactory.services.codes import Codes
from softfactory.services.mail import Mail, Mailer
from softfactory.services.tries import Secret, Tries


@dataclass(frozen=True, kw_only=True)
class MailedCodes:
    """What ``Codes`` keeps, within the limits of an account; in its caller's transaction.

    A user is None where nobody has the name: that takes the same statements, and as long.
    """

    codes: Codes
    tries: Tries
    mailer: Mailer

    def issue(self, user: User | None, name: str, purpose: CodePurpose) -> str | None:
        """Return a new code, or None where nobody is to be sent one, which is never told."""
        if self.codes.may_send(user) and user is not None:
            return self.codes.issue(user, purpose)
        # Two rows are written here for the two that a code has.
        self.codes.end(None, purpose)
        number = hash(name)
        self.tries.touch(number)
        self.tries.touch(number + 1)
        return None

    def is_right(self, user: User | None, name: str, purpose: CodePurpose, code: str) -> bool:
        """Whether ``code`` is the live one; a wrong one counts once the caller commits.

        Raises:
            TooManyTries: the account waits for its next try; the code is not looked at.
        """
        account = self.tries.of(Secret.CODE, user, name)
        self.tries.check(account)
        if self.codes.is_right(user, purpose, code):
            return True
        self.tries.count_wrong(account)
        return False

    def redeemed(self, user: User, *purposes: CodePurpose) -> None:
        """End the codes of ``user`` for ``purposes``, and the row of wrong tries."""
        self.codes.end(user, *purposes)
        self.tries.forget(self.tries.of(Secret.CODE, user))

    def send(self, user: User, purpose: CodePurpose, code: str) -> None:
        """Mail ``code``; called after the commit, so that what is mailed is what is kept."""
        text = Mail.confirmation if purpose is CodePurpose.CONFIRM else Mail.password_reset
        mail = text(username=user.username, code=code, lifetime=self.codes.lifetime)
        self.mailer.send(to=user.email, subject=mail.subject, body=mail.body)
