"""Ending the access keys that a password stood for, also where IAM fails at that moment."""

from dataclasses import dataclass

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import SoftFactoryError
from softfactory.models import User
from softfactory.services.credentials import Credentials
from softfactory.services.mail import Mail, Mailer
from softfactory.services.unit_of_work import write

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KeyEnding:
    """Deactivates access keys in two steps: noted with what ends them, done after its commit.

    What fails, or a crash prevents, is done by the next cleanup.

    Attributes:
        credentials: None where no access keys are issued.
    """

    session: Session
    credentials: Credentials | None
    mailer: Mailer
    clock: Clock

    def note(self, user: User) -> None:
        """Add to the caller's transaction that the keys ``user`` has now are to end."""
        if self.credentials is not None:
            user.keys_end_due = self.clock()

    def end(self, user: User) -> bool:
        """Deactivate the keys that were noted, and mail the user if there were any; never raises.

        Whom the operator let in no more is not told that a password was changed.

        Returns:
            Whether nothing is left to be done.
        """
        made_until, user_id = user.keys_end_due, user.id
        if self.credentials is None or made_until is None:
            return True
        self.session.commit()  # no connection waits for IAM
        try:
            ended = self.credentials.end_all(user, made_until=made_until)
        except SoftFactoryError as error:
            log.warning("accounts.access_keys_not_ended", user_id=user_id, exc_info=error)
            return False
        with write(self.session):
            # Unless they were noted again meanwhile.
            done = update(User).where(User.id == user_id, User.keys_end_due == made_until)
            self.session.execute(done.values(keys_end_due=None))
        if ended and user.disabled_at is None and user.deleted_at is None:
            mail = Mail.access_keys_ended(username=user.username, count=ended)
            self.mailer.send(to=user.email, subject=mail.subject, body=mail.body)
        return True

    def end_due(self) -> None:
        """End the keys of every user for whom that is still to be done."""
        due = select(User.id).where(User.keys_end_due.is_not(None))
        for user_id in self.session.scalars(due).all():
            user = self.session.get(User, user_id)
            if user is not None:  # removed meanwhile
                self.end(user)
