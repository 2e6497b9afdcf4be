"""Migrations: they make what the models describe, can be taken back, and keep what is there."""

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import (
    Connection,
    MetaData,
    Table,
    create_engine,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import make_url

from config import Config
from softfactory.factory import create_app
from softfactory.http.extensions import db
from softfactory.models import Base
from tests.conftest import POSTGRESQL, needs_postgresql

REBUILD = """
import sqlalchemy as sa
from alembic import op

revision = "rebuild"
down_revision = "{head}"


def upgrade():
    with op.batch_alter_table("users", recreate="auto") as users:
        users.add_column(sa.Column("nickname", sa.String(64)))
        users.alter_column("username", type_=sa.String(80), existing_nullable=False)


def downgrade():
    with op.batch_alter_table("users") as users:
        users.drop_column("nickname")
        users.alter_column("username", type_=sa.String(64), existing_nullable=False)
"""
"""A migration as there will be one: it changes a column, which SQLite does by a new table."""

BROKEN = """
import sqlalchemy as sa
from alembic import op

revision = "broken"
down_revision = "{head}"


def upgrade():
    op.create_table("half", sa.Column("id", sa.Integer()))
    op.execute("DELETE FROM users")
    raise RuntimeError("half-way")


def downgrade():
    raise NotImplementedError
"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgresql)])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path, worker_id: str) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    name = f"softfactory_migrations_{worker_id}_{os.getpid()}"
    url = make_url(POSTGRESQL).set(drivername="postgresql+psycopg")
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    yield url.set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    server.dispose()


@pytest.fixture
def app(empty_database: str, tmp_path: Path) -> Iterator[Flask]:
    """An application on the empty database, in its context, as ``flask db`` has it."""
    app = create_app(
        Config(app_env="testing", database_url=empty_database, media_root=tmp_path / "media")
    )
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def with_migration(app: Flask, tmp_path: Path) -> Callable[[str], AlembicConfig]:
    """A function that puts one more migration behind the newest."""

    def with_migration(source: str) -> AlembicConfig:
        config: AlembicConfig = app.extensions["migrate"].migrate.get_config()
        head = ScriptDirectory.from_config(config).get_current_head()
        (tmp_path / "versions").mkdir()
        (tmp_path / "versions" / "next.py").write_text(source.format(head=head))
        own = Path(str(config.get_main_option("script_location"))) / "versions"
        config.set_main_option("path_separator", "os")
        config.set_main_option("version_locations", f"{own}{os.pathsep}{tmp_path / 'versions'}")
        return config

    return with_migration


def tables() -> dict[str, Table]:
    """Return the tables that are there now, those that others refer to first."""
    metadata = MetaData()
    metadata.reflect(db.engine)
    return {t.name: t for t in metadata.sorted_tables if t.name != "alembic_version"}


def fill() -> None:
    """Put one row into each table that has none."""
    values: dict[type, Any] = {int: 1, str: "a", bool: True, datetime: datetime(2026, 1, 1)}  # noqa: DTZ001  # SQLite's type takes no zone
    with db.engine.begin() as connection:
        for table in tables().values():
            if not connection.scalar(select(func.count()).select_from(table)):
                row = {column.name: values[column.type.python_type] for column in table.columns}
                connection.execute(insert(table).values(row))


def add_files(*files: tuple[str, int]) -> None:
    """Put one user's files into the tables as they are now, by status and size."""
    now = datetime(2026, 1, 1)  # noqa: DTZ001  # SQLite's type takes no zone
    user = {
        "id": 1, "uuid": "u", "username": "a", "username_folded": "a", "email": "e",
        "email_folded": "e", "is_admin": False, "created_at": now, "files_generation": 0,
    }  # fmt: skip
    found = tables()
    with db.engine.begin() as connection:
        connection.execute(insert(found["users"]).values(user))
        for number, (status, size) in enumerate(files):
            row = {
                "object_id": str(number), "user_id": 1, "file_key": str(number), "file_size": size,
                "original_filename": "a", "content_type": "a/b", "category": "other",
                "storage_tier": "STANDARD", "status": status, "uploaded_at": now,
                "last_activity_at": now,
            }  # fmt: skip
            connection.execute(insert(found["file_uploads"]).values(row))


def counts() -> dict[str, int]:
    """Return how many rows each table has."""
    with db.engine.connect() as connection:
        return {
            name: connection.scalar(select(func.count()).select_from(table)) or 0
            for name, table in tables().items()
        }


def schema(connection: Connection) -> dict[str, Any]:
    """Return all that the database itself says of its tables, in an order of its own."""
    found: dict[str, Any] = {}
    inspector = inspect(connection)
    for table in inspector.get_table_names():
        if table == "alembic_version":
            continue
        columns = inspector.get_columns(table)
        found[table] = {
            "columns": {c["name"]: (repr(c["type"]), c["nullable"], c["default"]) for c in columns},
            "key": inspector.get_pk_constraint(table),
            "references": sorted(map(repr, inspector.get_foreign_keys(table))),
            "unique": sorted(map(repr, inspector.get_unique_constraints(table))),
            "checks": sorted(map(repr, inspector.get_check_constraints(table))),
            "indexes": index_definitions(connection, table),
        }
    return found


def index_definitions(connection: Connection, table: str) -> list[str]:
    """Return the statements that would make the indexes, with what comes behind WHERE."""
    query = {
        "sqlite": "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :t AND sql <> ''",
        "postgresql": "SELECT indexdef FROM pg_indexes WHERE tablename = :t",
    }[connection.dialect.name]
    found = connection.scalars(text(query), {"t": table})
    return sorted(re.sub(r"\s+", " ", definition) for definition in found)


def test_the_migrations_make_what_the_models_describe(app: Flask) -> None:
    upgrade()

    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_database_can_not_tell_the_migrations_from_the_models(app: Flask) -> None:
    upgrade()
    with db.engine.begin() as connection:
        migrated = schema(connection)
    downgrade(revision="base")

    Base.metadata.create_all(db.engine)

    with db.engine.begin() as connection:
        assert schema(connection) == migrated


def test_the_way_back_leaves_no_table_and_can_be_gone_again(app: Flask) -> None:
    upgrade()
    whole = set(tables())
    downgrade(revision="base")

    left = set(tables())
    upgrade()

    assert (left, set(tables())) == (set(), whole)


def test_each_migration_there_and_back_keeps_the_rows_that_are_there(app: Flask) -> None:
    script = ScriptDirectory.from_config(app.extensions["migrate"].migrate.get_config())
    revisions = [revision.revision for revision in script.walk_revisions()][::-1]
    lost = {}

    for revision in revisions:
        upgrade(revision=revision)
        fill()
        lost[revision] = [name for name, count in counts().items() if count != 1]
    for revision in revisions[-2::-1]:
        downgrade(revision=revision)
        lost[f"back to {revision}"] = [name for name, count in counts().items() if count != 1]
    downgrade(revision="base")

    assert not any(lost.values()), lost
    assert tables() == {}


def test_a_migration_that_rebuilds_a_table_keeps_the_rows_that_refer_to_it(
    app: Flask, with_migration: Callable[[str], AlembicConfig]
) -> None:
    upgrade()
    fill()
    before = counts()
    config = with_migration(REBUILD)

    command.upgrade(config, "head")
    after = counts()
    command.downgrade(config, "-1")

    assert (after, counts()) == (before, before)


def test_references_are_checked_again_after_a_migration(app: Flask) -> None:
    upgrade()

    with db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            assert connection.scalar(text("PRAGMA foreign_keys")) == 1


def test_a_migration_that_fails_changes_nothing(
    app: Flask, with_migration: Callable[[str], AlembicConfig]
) -> None:
    upgrade()
    fill()
    before = counts()

    with pytest.raises(RuntimeError, match="half-way"):
        command.upgrade(with_migration(BROKEN), "head")

    assert counts() == before


def test_every_time_comes_back_in_utc_from_a_migrated_database(app: Flask) -> None:
    upgrade()
    sent = datetime(2026, 2, 26, 14, 30, 22, 123456, tzinfo=UTC)
    users = Base.metadata.tables["users"]
    row = {
        "uuid": "u", "username": "a", "username_folded": "a", "email": "e", "email_folded": "e",
        "is_admin": False, "created_at": sent,
    }  # fmt: skip

    with db.engine.begin() as connection:
        connection.execute(insert(users).values(row))
        found = connection.scalar(select(users.c.created_at))

    assert found == sent
    assert found is not None
    assert found.tzinfo is UTC


def test_what_users_hold_is_summed_up_when_the_counts_are_made(app: Flask) -> None:
    upgrade(revision="0005")
    add_files(("completed", 10), ("completed", 5), ("pending", 3), ("uploading", 2), ("failed", 9))

    upgrade()
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE file_uploads SET status = 'completed' WHERE file_size = 3"))
    with db.engine.connect() as connection:
        held = connection.execute(
            text("SELECT used, reserved, open_uploads FROM user_storage WHERE user_id = 1")
        ).one()

    assert tuple(held) == (18, 2, 1)


@needs_postgresql
@pytest.mark.parametrize("empty_database", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("before", "after", "counted"),
    [("0003", "0004", "files FROM file_counts"), ("0006", "0007", "used FROM user_storage")],
)
def test_what_is_completed_while_the_counts_are_made_is_counted(
    app: Flask, before: str, after: str, counted: str
) -> None:
    upgrade(revision=before)
    add_files(("pending", 1))

    def migrate() -> None:
        with app.app_context():
            upgrade(revision=after)

    migration = threading.Thread(target=migrate)
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE file_uploads SET status = 'completed'"))
        migration.start()
        wait_for_a_lock()
    migration.join(30)
    with db.engine.connect() as connection:
        found = connection.scalar(text(f"SELECT {counted}"))

    assert found == 1


def wait_for_a_lock() -> None:
    """Return once somebody waits for a lock of this database."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        with db.engine.connect() as connection:
            if connection.scalar(waiting):
                return
        time.sleep(0.02)
    raise AssertionError("nobody waits")
