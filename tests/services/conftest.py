"""Databases for services: each test runs on SQLite, and on PostgreSQL where one is given."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from softfactory.services.unit_of_work import configure_sqlite
from tests.services.accounts_world import ManualClock, OpenSession, World


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on an empty database with every table."""
    engine = create_engine(database_url, pool_size=32)
    configure_sqlite(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def open_session(engine: Engine) -> Iterator[OpenSession]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Session(engine, expire_on_commit=False))


@pytest.fixture
def world(open_session: OpenSession, clock: ManualClock) -> World:
    return World(open_session, clock)
