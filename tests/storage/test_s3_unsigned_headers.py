"""S3 adapter: what a client adds to a signed URL's request unsigned is refused, or has no effect.

Amazon's own S3 refuses every ``x-amz-*`` header that is not signed. Ceph's gateway obeys them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from config import Config
from scripts.create_bucket import create_bucket
from softfactory.storage.base import SignedUrl
from softfactory.storage.credentials import SessionCredentials
from softfactory.storage.credentials.issuer import AwsIssuer
from softfactory.storage.credentials.upload_sessions import UploadSessions
from softfactory.storage.keys import Key, staging_key
from softfactory.storage.s3 import S3Storage
from softfactory.storage.signing import UrlSigner
from tests.servers.s3_buckets import (
    ACCESS_KEY_ID,
    ENDPOINT_URL,
    SECRET_ACCESS_KEY,
    Bucket,
    bucket_on,
    needs_server,
    role_for,
)

pytestmark = needs_server

FOREIGN = Key("users/7f3c/secret.txt")
OWN = Key("alice/own.txt")
STAGED = staging_key(username="alice", unique="0" * 24, filename="a.txt")
FILE = Key("alice/a.txt")
SENT = b"sent"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
EVERYONE = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'

COPIES = {
    "another's object": "/{bucket}/users/7f3c/secret.txt",
    "another bucket's object": "/{other}/secret.txt",
    "an object of one's own": "/{bucket}/alice/own.txt",
    "without a slash": "{bucket}/users/7f3c/secret.txt",
    "encoded": "/{bucket}/users%2F7f3c%2Fsecret.txt",
}

OPENINGS = {
    **{
        f"acl {acl}": {"x-amz-acl": acl}
        for acl in ("public-read", "public-read-write", "authenticated-read")
    },
    **{
        f"grant {permission}": {f"x-amz-grant-{permission}": EVERYONE}
        for permission in ("read", "write", "read-acp", "write-acp", "full-control")
    },
}

SAID: dict[str, dict[str, str]] = {
    "tags": {"x-amz-tagging": "a=b"},
    "redirect": {"x-amz-website-redirect-location": "https://evil.test/"},
    "class": {"x-amz-storage-class": "REDUCED_REDUNDANCY"},
    "metadata": {"x-amz-meta-a": "b"},
    "encryption": {"x-amz-server-side-encryption": "AES256"},
    "lock": {
        "x-amz-object-lock-mode": "COMPLIANCE",
        "x-amz-object-lock-retain-until-date": "2040-01-01T00:00:00Z",
    },
    "hold": {"x-amz-object-lock-legal-hold": "ON"},
    "headers": {
        "Cache-Control": "max-age=9",
        "Content-Disposition": "inline",
        "Content-Language": "de",
        "Expires": "Thu, 01 Dec 2044 16:00:00 GMT",
    },
}


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with bucket_on("rgw") as bucket:
        bucket.storage.put(FOREIGN, [b"SECRET"])
        bucket.storage.put(OWN, [b"own"])
        yield bucket


@pytest.fixture(scope="module")
def other() -> Iterator[str]:
    """The name of another bucket, with a secret in it."""
    with bucket_on("rgw") as other:
        other.storage.put(Key("secret.txt"), [b"SECRET"])
        yield other.name


@pytest.fixture(scope="module")
def storage(bucket: Bucket) -> Iterator[S3Storage]:
    """The adapter as it is where a role is configured."""
    with role_for(bucket.name) as arn:
        yield adapter(bucket, upload_sessions=sessions(bucket, arn))


def adapter(bucket: Bucket, **options: Any) -> S3Storage:
    return S3Storage(**server(bucket), **options)


def sessions(bucket: Bucket, role_arn: str) -> UploadSessions:
    return UploadSessions(AwsIssuer(**server(bucket), role_arn=role_arn))


def server(bucket: Bucket) -> dict[str, Any]:
    return {
        "bucket": bucket.name,
        "endpoint_url": ENDPOINT_URL,
        "access_key_id": ACCESS_KEY_ID,
        "secret_access_key": SECRET_ACCESS_KEY,
    }


def send(url: SignedUrl, headers: dict[str, str], body: bytes = SENT) -> int:
    return requests.put(url, data=body, headers=headers, timeout=10).status_code


def told(bucket: Bucket, key: Key) -> dict[str, Any]:
    """What of an object its writer alone could have said, and who may read it."""
    named: dict[str, Any] = {"Bucket": bucket.name, "Key": key}
    head = bucket.client.head_object(**named)
    names = ("Metadata", "WebsiteRedirectLocation", "CacheControl", "ContentDisposition",
             "ContentLanguage", "Expires", "ObjectLockMode", "ObjectLockLegalHoldStatus")  # fmt: skip
    grants = bucket.client.get_object_acl(**named)["Grants"]
    return {
        **{name: head[name] for name in names if head.get(name)},  # type: ignore[literal-required]
        **(
            {"class": found}
            if (found := head.get("StorageClass", "STANDARD")) != "STANDARD"
            else {}
        ),
        **({"tags": tags} if (tags := bucket.client.get_object_tagging(**named)["TagSet"]) else {}),
        **({"open": True} if any("URI" in grant["Grantee"] for grant in grants) else {}),
    }


def anonymous(bucket: Bucket, key: Key) -> int:
    return requests.get(bucket.storage.object_url(key), timeout=10).status_code


@pytest.mark.parametrize("source", COPIES)
def test_a_put_copies_nothing(bucket: Bucket, other: str, storage: S3Storage, source: str) -> None:
    header = {"x-amz-copy-source": COPIES[source].format(bucket=bucket.name, other=other)}

    for body in (b"", SENT):
        url = storage.presign_put(STAGED, size=len(body), expires_in=MINUTE)
        assert send(url, header, body) in (400, 403)
        assert send(url, {**header, "x-amz-metadata-directive": "REPLACE"}, body) in (400, 403)

    assert bucket.storage.list_versions(STAGED) == []


@pytest.mark.parametrize("source", COPIES)
def test_a_part_copies_nothing(bucket: Bucket, other: str, storage: S3Storage, source: str) -> None:
    header = {"x-amz-copy-source": COPIES[source].format(bucket=bucket.name, other=other)}
    upload_id = storage.create_multipart(FILE)

    for body, declared in ((b"", {}), (b"", {"part_size": 9, "size": 0}), (SENT, {})):
        (url,) = storage.presign_parts(FILE, upload_id, [1], expires_in=MINUTE, **declared)
        assert send(url, header, body) in (400, 403)
        assert send(url, {**header, "x-amz-copy-source-range": "bytes=0-3"}, body) in (400, 403)

    assert storage.list_parts(FILE, upload_id) == []
    storage.abort_multipart(FILE, upload_id)


@pytest.mark.parametrize("header", OPENINGS)
def test_a_put_opens_nothing_to_others(bucket: Bucket, storage: S3Storage, header: str) -> None:
    url = storage.presign_put(STAGED, size=len(SENT), expires_in=MINUTE)

    status = send(url, OPENINGS[header])

    assert status == 403
    assert bucket.storage.list_versions(STAGED) == []


@pytest.mark.parametrize("header", SAID)
def test_what_else_a_put_says_is_not_said_of_the_file(
    bucket: Bucket, storage: S3Storage, header: str
) -> None:
    url = storage.presign_put(STAGED, size=len(SENT), expires_in=MINUTE)

    if send(url, SAID[header]) == 200:
        storage.copy(STAGED, FILE, content_type="text/plain", as_new=True)
    else:
        storage.put(FILE, [SENT])

    assert told(bucket, FILE) == {}
    assert anonymous(bucket, STAGED) in (403, 404)
    assert anonymous(bucket, FILE) == 403
    storage.purge(STAGED)
    storage.purge(FILE)


@pytest.mark.parametrize("header", [*OPENINGS, *SAID])
def test_what_a_part_says_is_not_said_of_the_file(
    bucket: Bucket, storage: S3Storage, header: str
) -> None:
    upload_id = storage.create_multipart(FILE)
    (url,) = storage.presign_parts(FILE, upload_id, [1], expires_in=MINUTE, part_size=9, size=4)

    send(url, {**OPENINGS, **SAID}[header])
    etag = storage.put_part(FILE, upload_id, 1, [SENT], size=4).etag
    storage.complete_multipart(FILE, upload_id, [(1, etag)])

    assert told(bucket, FILE) == {}
    assert anonymous(bucket, FILE) == 403
    storage.purge(FILE)


def test_a_put_url_changes_nothing_but_the_bytes(bucket: Bucket, storage: S3Storage) -> None:
    storage.put(STAGED, [SENT])

    for what in ("acl", "tagging", "retention", "legal-hold", "restore", "versionId=null"):
        url = storage.presign_put(STAGED, size=len(SENT), expires_in=MINUTE)
        assert requests.put(f"{url}&{what}", data=SENT, timeout=10).status_code == 403, what

    assert len(bucket.storage.list_versions(STAGED)) == 1
    storage.purge(STAGED)


def test_the_content_encoding_of_a_put_is_kept(bucket: Bucket, storage: S3Storage) -> None:
    url = storage.presign_put(STAGED, size=len(SENT), expires_in=MINUTE)
    send(url, {"Content-Encoding": "br"})

    storage.copy(STAGED, FILE, content_type="text/plain", as_new=True)

    head = bucket.client.head_object(Bucket=bucket.name, Key=FILE)
    assert head["ContentEncoding"] == "br"
    storage.purge(STAGED)
    storage.purge(FILE)


def test_a_user_costs_one_session_for_many_urls(storage: S3Storage) -> None:
    urls = [storage.presign_put(STAGED, size=n, expires_in=MINUTE) for n in range(3)]
    other = storage.presign_put(Key("bob/.uploads/a/b"), size=1, expires_in=MINUTE)

    tokens = [parse_qs(urlsplit(url).query)["X-Amz-Security-Token"][0] for url in (*urls, other)]
    assert len(set(tokens)) == 2


# --- what finds such a server ------------------------------------------------------------------


def test_the_check_refuses_the_server_where_there_is_no_role(bucket: Bucket) -> None:
    before = bucket.inventory()

    (problem,) = bucket.storage.check()

    assert "obeys headers that its upload URLs do not sign" in problem
    assert "x-amz-copy-source" in problem
    assert "Set AWS_ROLE_ARN" in problem
    assert bucket.inventory() == before


def test_the_check_finds_nothing_where_there_is_a_role(bucket: Bucket, storage: S3Storage) -> None:
    before = bucket.inventory()

    assert storage.check() == []
    assert bucket.inventory() == before


def test_the_check_finds_nothing_where_the_urls_lead_to_this_service(bucket: Bucket) -> None:
    storage = adapter(bucket, upload_signer=UrlSigner("s" * 40, "http://files.test"))

    assert storage.check() == []


def test_the_check_says_so_where_the_role_cannot_be_assumed(bucket: Bucket) -> None:
    storage = adapter(bucket, upload_sessions=sessions(bucket, "arn:aws:iam:::role/nobody"))

    (problem,) = storage.check()

    assert "may not issue credentials" in problem


def test_a_role_whose_sessions_are_not_held_to_their_policies_does_not_help(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = SessionCredentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY, "", datetime.now(UTC) + HOUR)
    loose = sessions(bucket, "arn:aws:iam:::role/loose")
    monkeypatch.setattr(loose, "of", lambda *_: everything)

    (problem,) = adapter(bucket, upload_sessions=loose).check()

    assert "although AWS_ROLE_ARN is set" in problem


# --- the bucket itself -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [{"ACL": "public-read"}, {"GrantRead": EVERYONE, "GrantFullControl": f'id="{ACCESS_KEY_ID}"'}],
    ids=["acl", "grant"],
)
def test_in_the_bucket_that_is_made_for_the_service_no_acl_opens_an_object(
    said: dict[str, Any],
) -> None:
    with bucket_on("rgw") as bucket:
        create_bucket(
            Config(
                app_env="testing",
                upload_storage_handler="s3",
                aws_s3_bucket=bucket.name,
                aws_s3_endpoint_url=ENDPOINT_URL,
                aws_access_key_id=ACCESS_KEY_ID,
                aws_secret_access_key=SECRET_ACCESS_KEY,
            )
        )
        put, copied, joined = Key("alice/put"), Key("alice/copied"), Key("alice/joined")
        client: Any = bucket.client
        named = {"Bucket": bucket.name}
        client.put_object(**named, Key=put, Body=SENT, **said)
        client.copy_object(**named, Key=copied, CopySource=f"{bucket.name}/{put}", **said)
        upload_id = client.create_multipart_upload(**named, Key=joined, **said)["UploadId"]
        etag = bucket.storage.put_part(joined, upload_id, 1, [SENT], size=len(SENT)).etag
        bucket.storage.complete_multipart(joined, upload_id, [(1, etag)])

        assert [anonymous(bucket, key) for key in (put, copied, joined)] == [403] * 3
        url = bucket.storage.presign_put(OWN, size=len(SENT), expires_in=MINUTE)
        assert send(url, {}) == 200
