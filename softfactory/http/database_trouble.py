"""What a database that fails means for the request: wait, make room, or nothing to be told."""

import sqlite3

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from softfactory.errors import DatabaseUnavailable, SoftFactoryError, StorageFull

DATABASE_TROUBLE: tuple[type[Exception], ...] = (OperationalError, InterfaceError, PoolTimeout)
"""Failures of the database's operation (PEP 249), and of waiting for one of its connections."""

_DISK_FULL = "53100"
"""PostgreSQL's SQLSTATE (its manual, appendix A)."""


def database_error(error: Exception) -> SoftFactoryError | None:
    """Return the domain error of a database's failure; None where the fault is the service's."""
    origin = error.orig if isinstance(error, DBAPIError) else None
    # Extended codes carry the primary one in their lowest byte (sqlite.org, "Result Codes").
    sqlite_code = getattr(origin, "sqlite_errorcode", 0) & 0xFF
    if sqlite_code == sqlite3.SQLITE_ERROR:  # a statement that is wrong, or a missing table
        return None
    if sqlite_code == sqlite3.SQLITE_FULL or getattr(origin, "sqlstate", None) == _DISK_FULL:
        return StorageFull()
    return DatabaseUnavailable()
