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
import requests
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from softfactory.storage.keys import Key
from softfactory.storage.s3 import S3Storage
from softfactory.storage.s3.listing import entries
from tests.e2e.server import ROOT

POSTGRESQL = "postgresql://postgres@127.0.0.1:5432/postgres"
REDIS = "redis://127.0.0.1:6379/15"
S3 = "http://127.0.0.1:7480"


class AbsentError(Exception):
    """A server does not answer, and cannot be started."""


@contextmanager
def backing() -> Iterator[dict[str, str]]:
    """Yield the settings of an empty database and an empty bucket; both go afterwards.

    Raises:
        AbsentError: with a sentence that names the server.
    """
    with _database() as database_url, _s3_server() as endpoint_url, _bucket(endpoint_url) as bucket:
        yield {
            "DATABASE_URL": database_url,
            "REDIS_URL": _redis_url(),
            "UPLOAD_STORAGE_HANDLER": "s3",
            "AWS_S3_ENDPOINT_URL": endpoint_url,
            "AWS_S3_BUCKET": bucket.bucket,
            "AWS_ACCESS_KEY_ID": _ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": _SECRET_ACCESS_KEY,
        }


_ACCESS_KEY_ID = os.environ.get("TEST_S3_ACCESS_KEY_ID", "testing")
_SECRET_ACCESS_KEY = os.environ.get("TEST_S3_SECRET_ACCESS_KEY", "testing12")


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
def _s3_server() -> Iterator[str]:
    """Yield the endpoint of a server that answers; one that had to be started ends afterwards."""
    endpoint_url = os.environ.get("TEST_S3_ENDPOINT_URL", S3)
    if _answers(endpoint_url):
        yield endpoint_url
        return
    try:
        _rgw("start")
        if not _answers(endpoint_url):
            raise AbsentError(
                "No S3 server answers at TEST_S3_ENDPOINT_URL, and RGW did not start."
            )
        yield endpoint_url
    finally:
        _rgw("stop")


def _answers(endpoint_url: str) -> bool:
    try:
        return requests.get(endpoint_url, timeout=5).ok
    except requests.RequestException:
        return False


def _rgw(command: str) -> None:
    # No pipes: the daemons would keep them open.
    subprocess.run(
        ["bash", str(ROOT / "tests/servers/rgw.sh"), command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )


@contextmanager
def _bucket(endpoint_url: str) -> Iterator[S3Storage]:
    """Yield an empty bucket that keeps versions, as README.md says a bucket should."""
    storage = S3Storage(
        bucket=f"bench-{secrets.token_hex(6)}",
        endpoint_url=endpoint_url,
        access_key_id=_ACCESS_KEY_ID,
        secret_access_key=_SECRET_ACCESS_KEY,
    )
    name, client = storage.bucket, storage.client
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    try:
        yield storage
    finally:
        for upload in storage.list_multiparts():
            storage.abort_multipart(Key(upload.key), upload.upload_id)
        for page in storage.version_pages():
            storage.delete_all(
                {"Key": each["Key"], "VersionId": each["VersionId"]} for each in entries(page)
            )
        client.delete_bucket(Bucket=name)
