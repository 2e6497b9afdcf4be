"""Look-ups by key cost what they return: SQLite finds them in the index that is made for them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import create_engine, event, select
from sqlalchemy.orm import Session

from softfactory.models import Base, FileUpload
from softfactory.services.access import expired_keys, holds_its_key
from softfactory.services.newest import count_files
from tests.stacks import one_stack

NOW = datetime(2026, 5, 1, tzinfo=UTC)
KEYS = [f"alice/{number}" for number in range(50)]

pytestmark = one_stack


@pytest.fixture
def session() -> Iterator[Session]:
    """A session on an empty SQLite database, whose planner knows nothing of its rows."""
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


@pytest.fixture
def plans(session: Session) -> list[str]:
    """How SQLite finds the rows of each statement that was run; filled as they run."""
    found: list[str] = []

    @event.listens_for(session.get_bind(), "after_cursor_execute")
    def explain(_connection: Any, cursor: Any, statement: str, values: Any, *_: Any) -> None:
        explained = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        found.extend(detail for *_, detail in explained if "file_uploads" in detail)

    return found


def test_expired_files_are_looked_up_by_their_keys(session: Session, plans: list[str]) -> None:
    expired_keys(session, KEYS, now=NOW)

    assert plans == [
        "SEARCH file_uploads USING INDEX ix_file_uploads_expiring (file_key=? AND expires_at<?)"
    ]


@pytest.mark.parametrize("count", [1, 50])
def test_who_holds_keys_is_looked_up_by_them(
    session: Session, plans: list[str], count: int
) -> None:
    session.scalars(
        select(FileUpload).where(FileUpload.file_key.in_(KEYS[:count]), holds_its_key())
    )

    assert plans == ["SEARCH file_uploads USING INDEX uq_file_uploads_living_file_key (file_key=?)"]


def test_a_count_looks_only_at_what_has_expired(session: Session, plans: list[str]) -> None:
    count_files(session, 1, now=NOW)

    (plan,) = plans
    assert plan.startswith("SEARCH file_uploads USING COVERING INDEX ix_file_uploads_expiry")
    assert plan.endswith("(user_id=? AND status=? AND expires_at<?)")
