"""How a use case writes: one transaction, which takes its place in the queue at its start."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

_IMMEDIATE = "sqlite_immediate"
_PATIENCE = 30
"""Seconds that a writer waits for the others."""
_writers = RLock()


@contextmanager
def write(session: Session) -> Iterator[None]:
    """Run the block in one write transaction: committed at its end, rolled back if it raises.

    Objects loaded before are refreshed when the block touches them, so no decision rests on what
    was true earlier; lock rows that others may change too (``with_for_update``). On SQLite the
    transaction begins IMMEDIATE: a transaction that reads first and writes later would fail when
    another one wrote in between, whatever the busy timeout (sqlite.org, "Isolation in SQLite").
    """
    session.commit()
    session.expire_all()
    with _turn(session):
        session.connection(execution_options={_IMMEDIATE: True})
        try:
            yield
            session.commit()
        except BaseException:
            session.rollback()
            raise


@contextmanager
def _turn(session: Session) -> Iterator[None]:
    """Let the writers of this process wait for each other, where the database is SQLite.

    SQLite has a writer sleep and ask again, and whoever asks at the right moment is next: with 32
    of them the last waited 3.6 seconds, and 0.6 with this. Other processes it still waits for.
    """
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    has_turn = is_sqlite and _writers.acquire(timeout=_PATIENCE)
    try:
        yield
    finally:
        if has_turn:
            _writers.release()


def configure_sqlite(engine: Engine) -> None:
    """Give a SQLite engine WAL, durable commits, foreign keys and transactions that begin as told.

    Does nothing to other engines.
    """
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def connect(dbapi_connection, _record) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001  # DBAPI has no types
        # The driver must not begin transactions by itself: "begin" below does.
        dbapi_connection.isolation_level = None
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"busy_timeout = {_PATIENCE * 1000}",
        ):
            dbapi_connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(_IMMEDIATE, False):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            # It takes no lock and waits for nobody, so it goes past SQLAlchemy's machinery.
            connection.connection.cursor().execute("BEGIN").close()
