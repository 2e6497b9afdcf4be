"""A login, which every token of it names and whose end is theirs."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from softfactory.models.base import Base


class LoginSession(Base):
    """One login; deleting its row ends its access, id and refresh tokens on every worker."""

    __tablename__ = "login_sessions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """32 random hexadecimal digits; stands in the tokens as ``sid``."""
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    """When the refresh token of this login ends."""
