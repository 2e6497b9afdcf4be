"""What the database's planner is told and cannot know: that a condition holds for nearly all rows.

SQLite keeps no statistics unless asked to; it takes an index that leads to half a million rows
for one that leads to ten (sqlite.org, "The SQLite Query Optimizer Overview", section 7.5).
"""

from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType


class likely(FunctionElement[bool]):  # noqa: N801  # reads as the SQL function that it is
    """The condition itself; on SQLite, one for which no index is worth the while."""

    inherit_cache = True
    # Of no type: a boolean would be compared with 1 on SQLite, and no index has such a condition.
    type = NullType()  # type: ignore[assignment]  # it is bool to Python

    def __init__(self, condition: ColumnElement[bool]) -> None:
        """Say that ``condition`` nearly always holds."""
        super().__init__(condition)


@compiles(likely)
def _anywhere(element: likely, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # SQLAlchemy's signature
    return f"({compiler.process(element.clauses, **options)})"


@compiles(likely, "sqlite")
def _on_sqlite(element: likely, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # SQLAlchemy's signature
    return f"likely({compiler.process(element.clauses, **options)})"
