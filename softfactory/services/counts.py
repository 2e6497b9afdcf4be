"""How many files a user's list has, without counting them."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from softfactory.models import FileCount, FileUpload
from softfactory.services.access import has_expired


def count_files(
    session: Session, user_id: int, *, now: datetime, category: str | None = None
) -> int:
    """Return how many living files the user has, of one category or of all.

    Costs the few rows of the counts, and one per expired file that cleanup has not met yet.
    """
    counted = select(func.sum(FileCount.files)).where(FileCount.user_id == user_id)
    expired = select(func.count()).where(FileUpload.user_id == user_id, has_expired(now))
    if category is not None:
        counted = counted.where(FileCount.category == category)
        expired = expired.where(FileUpload.category == category)
    completed, gone = session.execute(
        select(counted.scalar_subquery(), expired.scalar_subquery())
    ).one()
    return int(completed or 0) - int(gone)
