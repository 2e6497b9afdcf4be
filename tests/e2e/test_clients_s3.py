"""boto3 and the aws command line, with the credentials that the service issues."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError

from tests import samples
from tests.conftest import needs_postgresql
from tests.e2e.clients import johndoe
from tests.e2e.conftest import s3_client
from tests.e2e.person import Person
from tests.e2e.server import ROOT, Server
from tests.servers.s3_buckets import ENDPOINT_URL, needs_server, role_for

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = [
    needs_server,
    pytest.mark.parametrize(
        ("database_url", "storage_environment"),
        [pytest.param("postgresql", "s3-rgw", marks=needs_postgresql)],
        indirect=True,
    ),
]


@pytest.fixture
def role_arn(storage_environment: dict[str, str]) -> Iterator[str]:
    """A role that may do anything with the bucket, and that the service may take on."""
    with role_for(storage_environment["AWS_S3_BUCKET"]) as arn:
        yield arn


@pytest.fixture
def john(make_server: Callable[..., Server], role_arn: str, tmp_path: Path) -> Person:
    """The documents' user."""
    settings = {"AWS_ROLE_ARN": role_arn, "AWS_ENDPOINT_URL": ENDPOINT_URL}
    return johndoe(make_server, tmp_path / "mail", **settings)


@pytest.fixture
def prefix(john: Person) -> str:
    """Where the browser contract puts his files."""
    return str(john.call("GET", "/api/s3/user-prefix").json()["prefix"])


@pytest.fixture
def credentials(john: Person) -> dict[str, str]:
    """What the service issues to him, as the environment of any AWS tool."""
    answer = john.call("POST", "/api/credentials/temporary", json={"duration_seconds": 900})
    assert answer.status_code == 200, answer.text
    issued = answer.json()
    return {
        "AWS_ACCESS_KEY_ID": issued["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": issued["secret_access_key"],
        "AWS_SESSION_TOKEN": issued["session_token"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": ENDPOINT_URL,
    }


@pytest.fixture(scope="session")
def aws() -> str:
    """The aws command: TEST_AWS_CLI, the one on the PATH, or one installed for the tests."""
    found = os.environ.get("TEST_AWS_CLI") or shutil.which("aws")
    if found:
        return found
    environment = ROOT / ".venv-aws"
    command = environment / "bin" / "aws"
    if not command.exists():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        (environment / ".gitignore").write_text("*\n")
        python = str(environment / "bin" / "python")
        pip = [python, "-m", "pip", "install", "--quiet", "awscli"]
        installed = subprocess.run(pip, capture_output=True, timeout=300, check=False)
        if installed.returncode:
            pytest.skip("awscli cannot be installed here; TEST_AWS_CLI names one that is")
    return str(command)


def test_boto3_works_on_the_files_of_its_user_and_on_no_others(
    john: Person, prefix: str, credentials: dict[str, str], storage_environment: dict[str, str]
) -> None:
    bucket = storage_environment["AWS_S3_BUCKET"]
    s3: S3Client = boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=ENDPOINT_URL,
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=credentials["AWS_SESSION_TOKEN"],
    )
    body = samples.pdf(size=6_000_000)

    s3.put_object(Bucket=bucket, Key=f"{prefix}a.pdf", Body=body, ContentType="application/pdf")
    listed = john.call("GET", "/api/s3/objects").json()["objects"]
    v3 = john.call("GET", "/api/v3/files/?use_cache=false").json()["files"]
    form = {"file": ("b.pdf", body)}
    uploaded = john.call("POST", "/api/files/upload", files=form).json()["file_key"]
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]

    assert [entry["key"] for entry in listed] == [f"{prefix}a.pdf"]
    assert [file["s3_key"] for file in v3] == [f"{prefix}a.pdf"]
    assert s3.get_object(Bucket=bucket, Key=uploaded)["Body"].read() == body
    assert [entry["Key"] for entry in found] == [f"{prefix}a.pdf"]
    for strange in ("users/x/a.pdf", "jane/a.pdf", "a.pdf"):
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.put_object(Bucket=bucket, Key=strange, Body=b"")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.list_objects_v2(Bucket=bucket)


def test_the_aws_command_copies_lists_and_removes(
    aws: str,
    john: Person,
    prefix: str,
    credentials: dict[str, str],
    storage_environment: dict[str, str],
    tmp_path: Path,
) -> None:
    root = f"s3://{storage_environment['AWS_S3_BUCKET']}/"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [aws, "s3", *arguments],
            cwd=tmp_path,
            env={**credentials, "HOME": str(tmp_path), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    (tmp_path / "small.bin").write_bytes(b"small")
    (tmp_path / "large.bin").write_bytes(bytes(20 * 1024 * 1024))  # over 8 MiB it goes in parts

    copied = run("cp", "large.bin", f"{root}{prefix}large.bin")
    listed = run("ls", f"{root}{prefix}")
    back = run("cp", f"{root}{prefix}large.bin", "back.bin")
    shown = [entry["key"] for entry in john.call("GET", "/api/s3/objects").json()["objects"]]
    removed = run("rm", f"{root}{prefix}large.bin")
    refused = run("cp", "small.bin", f"{root}jane/small.bin")

    assert copied.returncode == 0, copied.stderr
    assert "large.bin" in listed.stdout, listed.stderr
    assert back.returncode == 0, back.stderr
    assert (tmp_path / "back.bin").read_bytes() == (tmp_path / "large.bin").read_bytes()
    assert shown == [f"{prefix}large.bin"]
    assert removed.returncode == 0, removed.stderr
    assert john.call("GET", "/api/s3/objects").json()["objects"] == []
    assert refused.returncode != 0
    bucket = storage_environment["AWS_S3_BUCKET"]
    assert s3_client(storage_environment).list_objects_v2(Bucket=bucket)["KeyCount"] == 0
