"""Does the database have the schema that this code knows? Asked once, before any worker starts.

Needs neither the application nor SQLAlchemy: what the master imports, every worker would inherit,
and SIGHUP would bring no new code.
"""

import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import Any

from config import BASE_DIR, Config

VERSIONS = BASE_DIR / "migrations" / "versions"
_QUERY = "SELECT version_num FROM alembic_version"
_CONNECT_SECONDS = 5


class DatabaseSilent(Exception):
    """The database does not answer, so that nothing is known of its schema."""


def known_versions() -> list[str]:
    """Return the versions of the schema that this code has migrations for, oldest first."""
    return sorted(path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py"))


def prepare_schema(config: Config, server: Any) -> None:  # noqa: ANN401  # gunicorn's arbiter
    """Let the server start on a schema that this code can work with.

    One worker on SQLite, and one in development, bring an older schema up to date. Where several
    workers share a database, an operator does it, once, at a time of their choice. Until all
    machines have the newer code, those with this one go on beside it, also if they start again: a
    newer PostgreSQL schema is warned of. A SQLite database has one machine, which was given older
    code than its own. A database that does not answer stops nothing: ``/readyz`` says so until it
    does.

    Raises:
        SystemExit: the schema is older, or newer on SQLite; with the command that helps.
    """
    known = known_versions()
    try:
        version = _version(config.database_url)
    except DatabaseSilent as error:
        server.log.warning("The schema could not be looked at: %s", error)
        return
    if version == known[-1]:
        return
    is_sqlite = config.database_url.startswith("sqlite")
    if version is not None and version not in known:
        newer = (
            f"The database's schema ({version}) is newer than this code, which knows up to "
            f"{known[-1]}. Start the newer code; or let that take the schema back: "
            f"./files db downgrade {known[-1]}"
        )
        if is_sqlite:
            raise SystemExit(newer)
        server.log.warning("%s", newer)
        return
    if server.cfg.workers > 1 or not (is_sqlite or config.app_env == "development"):
        raise SystemExit(
            f"The database's schema ({version or 'none'}) is older than this code, which needs "
            f"{known[-1]}. Bring it up to date, then start again: ./files db upgrade"
        )
    server.log.info("Bringing the database's schema from %s to %s", version or "none", known[-1])
    _upgrade()


def _version(url: str) -> str | None:
    """Return the version of the database's schema; None where there is none.

    Raises:
        DatabaseSilent: it does not answer.
    """
    return _sqlite_version(url) if url.startswith("sqlite") else _postgresql_version(url)


def _sqlite_version(url: str) -> str | None:
    # Relative ones lie where Flask-SQLAlchemy puts them.
    path = BASE_DIR / "instance" / url.removeprefix("sqlite:///").partition("?")[0]
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(path)) as connection:
            row = connection.execute(_QUERY).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise DatabaseSilent(str(error)) from error
    except sqlite3.DatabaseError as error:
        raise DatabaseSilent(str(error)) from error
    return str(row[0]) if row else None


def _postgresql_version(url: str) -> str | None:
    import psycopg  # noqa: PLC0415  # SQLite alone needs none of it

    address = url.replace("postgresql+psycopg://", "postgresql://", 1)
    try:
        with psycopg.connect(address, connect_timeout=_CONNECT_SECONDS) as connection:
            row = connection.execute(_QUERY).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    except psycopg.Error as error:
        # By its name alone: some of its sentences quote the URL, in which a password may stand.
        raise DatabaseSilent(f"PostgreSQL said {type(error).__name__}.") from None
    return str(row[0]) if row else None


def _upgrade() -> None:
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"]
    try:
        ran = subprocess.run(command, cwd=BASE_DIR, capture_output=True, text=True, check=False)  # noqa: S603  # our own
    except KeyboardInterrupt:
        raise SystemExit(
            "Stopped while the database's schema was brought up to date. The next start goes on."
        ) from None
    if ran.returncode != 0:
        last = (ran.stderr.strip() or "it says nothing").splitlines()[-1]
        raise SystemExit(
            f"The database's schema could not be brought up to date: {last}\n"
            "All that it said is to be seen with: ./files db upgrade"
        )
