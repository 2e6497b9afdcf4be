"""How a use case writes: one transaction, which takes its place in the queue at its start."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

_IMMEDIATE = "sqlite_immediate"


@contextmanager
def write(session: Session) -> Iterator[None]:
    """Run the block in one write transaction: committed at its end, rolled back if it raises.

    Objects loaded before are refreshed when the block touches them, so no decision rests on what
    was true earlier; lock rows that others may change too (``with_for_update``). On SQLite the transaction begins IMMEDIATE: a transaction that reads first and writes later
    would fail when another one wrote in between, whatever the busy timeout
    (sqlite.org, "Isolation in SQLite").
    """
    session.commit()
    session.expire_all()
    session.connection(execution_options={_IMMEDIATE: True})
    try:
        yield
        session.commit()
    except BaseException:
        session.rollback()
        raise


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
            "busy_timeout = 30000",
        ):
            dbapi_connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get(_IMMEDIATE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
