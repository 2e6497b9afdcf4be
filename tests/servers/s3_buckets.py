"""Fresh buckets for tests of the S3 adapter alone: in moto, and on the real server where it runs."""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import requests
from botocore.exceptions import ClientError
from moto import mock_aws

from softfactory.storage.keys import Key
from softfactory.storage.s3 import S3Storage
from softfactory.storage.s3.listing import entries

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ENDPOINT_URL = os.environ.get("TEST_S3_ENDPOINT_URL", "http://127.0.0.1:7480")
ACCESS_KEY_ID = os.environ.get("TEST_S3_ACCESS_KEY_ID", "testing")
SECRET_ACCESS_KEY = os.environ.get("TEST_S3_SECRET_ACCESS_KEY", "testing12")


def server_answers() -> bool:
    """Whether an S3 server runs at the test endpoint."""
    try:
        return requests.get(ENDPOINT_URL, timeout=2).ok
    except requests.RequestException:
        return False


needs_server = pytest.mark.skipif(
    not server_answers(),
    reason="no S3 server answers at TEST_S3_ENDPOINT_URL; start one: tests/servers/rgw.sh start",
)
SERVERS = ["moto", pytest.param("rgw", marks=needs_server)]


@dataclass(frozen=True)
class Bucket:
    """An adapter on an empty bucket that keeps versions, and a client to look behind it."""

    name: str
    storage: S3Storage
    client: "S3Client"

    def inventory(self) -> set[str]:
        """Name all versions, delete markers and open uploads."""
        page = self.client.list_object_versions(Bucket=self.name)
        uploads = self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])
        return {
            *(f"version {v['Key']} {v['VersionId']}" for v in page.get("Versions", [])),
            *(f"marker {m['Key']} {m['VersionId']}" for m in page.get("DeleteMarkers", [])),
            *(f"upload {u['Key']} {u['UploadId']}" for u in uploads),
        }

    def refuse(self, operation: str, code: str = "AccessDenied") -> None:
        """Let the server refuse the adapter every request of this operation."""
        refuse(self.storage, operation, code)


def refuse(storage: S3Storage, operation: str, code: str = "AccessDenied") -> None:
    """Let the server refuse ``storage`` every request of this operation."""

    def raise_(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code}}, operation)

    storage.client.meta.events.register(f"before-call.s3.{operation}", raise_)


@contextmanager
def bucket_on(server: str) -> Iterator[Bucket]:
    """Give an empty bucket on ``moto`` or ``rgw``; it goes with all that is in it."""
    if server == "moto":
        with mock_aws():
            yield _made(None)
    else:
        bucket = _made(ENDPOINT_URL)
        try:
            yield bucket
        finally:
            _remove(bucket)


@contextmanager
def role_for(bucket: str) -> Iterator[str]:
    """Give the ARN of a role on the real server that may do anything with the bucket."""
    iam = boto3.client(
        "iam",
        region_name="us-east-1",
        endpoint_url=ENDPOINT_URL,
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
    )

    def policy(**statement: Any) -> str:
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
        return json.dumps(document, separators=(",", ":"))

    name = f"files-{uuid.uuid4().hex}"
    principal = {"AWS": ["arn:aws:iam:::user/testing"]}
    trust = policy(Principal=principal, Action=["sts:AssumeRole"])
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    everything = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    iam.put_role_policy(
        RoleName=name, PolicyName="all", PolicyDocument=policy(Action="s3:*", Resource=everything)
    )
    yield arn
    iam.delete_role_policy(RoleName=name, PolicyName="all")
    iam.delete_role(RoleName=name)


def _made(endpoint_url: str | None) -> Bucket:
    name = f"adapter-{uuid.uuid4().hex}"
    client = boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=endpoint_url,
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
    )
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return Bucket(name, _adapter(name, endpoint_url), client)


def _adapter(bucket: str, endpoint_url: str | None) -> S3Storage:
    return S3Storage(
        bucket=bucket,
        endpoint_url=endpoint_url,
        access_key_id=ACCESS_KEY_ID,
        secret_access_key=SECRET_ACCESS_KEY,
    )


def _remove(bucket: Bucket) -> None:
    storage = _adapter(bucket.name, ENDPOINT_URL)  # a test may have the other one refused
    for upload in storage.list_multiparts():
        storage.abort_multipart(Key(upload.key), upload.upload_id)
    for page in storage.version_pages():
        storage.delete_all(
            {"Key": each["Key"], "VersionId": each["VersionId"]} for each in entries(page)
        )
    bucket.client.delete_bucket(Bucket=bucket.name)
