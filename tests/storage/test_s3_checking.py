"""S3 adapter: ``check`` tells an operator in plain sentences what is wrong."""

import os
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from softfactory.storage.s3 import S3Storage, checking
from tests.servers.s3_buckets import ACCESS_KEY_ID, ENDPOINT_URL, needs_server, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

KEYS: dict[str, Any] = {"access_key_id": "testing", "secret_access_key": "testing"}


@pytest.fixture
def client() -> "Iterator[S3Client]":
    with mock_aws():
        client = boto3.client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        client.create_bucket(Bucket="here")
        client.put_bucket_versioning(Bucket="here", VersioningConfiguration={"Status": "Enabled"})
        yield client


def test_a_bucket_that_works_has_no_problems_and_keeps_nothing(client: "S3Client") -> None:
    problems = S3Storage(bucket="here", **KEYS).check()

    assert problems == []
    assert "Versions" not in client.list_object_versions(Bucket="here")
    assert "DeleteMarkers" not in client.list_object_versions(Bucket="here")
    assert "Uploads" not in client.list_multipart_uploads(Bucket="here")


def test_a_bucket_that_is_not_there_is_named_as_the_problem(client: "S3Client") -> None:
    assert S3Storage(bucket="elsewhere", **KEYS).check() == [checking.NO_BUCKET]


def test_a_bucket_without_a_name_is_the_problem() -> None:
    assert S3Storage(bucket="", **KEYS).check() == [checking.NO_BUCKET_NAME]


def test_a_bucket_in_another_region_is_the_problem(client: "S3Client") -> None:
    client.create_bucket(
        Bucket="abroad", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )

    assert S3Storage(bucket="abroad", **KEYS).check() == [checking.WRONG_REGION]


def test_missing_credentials_are_the_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    assert S3Storage(bucket="here").check() == [checking.NO_CREDENTIALS]


def test_an_endpoint_that_cannot_be_reached_is_the_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)

    problems = S3Storage(bucket="here", endpoint_url="http://127.0.0.1:9", **KEYS).check()

    assert problems == [checking.UNREACHABLE]


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("RequestTimeTooSkewed", checking.CLOCK_SKEW),
        ("PermanentRedirect", checking.WRONG_REGION),
        ("AuthorizationHeaderMalformed", checking.WRONG_REGION),
        ("SignatureDoesNotMatch", checking.BAD_SIGNATURE),
        ("InvalidAccessKeyId", checking.UNKNOWN_KEY),
        ("ExpiredToken", checking.EXPIRED_TOKEN),
    ],
)
def test_what_dooms_every_request_is_said_once(
    client: "S3Client", code: str, sentence: str
) -> None:
    storage = S3Storage(bucket="here", **KEYS)
    refuse(storage, "ListObjectsV2", code)

    assert storage.check() == [sentence]


def test_every_missing_permission_is_named(client: "S3Client") -> None:
    storage = S3Storage(bucket="here", **KEYS)
    refuse(storage, "ListObjectsV2", "AccessDenied")
    refuse(storage, "ListMultipartUploads", "AccessDenied")

    problems = storage.check()

    assert problems == [
        "Access Denied: the AWS credentials need s3:ListBucket on the bucket.",
        "Access Denied: the AWS credentials need s3:ListBucketMultipartUploads on the bucket.",
    ]


def test_what_a_server_does_not_know_is_named_with_its_code(client: "S3Client") -> None:
    storage = S3Storage(bucket="here", **KEYS)
    refuse(storage, "ListObjectVersions", "NotImplemented")

    problems = storage.check()

    assert len(problems) == 2  # listing versions, and purging by that list
    assert all("NotImplemented" in problem for problem in problems)


@needs_server
@pytest.mark.parametrize(
    ("access_key_id", "secret_access_key", "problem"),
    [
        (ACCESS_KEY_ID, "wrong", checking.BAD_SIGNATURE),
        ("nobody", "wrong", checking.UNKNOWN_KEY),
    ],
)
def test_wrong_keys_are_the_problem_on_a_real_server(
    access_key_id: str, secret_access_key: str, problem: str
) -> None:
    storage = S3Storage(
        bucket="here",
        endpoint_url=ENDPOINT_URL,
        access_key_id=access_key_id,
        secret_access_key=secret_access_key,
    )

    assert storage.check() in ([problem], [checking.DENIED])  # Ceph with STS tells no more
