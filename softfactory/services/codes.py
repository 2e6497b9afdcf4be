"""Six-digit codes: made, kept as a keyed hash, and tried at most five times."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.models import CodePurpose, MailCode, User

DIGITS = 6
MAX_TRIES = 5
"""In all: the fifth wrong one ends the code (contracts: browser)."""


@dataclass(frozen=True, kw_only=True)
class Codes:
    """The live codes; every method runs in its caller's transaction.

    ``issue`` and ``redeem`` expect the user's row to be locked, or new, in that transaction.
    """

    session: Session
    clock: Clock
    secret: str
    lifetime: timedelta

    def issue(self, user: User, purpose: CodePurpose) -> str:
        """Return a new code for ``user``; the older one for ``purpose`` ends."""
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
        self.end(user, purpose)
        self.session.add(
            MailCode(
                user_id=user.id,
                purpose=purpose.value,
                code_hash=self._hash(user, purpose, code),
                expires_at=self.clock() + self.lifetime,
                tries=0,
            )
        )
        self.session.flush()
        return code

    def redeem(self, user: User, purpose: CodePurpose, code: str) -> bool:
        """Whether ``code`` is the live one, which it then no longer is.

        The try is counted in the statement that reads the hash, before anything is compared: guesses
        in parallel are no more than five either. A wrong one counts once the caller commits.
        """
        hashed = self.session.scalar(
            update(MailCode)
            .where(
                MailCode.user_id == user.id,
                MailCode.purpose == purpose.value,
                MailCode.tries < MAX_TRIES,
                MailCode.expires_at > self.clock(),
            )
            .values(tries=MailCode.tries + 1)
            .returning(MailCode.code_hash)
            .execution_options(synchronize_session=False)
        )
        if hashed is None or not hmac.compare_digest(
            hashed, self._hash(user, purpose, code.strip())
        ):
            return False
        self.end(user, purpose)
        return True

    def end(self, user: User, *purposes: CodePurpose) -> None:
        """Remove the codes of ``user`` for ``purposes``."""
        self.session.execute(
            delete(MailCode)
            .where(MailCode.user_id == user.id, MailCode.purpose.in_(purposes))
            .execution_options(synchronize_session=False)
        )

    def sweep(self, *, dry_run: bool) -> int:
        """Remove the codes that no one can use any more; return how many there are."""
        spent: ColumnElement[bool] = (MailCode.expires_at <= self.clock()) | (
            MailCode.tries >= MAX_TRIES
        )
        count = self.session.scalar(select(func.count()).select_from(MailCode).where(spent)) or 0
        if not dry_run:
            self.session.execute(
                delete(MailCode).where(spent).execution_options(synchronize_session=False)
            )
        return count

    def _hash(self, user: User, purpose: CodePurpose, code: str) -> str:
        """Return HMAC-SHA-256 of the code, good for this user and purpose alone."""
        text = f"mail-code:{purpose.value}:{user.uuid}:{code}"
        return hmac.digest(
            self.secret.encode(), text.encode(errors="surrogatepass"), "sha256"
        ).hex()
