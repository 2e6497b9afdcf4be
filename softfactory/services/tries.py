"""Wrong passwords and codes in a row: from a point on, an account waits between its tries."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import ColumnElement, Insert, and_, case, delete, func, not_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import TooManyTries
from softfactory.models import FailedTries, User
from softfactory.services.names import folded


class Secret(StrEnum):
    """What is tried; each is counted by itself, so that a forgotten password can be reset."""

    PASSWORD = "password"  # noqa: S105  # no password, its name
    CODE = "code"


FIRST_WAITING = {Secret.PASSWORD: 5, Secret.CODE: 6}
"""The wrong try in a row after which the account waits (docs/api/accounts.md, Wrong passwords and
codes). A code ends with its fifth wrong try, and the next try is still told that the code is wrong."""

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
"""NIST SP 800-63B section 5.2.2: "30 seconds up to an hour"; each wait is twice the one before."""

FORGOTTEN_AFTER = timedelta(days=1)
"""A row of wrong tries ends with a right one, or with a day without any."""

SLOTS = 1 << 16
"""For the names that nobody has, of each secret: some 10 MB, however many names are guessed. Where
two names share a slot the later one takes it; which ones do is known to the secret's owner alone."""


class Account(NamedTuple):
    """Whose tries are counted: a user by any of their names, or a name that nobody has."""

    slot: str
    holder: str


@dataclass(frozen=True, kw_only=True)
class Tries:
    """The wrong tries of all accounts, kept by the database for all workers.

    Every method runs in its caller's transaction.
    """

    session: Session
    clock: Clock
    secret: str

    def of(self, kind: Secret, user: User | None, name: str = "") -> Account:
        """Return whose tries for ``kind`` are counted, for a user or for who is called ``name``."""
        if user is not None:
            return Account(f"{kind.value}:user:{user.id}", "")
        text = f"failed-tries:{folded(name) or name.lower()}".encode(errors="surrogatepass")
        holder = hmac.digest(self.secret.encode(), text, "sha256")
        number = int.from_bytes(holder[:8]) % SLOTS
        return Account(f"{kind.value}:name:{number}", holder.hex())

    def check(self, account: Account) -> None:
        """Refuse a try that comes too early; for what costs much to look at.

        Raises:
            TooManyTries: the account waits.
        """
        waits = (*_is(account), FailedTries.blocked_until > self.clock())
        until = self.session.scalar(select(FailedTries.blocked_until).where(*waits))
        if until is not None:
            self._refuse(account, until)

    def count_wrong(self, account: Account) -> None:
        """Count a wrong try; of tries at once, no more are counted than may be looked at.

        Raises:
            TooManyTries: others at the same time have made the account wait: it was not looked at.
        """
        count = self.session.scalar(self._counting(account))
        if count is None:
            self.check(account)
            return
        doublings = count - FIRST_WAITING[_kind(account)]
        if doublings >= 0:
            # Beyond the 32nd doubling the power alone would overflow.
            wait = min(FIRST_WAIT * 2 ** min(doublings, 32), LONGEST_WAIT)
            self.session.execute(
                update(FailedTries)
                .where(FailedTries.slot == account.slot)
                .values(blocked_until=self.clock() + wait)
                .execution_options(synchronize_session=False)
            )

    def count_right(self, account: Account) -> None:
        """End the row of wrong tries.

        Raises:
            TooManyTries: others at the same time have made the account wait: it was not looked at.
        """
        # One statement and no lock where there is no row, which is nearly always.
        query = select(FailedTries.blocked_until).where(*_is(account)).with_for_update()
        until = self.session.scalar(query)
        if until is None:
            return
        if until > self.clock():
            self._refuse(account, until)
        self.forget(account)

    def forget(self, account: Account) -> None:
        """End the row of wrong tries, and the wait too."""
        self.session.execute(
            delete(FailedTries).where(*_is(account)).execution_options(synchronize_session=False)
        )

    def touch(self, number: int) -> None:
        """Write a row that counts for nobody, so that it takes as long as to write one that does.

        Args:
            number: of the row, of which there are ``SLOTS``.
        """
        now = self.clock()
        account = Account(f"nobody:{number % SLOTS}", "")
        values = {"holder": "", "count": 0, "blocked_until": now, "forgotten_at": now}
        changes = values | {"count": FailedTries.count + 1}
        self.session.execute(self._upsert(account, values, changes, None))

    def sweep(self, *, dry_run: bool) -> int:
        """Remove the rows that count no more; return how many there are."""
        dead = FailedTries.forgotten_at <= self.clock()
        count = self.session.scalar(select(func.count()).select_from(FailedTries).where(dead)) or 0
        if not dry_run:
            self.session.execute(
                delete(FailedTries).where(dead).execution_options(synchronize_session=False)
            )
        return count

    def _counting(self, account: Account) -> Insert:
        """Return the statement that counts one more and gives the sum; no row where it waits."""
        now = self.clock()
        kept = and_(FailedTries.holder == account.holder, FailedTries.forgotten_at > now)
        values = {
            "holder": account.holder,
            "count": 1,
            "blocked_until": now,
            "forgotten_at": now + FORGOTTEN_AFTER,
        }
        changes = values | {"count": case((kept, FailedTries.count + 1), else_=1)}
        waits = and_(FailedTries.holder == account.holder, FailedTries.blocked_until > now)
        return self._upsert(account, values, changes, not_(waits))

    def _upsert(
        self,
        account: Account,
        values: Mapping[str, object],
        changes: Mapping[str, object],
        where: ColumnElement[bool] | None,
    ) -> Insert:
        is_sqlite = self.session.get_bind().dialect.name == "sqlite"
        insert = sqlite.insert if is_sqlite else postgresql.insert
        statement = insert(FailedTries).values(slot=account.slot, **values)
        return statement.on_conflict_do_update(
            index_elements=["slot"], set_=dict(changes), where=where
        ).returning(FailedTries.count)

    def _refuse(self, account: Account, until: datetime) -> None:
        raise TooManyTries.of(_kind(account).value, until - self.clock())


def _is(account: Account) -> tuple[ColumnElement[bool], ...]:
    return FailedTries.slot == account.slot, FailedTries.holder == account.holder


def _kind(account: Account) -> Secret:
    return Secret(account.slot.partition(":")[0])
