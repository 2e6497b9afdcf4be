"""Real servers: this service under gunicorn, on every database and storage that runs here."""

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config as BotoConfig
from moto.server import ThreadedMotoServer

from tests.e2e.server import Server
from tests.storage.backends import rgw_answers

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

RGW = os.environ.get("TEST_S3_ENDPOINT_URL", "http://127.0.0.1:7480")


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """The URL of an S3 server that always runs: moto's, in this process."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(
    params=[
        "local",
        "s3-moto",
        pytest.param(
            "s3-rgw",
            marks=pytest.mark.skipif(
                not rgw_answers(),
                reason="no S3 server at TEST_S3_ENDPOINT_URL; start: tests/servers/rgw.sh start",
            ),
        ),
    ]
)
def storage_environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The variables that name an empty storage."""
    if request.param == "local":
        return {"UPLOAD_STORAGE_HANDLER": "local", "MEDIA_ROOT": str(tmp_path / "media")}
    endpoint = request.getfixturevalue("moto_server") if request.param == "s3-moto" else RGW
    bucket = f"e2e-{secrets.token_hex(6)}"
    settings = {
        "UPLOAD_STORAGE_HANDLER": "s3",
        "AWS_S3_ENDPOINT_URL": endpoint,
        "AWS_S3_BUCKET": bucket,
        "AWS_ACCESS_KEY_ID": os.environ.get("TEST_S3_ACCESS_KEY_ID", "testing"),
        "AWS_SECRET_ACCESS_KEY": os.environ.get("TEST_S3_SECRET_ACCESS_KEY", "testing12"),
    }
    s3_client(settings).create_bucket(Bucket=bucket)
    return settings


def s3_client(settings: dict[str, str]) -> "S3Client":
    """Return a plain client of the storage that ``settings`` name."""
    return boto3.client(
        "s3",
        endpoint_url=settings["AWS_S3_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
        config=BotoConfig(s3={"addressing_style": "path"}),
    )


@pytest.fixture
def make_server(
    tmp_path: Path, database_url: str, storage_environment: dict[str, str]
) -> Iterator[Callable[..., Server]]:
    """A function that makes a server on this test's database and storage; it starts it too."""
    servers: list[Server] = []

    def make(*arguments: str, **settings: str) -> Server:
        server = Server(
            settings={
                "APP_ENV": "development",
                "SECRET_KEY": "e2e-secret-of-more-than-thirty-two-characters",
                "JWT_SECRET_KEY": "e2e-jwt-secret-of-more-than-thirty-two-characters",
                "DATABASE_URL": database_url,
                "MAIL_FILE_PATH": str(tmp_path / "mail"),
                **storage_environment,
                **settings,
            },
            log=tmp_path / "server.log",
            arguments=arguments,
        )
        servers.append(server)
        server.start()
        return server

    yield make
    for server in servers:
        server.kill()
