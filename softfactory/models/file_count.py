"""How many completed files a user has."""

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from softfactory.models.base import Base


class FileCount(Base):
    """The completed files of one user in one category, whether they have expired or not.

    Triggers of the database keep it (docs/decisions/0010); nothing else writes here.
    """

    __tablename__ = "file_counts"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    category: Mapped[str] = mapped_column(String(16), primary_key=True)
    files: Mapped[int]
