"""What issued credentials open, by using them: on a server that enforces what they may.

Ceph's gateway enforces session policies and when sessions end; moto enforces IAM users' policies,
but no conditions and no inactive keys (also with authentication on: it never looks at a key's
status). Ceph 16 has no IAM users. So no server here shows an inactive key refused.
"""

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config as ClientConfig
from botocore.exceptions import ClientError
from flask import Flask
from moto.core import enable_iam_authentication

from softfactory.http.runtime import runtime
from tests import samples
from tests.blueprints.test_files_upload import send
from tests.conftest import Caller
from tests.servers.s3_buckets import (
    ACCESS_KEY_ID,
    ENDPOINT_URL,
    SECRET_ACCESS_KEY,
    Bucket,
    bucket_on,
    needs_server,
    role_for,
)

PART = 5 * 1024 * 1024
DENIED = {"AccessDenied", "ExpiredToken", "403"}


def s3_client(issued: dict[str, str], endpoint_url: str | None = None) -> Any:
    return boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=endpoint_url,
        aws_access_key_id=issued["access_key_id"],
        aws_secret_access_key=issued["secret_access_key"],
        aws_session_token=issued.get("session_token"),
        config=ClientConfig(
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"total_max_attempts": 1},
        ),
    )


def denied(call: Callable[..., Any], **arguments: Any) -> bool:
    """Whether the server refuses the request because of who asks."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"] in DENIED
    return False


def roots_of(caller: Caller) -> list[str]:
    return [f"users/{caller.uuid}/", f"uploads/{caller.user_id}/", f"{caller.username}/"]


def strange_keys(caller: Caller, other: Caller) -> list[str]:
    """Keys that are not the caller's, some of which begin much like theirs."""
    return [
        *(f"{root}a.txt" for root in roots_of(other)),
        f"uploads/{caller.user_id}2/a.txt",
        f"{caller.username}2/a.txt",
        f"{caller.username}",
        f"users/{caller.uuid}x/a.txt",
        "a.txt",
        ".softfactory-check/a.txt",
    ]


# --- temporary credentials, on Ceph's gateway -------------------------------------------------

on_rgw = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    """A bucket on the real server."""
    with bucket_on("rgw") as bucket:
        yield bucket


@pytest.fixture
def role_arn(bucket: Bucket) -> Iterator[str]:
    """A role that may do anything with the bucket."""
    with role_for(bucket.name) as arn:
        yield arn


@needs_server
@on_rgw
class TestTemporaryCredentials:
    @pytest.fixture
    def storage_settings(self, bucket: Bucket, role_arn: str) -> dict[str, Any]:
        """The settings of this server's bucket and role."""
        return {
            "upload_storage_handler": "s3",
            "aws_s3_bucket": bucket.name,
            "aws_access_key_id": ACCESS_KEY_ID,
            "aws_secret_access_key": SECRET_ACCESS_KEY,
            "aws_s3_endpoint_url": ENDPOINT_URL,
            "aws_endpoint_url": ENDPOINT_URL,
            "aws_role_arn": role_arn,
        }

    @pytest.fixture
    def own(self, alice: Caller) -> Any:
        """Alice's own S3 client."""
        answer = alice.post("/api/credentials/temporary", json={"duration_seconds": 900})
        assert answer.status_code == 200, answer.get_json()
        return s3_client(answer.get_json(), ENDPOINT_URL)

    def test_they_write_read_and_delete_below_each_root(
        self, bucket: Bucket, alice: Caller, own: Any
    ) -> None:
        for root in roots_of(alice):
            named = {"Bucket": bucket.name, "Key": f"{root}a b/ü+#?.txt"}
            own.put_object(**named, Body=b"mine")

            assert own.get_object(**named)["Body"].read() == b"mine"
            assert own.head_object(**named)["ContentLength"] == 4
            own.delete_object(**named)
            with pytest.raises(ClientError):
                own.head_object(**named)

    def test_they_list_below_each_root(self, bucket: Bucket, alice: Caller, own: Any) -> None:
        for root in roots_of(alice):
            own.put_object(Bucket=bucket.name, Key=f"{root}b/a.txt", Body=b"mine")

            below = own.list_objects_v2(Bucket=bucket.name, Prefix=root, Delimiter="/")
            deeper = own.list_objects_v2(Bucket=bucket.name, Prefix=f"{root}b/")
            assert [found["Prefix"] for found in below["CommonPrefixes"]] == [f"{root}b/"]
            assert [found["Key"] for found in deeper["Contents"]] == [f"{root}b/a.txt"]

    def test_they_handle_versions(self, bucket: Bucket, alice: Caller, own: Any) -> None:
        named = {"Bucket": bucket.name, "Key": "alice/a.txt"}
        first = own.put_object(**named, Body=b"first")["VersionId"]
        own.put_object(**named, Body=b"second")

        versions = own.list_object_versions(Bucket=bucket.name, Prefix="alice/")["Versions"]
        assert len(versions) == 2
        assert own.get_object(**named, VersionId=first)["Body"].read() == b"first"
        own.delete_object(**named)
        assert len(own.list_object_versions(Bucket=bucket.name, Prefix="alice/")["Versions"]) == 2

    def test_they_delete_no_version_for_good(self, bucket: Bucket, alice: Caller, own: Any) -> None:
        named: dict[str, Any] = {"Bucket": bucket.name, "Key": "alice/a.txt"}
        version = own.put_object(**named, Body=b"first")["VersionId"]

        assert denied(own.delete_object, **named, VersionId=version)
        objects = {"Objects": [{"Key": "alice/a.txt", "VersionId": version}]}
        assert denied(own.delete_objects, Bucket=bucket.name, Delete=objects)
        assert bucket.client.head_object(**named)["VersionId"] == version

    def test_they_open_nothing_to_the_public(self, bucket: Bucket, alice: Caller, own: Any) -> None:
        named: dict[str, Any] = {"Bucket": bucket.name, "Key": "alice/a.txt"}
        everyone = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
        own.put_object(**named, Body=b"mine")

        for acl in ("public-read", "public-read-write", "authenticated-read"):
            assert denied(own.put_object, **named, Body=b"x", ACL=acl), acl
            assert denied(own.put_object_acl, **named, ACL=acl), acl
        for grant in ("GrantRead", "GrantReadACP", "GrantWriteACP", "GrantFullControl"):
            assert denied(own.put_object, **named, Body=b"x", **{grant: everyone}), grant
        assert bucket.client.get_object(**named)["Body"].read() == b"mine"

    def test_they_upload_in_parts(self, bucket: Bucket, alice: Caller, own: Any) -> None:
        named = {"Bucket": bucket.name, "Key": f"uploads/{alice.user_id}/big"}
        upload = {**named, "UploadId": own.create_multipart_upload(**named)["UploadId"]}
        bodies = (b"a" * PART, b"b")
        etags = [
            own.upload_part(**upload, PartNumber=number, Body=body)["ETag"]
            for number, body in enumerate(bodies, 1)
        ]

        assert len(own.list_parts(**upload)["Parts"]) == 2
        parts = [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]
        own.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        assert own.head_object(**named)["ContentLength"] == PART + 1
        other = {**named, "UploadId": own.create_multipart_upload(**named)["UploadId"]}
        own.abort_multipart_upload(**other)

    def test_they_copy_among_the_roots(self, bucket: Bucket, alice: Caller, own: Any) -> None:
        source = {"Bucket": bucket.name, "Key": "alice/a.txt"}
        own.put_object(**source, Body=b"mine")

        own.copy_object(Bucket=bucket.name, Key=f"users/{alice.uuid}/b.txt", CopySource=source)

        assert own.head_object(Bucket=bucket.name, Key=f"users/{alice.uuid}/b.txt")

    def test_they_open_nothing_else(
        self, bucket: Bucket, alice: Caller, bob: Caller, own: Any
    ) -> None:
        for key in strange_keys(alice, bob):
            named: dict[str, Any] = {"Bucket": bucket.name, "Key": key}
            version = bucket.client.put_object(**named, Body=b"not hers")["VersionId"]
            upload = bucket.client.create_multipart_upload(**named)["UploadId"]

            assert denied(own.get_object, **named), key
            assert denied(own.head_object, **named), key
            assert denied(own.get_object, **named, VersionId=version), key
            assert denied(own.put_object, **named, Body=b"x"), key
            assert denied(own.delete_object, **named), key
            assert denied(own.delete_object, **named, VersionId=version), key
            assert denied(own.create_multipart_upload, **named), key
            assert denied(own.upload_part, **named, UploadId=upload, PartNumber=1, Body=b""), key
            assert denied(own.abort_multipart_upload, **named, UploadId=upload), key
            assert denied(own.copy_object, Bucket=bucket.name, Key="alice/b", CopySource=named), key
            objects = {"Objects": [{"Key": key}]}
            assert denied(own.delete_objects, Bucket=bucket.name, Delete=objects), key
            assert bucket.client.get_object(**named)["Body"].read() == b"not hers"

    def test_they_list_nothing_else(
        self, bucket: Bucket, alice: Caller, bob: Caller, own: Any
    ) -> None:
        prefixes = ["", "a", "alice", "alice2/", "users/", "uploads/", f"uploads/{alice.user_id}"]
        for prefix in [*prefixes, *roots_of(bob)]:
            named = {"Bucket": bucket.name, "Prefix": prefix}
            assert denied(own.list_objects_v2, **named), prefix
            assert denied(own.list_objects, **named), prefix
            assert denied(own.list_object_versions, **named), prefix
            assert denied(own.list_multipart_uploads, **named), prefix
        assert denied(own.list_objects_v2, Bucket=bucket.name)
        assert denied(own.list_buckets)

    def test_they_change_nothing_of_the_bucket(self, bucket: Bucket, own: Any) -> None:
        versioning = {"Status": "Suspended"}
        rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}

        assert denied(
            own.put_bucket_versioning, Bucket=bucket.name, VersioningConfiguration=versioning
        )
        assert denied(
            own.put_bucket_cors, Bucket=bucket.name, CORSConfiguration={"CORSRules": [rule]}
        )
        assert denied(own.put_bucket_policy, Bucket=bucket.name, Policy="{}")
        assert denied(own.delete_bucket, Bucket=bucket.name)

    def test_without_their_token_or_with_another_secret_they_are_nothing(
        self, bucket: Bucket, alice: Caller
    ) -> None:
        issued = alice.post("/api/credentials/temporary").get_json()
        named = {"Bucket": bucket.name, "Key": "alice/a.txt"}

        without = {name: value for name, value in issued.items() if name != "session_token"}
        for spoilt in (without, {**issued, "secret_access_key": "other"}):
            with pytest.raises(ClientError):
                s3_client(spoilt, ENDPOINT_URL).put_object(**named, Body=b"")

    @pytest.mark.skipif(
        not os.environ.get("TEST_SESSION_EXPIRY"),
        reason="takes the 15 minutes that the shortest session lives; set TEST_SESSION_EXPIRY=1",
    )
    def test_they_end_when_they_said(self, bucket: Bucket, alice: Caller) -> None:
        body = {"duration_seconds": 900}
        issued = alice.post("/api/credentials/temporary", json=body).get_json()
        own = s3_client(issued, ENDPOINT_URL)
        named = {"Bucket": bucket.name, "Key": "alice/a.txt"}
        own.put_object(**named, Body=b"")

        end = datetime.fromisoformat(issued["expiration"])
        time.sleep((end - datetime.now(UTC)).total_seconds() + 5)

        assert denied(own.put_object, **named, Body=b"")
        assert denied(own.get_object, **named)
        assert denied(own.list_objects_v2, Bucket=bucket.name, Prefix="alice/")

    def test_what_they_wrote_shows_and_what_was_uploaded_opens(
        self, app: Flask, bucket: Bucket, alice: Caller, own: Any
    ) -> None:
        own.put_object(Bucket=bucket.name, Key="alice/own.txt", Body=b"own")
        uploaded = send(alice, samples.pdf()).get_json()["file_key"]

        with app.app_context():
            assert [o.key for o in runtime().storage.list_objects("alice/").objects] == [
                "alice/own.txt"
            ]
        assert own.get_object(Bucket=bucket.name, Key=uploaded)["Body"].read() == samples.pdf()

    def test_they_last_an_hour_at_most_and_say_so(self, alice: Caller) -> None:
        answer = alice.post("/api/credentials/temporary", json={"duration_seconds": 43200})

        end = datetime.fromisoformat(answer.get_json()["expiration"])
        assert end - datetime.now(UTC) <= timedelta(hours=1)

    def test_a_server_without_iam_users_makes_no_keys(self, alice: Caller) -> None:
        answer = alice.post("/api/credentials/access-key")

        assert answer.status_code == 501
        assert answer.get_json()["code"] == "NOT_CONFIGURED"

    def test_a_role_that_is_not_there_is_501(
        self, make_app: Callable[..., Flask], alice: Caller
    ) -> None:
        client = make_app(aws_role_arn="arn:aws:iam:::role/nobody").test_client()

        answer = client.post("/api/credentials/temporary", headers=alice.headers)

        assert answer.status_code == 501
        assert "nobody" not in answer.get_data(as_text=True)


# --- access keys, on moto with authentication on ----------------------------------------------

on_moto = pytest.mark.parametrize(
    ("database_url", "storage_settings"), [("sqlite", "s3-moto")], indirect=True
)
MOTO_BUCKET = "softfactory-test"


def new_key(caller: Caller) -> dict[str, str]:
    key: dict[str, str] = caller.post("/api/credentials/access-key").get_json()
    return key


@on_moto
def test_a_key_reaches_its_users_roots_and_nothing_else(alice: Caller, bob: Caller) -> None:
    own = s3_client(new_key(alice))

    with enable_iam_authentication():
        for root in roots_of(alice):
            named = {"Bucket": MOTO_BUCKET, "Key": f"{root}a.txt"}
            own.put_object(**named, Body=b"mine")
            assert own.get_object(**named)["Body"].read() == b"mine"
            own.delete_object(**named)
        for key in strange_keys(alice, bob):
            named = {"Bucket": MOTO_BUCKET, "Key": key}
            assert denied(own.put_object, **named, Body=b""), key
            assert denied(own.get_object, **named), key
            assert denied(own.delete_object, **named), key


@on_moto
def test_a_key_is_no_key_to_anything_but_files(alice: Caller) -> None:
    key = new_key(alice)
    iam = boto3.client(
        "iam",
        region_name="us-east-1",
        aws_access_key_id=key["access_key_id"],
        aws_secret_access_key=key["secret_access_key"],
    )

    with enable_iam_authentication():
        assert denied(iam.create_access_key, UserName="anyone")
        assert denied(iam.list_users)


@on_moto
@pytest.mark.parametrize("end", ["delete", "rotate"])
def test_a_key_that_ended_opens_nothing_any_more(alice: Caller, end: str) -> None:
    key = new_key(alice)
    named = {"Bucket": MOTO_BUCKET, "Key": "alice/a.txt"}
    new = None
    if end == "delete":
        alice.delete(f"/api/credentials/access-key/{key['access_key_id']}")
    else:
        body = {"old_access_key_id": key["access_key_id"]}
        new = alice.post("/api/credentials/access-key/rotate", json=body).get_json()

    with enable_iam_authentication():
        with pytest.raises(ClientError, match="InvalidAccessKeyId"):
            s3_client(key).put_object(**named, Body=b"")
        if new is not None:
            assert s3_client(new).put_object(**named, Body=b"")
