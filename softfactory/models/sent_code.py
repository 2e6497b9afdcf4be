"""When codes were mailed to a user, of which there are so many an hour."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from softfactory.models.base import Base, Id


class SentCode(Base):
    """One mailed code; the row outlives the code, and goes when the hour is over."""

    __tablename__ = "sent_codes"
    __table_args__ = (Index(None, "user_id", "sent_at"),)

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    sent_at: Mapped[datetime] = mapped_column(index=True)
