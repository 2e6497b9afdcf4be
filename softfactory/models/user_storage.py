"""How much of storage a user holds, and how much they may."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from softfactory.models.base import Base


class UserStorage(Base):
    """The bytes of one user's files and open uploads.

    Triggers of the database keep it (docs/decisions/0012); only ``files reconcile`` writes here too.
    """

    __tablename__ = "user_storage"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    used: Mapped[int]
    """Bytes of completed files, whether they have expired or not."""
    reserved: Mapped[int]
    """Bytes that open uploads were promised."""
    open_uploads: Mapped[int]


class UserQuota(Base):
    """One user's own quota; whoever has no row has the configured one."""

    __tablename__ = "user_quotas"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    quota: Mapped[int | None]
    """Bytes; None where the user has no limit."""
