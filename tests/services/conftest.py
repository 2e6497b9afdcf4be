"""Databases for services: each test runs on SQLite, and on PostgreSQL where one is given."""

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from softfactory.models import Base
from softfactory.services.unit_of_work import configure_sqlite
from tests.services.accounts_world import ManualClock, OpenSession, World

POSTGRESQL = "TEST_DATABASE_URL"
"""The variable that names a PostgreSQL database, in which each test makes a schema of its own."""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param(
            "postgresql",
            marks=pytest.mark.skipif(POSTGRESQL not in os.environ, reason=f"{POSTGRESQL} not set"),
        ),
    ]
)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine on an empty database with every table."""
    if request.param == "sqlite":
        engine = create_engine(f"sqlite:///{tmp_path / 'test.db'}")
        configure_sqlite(engine)
        Base.metadata.create_all(engine)
        yield engine
        engine.dispose()
        return
    url = os.environ[POSTGRESQL].replace("postgresql://", "postgresql+psycopg://")
    schema = f"test_{secrets.token_hex(8)}"
    engine = create_engine(url, pool_size=32, connect_args={"options": f"-csearch_path={schema}"})
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    Base.metadata.create_all(engine)
    yield engine
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


@pytest.fixture
def open_session(engine: Engine) -> Iterator[OpenSession]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Session(engine, expire_on_commit=False))


@pytest.fixture
def world(open_session: OpenSession, clock: ManualClock) -> World:
    return World(open_session, clock)
