"""What the tests of accounts share: a service for each request, and the mail that it sent."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import TypeVar

from sqlalchemy.orm import Session

from softfactory.errors import SoftFactoryError
from softfactory.services.accounts import Accounts
from softfactory.services.codes import Codes
from softfactory.services.key_ending import KeyEnding
from softfactory.services.logins import Logins
from softfactory.services.mailed_codes import MailedCodes
from softfactory.services.revocation import Revocation
from softfactory.services.tries import Tries
from softfactory.services.users import Users

T = TypeVar("T")

OpenSession = Callable[[], Session]
"""Returns a session of its own for one request, which the test need not close."""

CODE_LIFETIME = timedelta(minutes=15)
LOGIN_LIFETIME = timedelta(days=30)
SECRET = "a secret of the tests, long enough"
PASSWORD = "SecurePass123"
NEW_PASSWORD = "NewSecurePass456"


@dataclass
class ManualClock:
    """A clock that stands still until the test moves it."""

    now: datetime = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, duration: timedelta) -> None:
        self.now += duration


@dataclass
class Outbox:
    """A mailer that keeps what it is given."""

    mails: list[tuple[str, str, str]] = field(default_factory=list)

    def send(self, *, to: str, subject: str, body: str) -> None:
        self.mails.append((to, subject, body))

    @property
    def recipients(self) -> list[str]:
        return [to for to, _, _ in self.mails]

    @property
    def code(self) -> str:
        """The code of the newest mail."""
        return code_in(self.mails[-1][2])


def code_in(body: str) -> str:
    found = re.search(r"\b\d{6}\b", body)
    assert found is not None
    return found[0]


def wrong(code: str) -> str:
    """Return a code of the same shape that is not ``code``."""
    return f"{(int(code) + 1) % 10**6:06d}"


@dataclass
class World:
    """One database that many requests work on, at once if the test wants."""

    open_session: OpenSession
    clock: ManualClock
    outbox: Outbox = field(default_factory=Outbox)
    prefixes: set[str] = field(default_factory=set)
    """Below which storage has something."""

    def accounts(self) -> Accounts:
        """Return the service as a request of its own gets it."""
        session, clock = self.open_session(), self.clock
        tries = Tries(session=session, clock=clock, secret=SECRET)
        codes = Codes(session=session, clock=clock, secret=SECRET, lifetime=CODE_LIFETIME)
        revocation = Revocation(
            codes=MailedCodes(codes=codes, tries=tries, mailer=self.outbox),
            tries=tries,
            logins=Logins(session=session, clock=clock, lifetime=LOGIN_LIFETIME),
            keys=KeyEnding(session, None, self.outbox, clock),
        )
        return Accounts(
            session=session,
            clock=clock,
            users=Users(session=session, clock=clock, holds_anything=self.prefixes.__contains__),
            codes=revocation.codes,
            tries=tries,
            logins=revocation.logins,
            revocation=revocation,
        )

    def register(self, username: str = "johndoe", email: str = "john@example.com") -> str:
        """Register, and return the mailed code."""
        self.accounts().register(username, email, PASSWORD)
        return self.outbox.code

    def confirmed(self, username: str = "johndoe", email: str = "john@example.com") -> None:
        """Make an account that can log in."""
        self.accounts().create_confirmed(username, email, PASSWORD)

    def login(self, username: str = "johndoe", password: str = PASSWORD) -> str:
        """Log in, and return the session's id."""
        return self.accounts().login(username, password).id

    def is_live(self, session_id: str) -> bool:
        return self.accounts().identify(session_id) is not None

    def forgot(self, username: str = "johndoe") -> str:
        """Ask for a reset code, and return it."""
        self.accounts().forgot_password(username)
        return self.outbox.code

    def refuses(self, use_case: Callable[[Accounts], object]) -> bool:
        """Whether ``use_case`` ends in a domain error."""
        try:
            use_case(self.accounts())
        except SoftFactoryError:
            return True
        return False

    def at_once(self, use_cases: list[Callable[[Accounts], T]]) -> list[T | SoftFactoryError]:
        """Run each on a request of its own, all at the same time; return results or errors."""
        start = Barrier(len(use_cases))
        services = [self.accounts() for _ in use_cases]

        def run(use_case: Callable[[Accounts], T], accounts: Accounts) -> T | SoftFactoryError:
            start.wait(timeout=30)
            try:
                return use_case(accounts)
            except SoftFactoryError as error:
                return error

        with ThreadPoolExecutor(len(use_cases)) as pool:
            return list(pool.map(run, use_cases, services))
