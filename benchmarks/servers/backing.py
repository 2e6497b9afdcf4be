"""What the service stands on at scale: PostgreSQL, Redis and S3, where ``.ci/run`` looks for them.

Redis keeps what is written to it for an hour at most; no other run reads it, because its names hold
the uuid of an account.
"""

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from tests.e2e.server import ROOT
from tests.servers.s3_buckets import (
    ACCESS_KEY_ID,
    ENDPOINT_URL,
    SECRET_ACCESS_KEY,
    bucket_on,
    server_answers,
)

POSTGRESQL = "postgresql://postgres@127.0.0.1:5432/postgres"
REDIS = "redis://127.0.0.1:6379/15"


class AbsentError(Exception):
    """A server does not answer, and cannot be started."""


@contextmanager
def backing() -> Iterator[dict[str, str]]:
    """Yield the settings of an empty database and an empty bucket; both go afterwards.

    Raises:
        AbsentError: with a sentence that names the server.
    """
    with _database() as database_url, _s3_server(), bucket_on("rgw") as bucket:
        yield {
            "DATABASE_URL": database_url,
            "REDIS_URL": _redis_url(),
            "UPLOAD_STORAGE_HANDLER": "s3",
            "AWS_S3_ENDPOINT_URL": ENDPOINT_URL,
            "AWS_S3_BUCKET": bucket.name,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            # Without a role, production refuses RGW's own upload URLs.
            "UPLOAD_URLS": "service",
        }


@contextmanager
def _database() -> Iterator[str]:
    url = make_url(os.environ.get("TEST_DATABASE_URL", POSTGRESQL)).set(
        drivername="postgresql+psycopg"
    )
    name = f"softfactory_bench_{secrets.token_hex(6)}"
    server = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 5})
    try:
        with server.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
    except OperationalError as error:
        raise AbsentError("PostgreSQL does not answer at TEST_DATABASE_URL.") from error
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        server.dispose()


def _redis_url() -> str:
    url = os.environ.get("TEST_REDIS_URL", REDIS)
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=5) as server:
            server.ping()
    except redis.RedisError as error:
        raise AbsentError("Redis does not answer at TEST_REDIS_URL.") from error
    return url


@contextmanager
def _s3_server() -> Iterator[None]:
    """Have an S3 server answer; one that had to be started ends afterwards."""
    if server_answers():
        yield
        return
    try:
        _rgw("start")
        if not server_answers():
            raise AbsentError(
                "No S3 server answers at TEST_S3_ENDPOINT_URL, and RGW did not start."
            )
        yield
    finally:
        _rgw("stop")


def _rgw(command: str) -> None:
    # No pipes: the daemons would keep them open.
    subprocess.run(
        ["bash", str(ROOT / "tests/servers/rgw.sh"), command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
