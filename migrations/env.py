"""How Alembic meets this application: its engine, its metadata, and SQLite's batch mode."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import context
from flask import current_app
from sqlalchemy import Connection

from softfactory.models import Base

migrate = current_app.extensions["migrate"]


def run_migrations() -> None:
    """Upgrade or downgrade the application's database, all in one transaction."""
    with migrate.db.engine.connect() as connection, references_unchecked(connection):
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            # Alembic does not expect it of SQLite, but SQLite rolls DDL back as well as data.
            transactional_ddl=True,
            **migrate.configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()


@contextmanager
def references_unchecked(connection: Connection) -> Iterator[None]:
    """Let SQLite replace a table without deleting the rows that refer to it.

    Batch mode copies a table and drops the old one, and a checked drop cascades. SQLite takes the
    pragma outside of transactions only (sqlite.org, "Making Other Kinds Of Table Schema Changes").
    """
    driver = connection.connection.dbapi_connection
    if connection.dialect.name != "sqlite" or driver is None:
        yield
        return
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


def write_script() -> None:
    """Print the SQL instead of running it (``flask db upgrade --sql``)."""
    context.configure(
        url=migrate.db.engine.url.render_as_string(hide_password=False),
        target_metadata=Base.metadata,
        literal_binds=True,
        **migrate.configure_args,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    write_script()
else:
    run_migrations()
