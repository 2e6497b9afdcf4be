"""Quotas of single users, as the operator sets them."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from softfactory.errors import NotFound
from softfactory.models import User
from softfactory.services.quotas import Quotas
from softfactory.services.storage_use import StorageUse
from softfactory.services.unit_of_work import write
from softfactory.services.users import Users

Choice = int | Literal["none", "default"]
"""Bytes, no limit at all, or what is configured for everybody."""


@dataclass(frozen=True, slots=True)
class UserQuotas:
    """The operator's use cases; a lower quota refuses what is to come, and nothing that is there."""

    session: Session
    users: Users
    quotas: Quotas

    def find(self, name: str) -> User:
        """Return the user of this name or address, in any case, the built-in account too.

        Raises:
            NotFound: there is none.
        """
        user = self.users.find_any(name)
        if user is None:
            raise NotFound(f"There is no user {name}.")
        return user

    def set(self, user: User, choice: Choice) -> None:
        """Give the user a quota."""
        user_id = user.id
        with write(self.session):
            connection = self.session.connection()
            self.quotas.forget_own(connection, user_id)
            if choice != "default":
                quota = None if choice == "none" else choice
                self.quotas.set_own(connection, user_id, quota)

    def use(self, user: User) -> StorageUse:
        """Return what the user holds, and may."""
        return self.quotas.use(self.session.connection(), user.id)
