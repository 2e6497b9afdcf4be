"""The account that owns files."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from softfactory.models.base import Base, Id
from softfactory.storage.keys import Roots


class User(Base):
    """One account; its three names (uuid, id, username) give its three roots."""

    __tablename__ = "users"
    # A deleted user's id, and with it their uploads root, goes to nobody else.
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[Id]
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    username: Mapped[str] = mapped_column(String(64))
    """As it was registered."""
    username_folded: Mapped[str] = mapped_column(String(64), unique=True)
    """In lower case: usernames are unique without regard to case."""
    email: Mapped[str] = mapped_column(String(320))
    email_folded: Mapped[str] = mapped_column(String(320), unique=True)
    """In lower case: addresses are unique in any case."""
    password_hash: Mapped[str | None] = mapped_column(String(255))
    """argon2id; None for an account that cannot log in."""
    is_admin: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    """When the address was confirmed; None until then."""
    disabled_at: Mapped[datetime | None]
    """Since when the user is let in no more; None where they are."""
    deleted_at: Mapped[datetime | None]
    """When the account was deleted; the row stays, so that nobody else gets its names."""
    purged_at: Mapped[datetime | None]
    """When nothing was left of a deleted account's objects, and nothing more could come."""
    files_generation: Mapped[int] = mapped_column(default=0, server_default="0")
    """Raised by every change of the user's files, so that what was cached before counts no more."""
    keys_end_due: Mapped[datetime | None]
    """Access keys made until then are to be deactivated, which IAM has not confirmed yet."""

    @property
    def roots(self) -> Roots:
        """The three prefixes that this user owns."""
        return Roots.of(uuid=self.uuid, user_id=self.id, username=self.username)
