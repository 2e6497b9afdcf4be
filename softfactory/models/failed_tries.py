"""Wrong passwords and codes in a row, which make an account wait for its next try."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from softfactory.models.base import Base


class FailedTries(Base):
    """The wrong tries of one account since its last right one; no row: none.

    Names that nobody has get rows too, or their absence would say so; those share a fixed number
    of rows, so that guessing names fills no disk.
    """

    __tablename__ = "failed_tries"

    slot: Mapped[str] = mapped_column(String(48), primary_key=True)
    """What was tried, and whose: ``password:user:<id>`` or ``password:name:<slot>``."""
    holder: Mapped[str] = mapped_column(String(64))
    """Which of the names that share the slot has it: its keyed hash; empty for a user's own."""
    count: Mapped[int]
    blocked_until: Mapped[datetime]
    """Until when no try is looked at."""
    forgotten_at: Mapped[datetime] = mapped_column(index=True)
    """When the row counts no more."""
