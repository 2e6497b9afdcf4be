"""Six-digit codes: made, kept as a keyed hash, tried at most five times, and so many an hour."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.models import CodePurpose, MailCode, SentCode, User

DIGITS = 6
MAX_TRIES = 5
"""In all: the fifth wrong one ends the code (docs/api/accounts.md, Codes)."""

MAX_SENT, SENT_WITHIN = 5, timedelta(hours=1)
"""Codes that an account is sent (docs/api/accounts.md, Codes)."""

NOBODY = 0
"""No user's id: what is asked for a name that nobody has takes as long as for one."""

_BULK = {"synchronize_session": False}


@dataclass(frozen=True, kw_only=True)
class Codes:
    """The live codes; every method runs in its caller's transaction.

    The user's row has to be locked, or new, in that transaction.
    """

    session: Session
    clock: Clock
    secret: str
    lifetime: timedelta

    def may_send(self, user: User | None) -> bool:
        """Whether the user may be sent another code within the hour; nobody may not."""
        sent = self.session.scalar(
            select(func.count())
            .select_from(SentCode)
            .where(SentCode.user_id == _id(user), SentCode.sent_at > self._hour_began)
        )
        return user is not None and (sent or 0) < MAX_SENT

    def issue(self, user: User, purpose: CodePurpose) -> str:
        """Return a new code for ``user``, counted as sent; the older one for ``purpose`` ends."""
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
        now = self.clock()
        self.end(user, purpose)
        self.session.execute(insert(SentCode).values(user_id=user.id, sent_at=now))
        self.session.execute(
            insert(MailCode).values(
                user_id=user.id,
                purpose=purpose.value,
                code_hash=self._hash(user, purpose, code),
                expires_at=now + self.lifetime,
                tries=0,
            )
        )
        return code

    def is_right(self, user: User | None, purpose: CodePurpose, code: str) -> bool:
        """Whether ``code`` is the live one of ``user``; nobody has one.

        The try is counted by the statement that reads the hash, before anything is compared, and
        taken back where it was right. A wrong one counts once the caller commits.
        """
        mine = MailCode.user_id == _id(user), MailCode.purpose == purpose.value
        is_live = MailCode.tries < MAX_TRIES, MailCode.expires_at > self.clock()
        counting = update(MailCode).where(*mine, *is_live).values(tries=MailCode.tries + 1)
        kept = self.session.scalar(
            counting.returning(MailCode.code_hash).execution_options(**_BULK)
        )
        if not hmac.compare_digest(kept or "", self._hash(user, purpose, code.strip())):
            return False
        taking_back = update(MailCode).where(*mine).values(tries=MailCode.tries - 1)
        self.session.execute(taking_back.execution_options(**_BULK))
        return True

    def spend(self, user: User, purpose: CodePurpose, code: str) -> bool:
        """End the live code of ``user`` if it still is ``code``, which was right before."""
        spent = self.session.scalar(
            delete(MailCode)
            .where(
                MailCode.user_id == user.id,
                MailCode.purpose == purpose.value,
                MailCode.code_hash == self._hash(user, purpose, code.strip()),
            )
            .returning(MailCode.id)
            .execution_options(**_BULK)
        )
        return spent is not None

    def end(self, user: User | None, *purposes: CodePurpose) -> None:
        """Remove the codes of ``user`` for ``purposes``."""
        self.session.execute(
            delete(MailCode)
            .where(MailCode.user_id == _id(user), MailCode.purpose.in_(purposes))
            .execution_options(**_BULK)
        )

    def sweep(self, *, dry_run: bool) -> int:
        """Remove the codes that no one can use any more; return how many there are."""
        spent: ColumnElement[bool] = (MailCode.expires_at <= self.clock()) | (
            MailCode.tries >= MAX_TRIES
        )
        count = self.session.scalar(select(func.count()).select_from(MailCode).where(spent)) or 0
        if not dry_run:
            counted = delete(SentCode).where(SentCode.sent_at <= self._hour_began)
            for statement in (delete(MailCode).where(spent), counted):
                self.session.execute(statement.execution_options(**_BULK))
        return count

    @property
    def _hour_began(self) -> datetime:
        return self.clock() - SENT_WITHIN

    def _hash(self, user: User | None, purpose: CodePurpose, code: str) -> str:
        """Return HMAC-SHA-256 of the code, good for this user and purpose alone."""
        text = f"mail-code:{purpose.value}:{user.uuid if user else ''}:{code}"
        return hmac.digest(
            self.secret.encode(), text.encode(errors="surrogatepass"), "sha256"
        ).hex()


def _id(user: User | None) -> int:
    return user.id if user else NOBODY
