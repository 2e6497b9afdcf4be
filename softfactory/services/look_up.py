"""Reading by one statement, which needs no transaction around it.

On PostgreSQL that is one round trip instead of three, on SQLite one turn of the interpreter's lock.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Select
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.orm import Session

T = TypeVar("T")

ALONE = "sqlite_alone"
"""The execution option of a connection that begins no transaction (``configure_sqlite``)."""

_AUTOCOMMIT = {"isolation_level": "AUTOCOMMIT"}


def look_up(
    engine: Engine, statement: Select[*tuple[Any, ...]], parameters: Mapping[str, Any]
) -> Sequence[tuple[Any, ...]]:
    """Return the rows that ``statement`` finds, without a transaction.

    Args:
        statement: made once for the process; it selects what the driver itself has types for.
    """
    if _is_sqlite(engine):
        # SQLAlchemy's execution takes ten times as long as SQLite's.
        prepared = _prepared(statement, engine.dialect)
        with closing(engine.raw_connection()) as driver, closing(driver.cursor()) as cursor:
            cursor.execute(prepared.text, prepared.arguments(parameters))
            return [*cursor.fetchall()]
    with engine.connect().execution_options(**_AUTOCOMMIT) as connection:
        return connection.execute(statement, parameters).all()


def look_up_object(
    session: Session, statement: Select[T], parameters: Mapping[str, Any]
) -> T | None:
    """Return the object that ``statement`` finds, without a transaction where none is under way.

    The session has a connection afterwards, as behind any query: commit to let go of it.
    """
    if not session.in_transaction():
        alone = {ALONE: True} if _is_sqlite(session.get_bind().engine) else _AUTOCOMMIT
        session.connection(execution_options=alone)
    return session.scalar(statement, parameters)


class _Prepared(NamedTuple):
    """A statement as SQLite's driver takes it."""

    text: str
    types: list[tuple[str, Any]]
    """Each parameter in its place, and what makes it the driver's; None takes it as it is."""

    def arguments(self, parameters: Mapping[str, Any]) -> list[Any]:
        return [
            parameters[name] if convert is None else convert(parameters[name])
            for name, convert in self.types
        ]


@lru_cache(maxsize=64)
def _prepared(statement: Select[*tuple[Any, ...]], dialect: Dialect) -> _Prepared:
    compiled = statement.compile(dialect=dialect)
    types = [
        (name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
        for name in compiled.positiontup or ()
    ]
    return _Prepared(str(compiled), types)


def _is_sqlite(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite"
