"""How a use case writes: one transaction, which takes its place in the queue at its start."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import RLock

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from softfactory.disk import FOR_DATABASES, has_room, keep_private
from softfactory.errors import StorageFull

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

    Raises:
        StorageFull: the disk of a SQLite database is nearly full; the block has not begun.
    """
    session.commit()
    session.expire_all()
    with _turn(session):
        check_room(session)
        session.connection(execution_options={_IMMEDIATE: True})
        try:
            yield
            session.commit()
        except BaseException:
            session.rollback()
            raise


@contextmanager
def statements(session: Session) -> Iterator[Connection]:
    """Run a block of statements in a write transaction as ``write`` does, beside the session.

    Its objects stay as they were loaded, so the statements themselves must tell what is true. They
    take a third of the time that objects do, which a small file's upload mostly consists of.

    Raises:
        StorageFull: as ``write``.
    """
    session.commit()
    with _turn(session):
        check_room(session)
        with session.get_bind().engine.connect() as connection:
            connection.execution_options(**{_IMMEDIATE: True})
            with connection.begin():
                yield connection


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


def check_room(session: Session) -> None:
    """Refuse a transaction whose commit may find no room, while nothing is changed yet.

    SQLite writes at the commit, and by then the block may have renamed or deleted an object.

    Raises:
        StorageFull: the disk of a SQLite database is nearly full.
    """
    url = session.get_bind().engine.url
    if url.get_backend_name() != "sqlite":
        return
    try:
        is_full = not has_room(url.database or "", FOR_DATABASES)
    except FileNotFoundError:  # it is in memory, or not made yet
        return
    if is_full:
        raise StorageFull


def configure_sqlite(engine: Engine) -> None:
    """Give a SQLite engine WAL, durable commits, foreign keys and transactions that begin as told.

    Does nothing to other engines.
    """
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "do_connect")
    def make(_dialect, _record, arguments, _keywords) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001  # as below
        path = str(arguments[0])
        if path and not path.startswith((":memory:", "file:")):
            with suppress(OSError):  # SQLite says the same, in words that are known here
                keep_private(path)

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
