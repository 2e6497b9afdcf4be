"""Reading by one statement, which needs no transaction around it.

On PostgreSQL that is one round trip instead of three, on SQLite one turn of the interpreter's lock.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Row, Select
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

T = TypeVar("T")

ALONE = "sqlite_alone"
"""The execution option of a connection that begins no transaction (``configure_sqlite``)."""


def look_up(
    engine: Engine, statement: Select[*tuple[Any, ...]], parameters: Mapping[str, Any]
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return the rows that ``statement`` finds, without a transaction."""
    with engine.connect().execution_options(**_options(engine)) as connection:
        return connection.execute(statement, parameters).all()


def look_up_object(
    session: Session, statement: Select[T], parameters: Mapping[str, Any]
) -> T | None:
    """Return the object that ``statement`` finds, without a transaction where none is under way.

    The session has a connection afterwards, as behind any query: commit to let go of it.
    """
    if not session.in_transaction():
        session.connection(execution_options=_options(session.get_bind().engine))
    return session.scalar(statement, parameters)


def _options(engine: Engine) -> dict[str, Any]:
    is_sqlite = engine.dialect.name == "sqlite"
    return {ALONE: True} if is_sqlite else {"isolation_level": "AUTOCOMMIT"}
