"""A six-digit code that was mailed to a user."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from softfactory.models.base import Base, Id


class CodePurpose(StrEnum):
    """What a code proves the right to."""

    CONFIRM = "confirm"
    RESET = "reset"


class MailCode(Base):
    """The one live code of a user for a purpose; a newer code takes the older one's row."""

    __tablename__ = "mail_codes"
    __table_args__ = (UniqueConstraint("user_id", "purpose"),)

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(String(16))
    code_hash: Mapped[str] = mapped_column(String(64))
    """HMAC-SHA-256 of the code under the application's secret, hexadecimal."""
    expires_at: Mapped[datetime] = mapped_column(index=True)
    tries: Mapped[int] = mapped_column(default=0)
    """How often it was tried; counted before the code is compared."""
