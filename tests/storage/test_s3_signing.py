"""S3 adapter: URLs are signed as botocore signs them, and name what clients can reach."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, RefreshableCredentials

from softfactory.errors import InvalidInput
from softfactory.storage.base import SignedUrl
from softfactory.storage.keys import Key
from softfactory.storage.s3 import S3Storage
from tests.storage.samples import SPECIAL_KEYS

KEY = Key("alice/ü b+c%20&.txt")
NOW = datetime(2025, 11, 21, 23, 59, 58, tzinfo=UTC)
HOUR = timedelta(hours=1)


def storage_with(**options: str) -> S3Storage:
    keys: dict[str, Any] = {
        "access_key_id": "AKIAOFTHETEST",
        "secret_access_key": "secret/of+the=test",
    }
    said: dict[str, Any] = {"bucket": "bucket", "region": "eu-west-1", **keys, **options}
    return S3Storage(**said, clock=lambda: NOW)


def signed_by_botocore(
    method: str,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    token: str | None = None,
    size: int | None = None,
) -> str:
    """Sign ``url`` as it was before it was signed."""
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: NOW)
    parts = urlsplit(url)
    params = {
        name: value
        for name, [value] in parse_qs(parts.query, keep_blank_values=True).items()
        if not name.startswith("X-Amz-")
    }
    request = AWSRequest(method, f"{parts.scheme}://{parts.netloc}{parts.path}", params=params)
    if size is not None:
        request.headers["Content-Length"] = str(size)
    credentials = Credentials("AKIAOFTHETEST", "secret/of+the=test", token)
    S3SigV4QueryAuth(credentials, "s3", "eu-west-1", expires=3600).add_auth(request)
    return str(request.url)


def same(url: str, other: str) -> bool:
    """Whether two URLs say the same, in whatever order."""
    one, two = urlsplit(url), urlsplit(other)
    return one[:3] == two[:3] and parse_qs(one.query) == parse_qs(two.query)


URLS: dict[str, tuple[str, Callable[[S3Storage], SignedUrl]]] = {
    "get": ("GET", lambda s: s.presign_get(KEY, expires_in=HOUR)),
    "get a version as": (
        "GET",
        lambda s: s.presign_get(
            KEY,
            expires_in=HOUR,
            version_id="v+/=1",
            content_type="text/plain; charset=utf-8",
            content_disposition="attachment; filename=\"a b\"; filename*=UTF-8''%C3%A9",
        ),
    ),
    "put": ("PUT", lambda s: s.presign_put(KEY, size=5, expires_in=HOUR)),
    "part": ("PUT", lambda s: s.presign_parts(KEY, "2~up/l+d", [7], expires_in=HOUR)[0]),
    "last part": (
        "PUT",
        lambda s: s.presign_parts(KEY, "2~up/l+d", [7], expires_in=HOUR, part_size=10, size=65)[0],
    ),
}


@pytest.mark.parametrize("endpoint_url", ["", "https://s3.test", "http://s3.test:7480/path"])
@pytest.mark.parametrize("kind", URLS)
def test_every_url_is_signed_as_botocore_signs_it(
    kind: str, endpoint_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, sign = URLS[kind]

    url = sign(storage_with(endpoint_url=endpoint_url))

    size = 5 if kind in ("put", "last part") else None
    assert same(url, signed_by_botocore(method, url, monkeypatch, size=size))


def test_urls_of_every_key_are_signed_as_botocore_signs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage = storage_with()

    urls = [storage.presign_get(key, expires_in=HOUR) for key in SPECIAL_KEYS]

    assert [same(url, signed_by_botocore("GET", url, monkeypatch)) for url in urls] == [True] * len(
        SPECIAL_KEYS
    )


def test_temporary_credentials_sign_with_their_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHETEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret/of+the=test")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token/of+the=test")
    storage = storage_with(access_key_id="", secret_access_key="")

    url = storage.presign_put(KEY, size=5, expires_in=HOUR)

    assert parse_qs(urlsplit(url).query)["X-Amz-Security-Token"] == ["token/of+the=test"]
    assert same(url, signed_by_botocore("PUT", url, monkeypatch, token="token/of+the=test", size=5))


def test_a_plain_put_needs_no_header_but_those_that_every_client_sends() -> None:
    query = parse_qs(urlsplit(storage_with().presign_put(KEY, size=5, expires_in=HOUR)).query)

    assert query["X-Amz-SignedHeaders"] == ["content-length;host"]


def test_ten_thousand_part_urls_are_signed_while_a_client_waits() -> None:
    storage = storage_with(endpoint_url="https://s3.test")
    began = time.process_time()

    urls = storage.presign_parts(
        KEY, "2~upload", range(1, 10_001), expires_in=HOUR, part_size=10, size=100_000
    )

    assert len(set(urls)) == 10_000
    assert time.process_time() - began < 0.5  # half of that where nobody else computes


# --- how long they live -----------------------------------------------------------------------


def renewable(monkeypatch: pytest.MonkeyPatch, ends_in: timedelta) -> S3Storage:
    """Return a storage whose credentials are those of a machine's role, with that much left."""
    # By the real clock, which is botocore's.
    now = datetime.now(UTC)
    credentials = RefreshableCredentials(
        "AKIAOFTHETEST", "secret", "token", now + ends_in, dict, "test"
    )
    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda _: credentials)
    return S3Storage(bucket="bucket", region="eu-west-1", clock=lambda: now)


@pytest.mark.parametrize("kind", URLS)
def test_a_url_promises_no_more_than_its_signer_has_left(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    storage = renewable(monkeypatch, timedelta(minutes=20))

    url = URLS[kind][1](storage)

    seconds = int(parse_qs(urlsplit(url).query)["X-Amz-Expires"][0])
    assert timedelta(minutes=19) < timedelta(seconds=seconds) <= timedelta(minutes=20)
    assert url.expires_in == timedelta(seconds=seconds)
    assert url.expires_at - datetime.now(UTC) <= timedelta(minutes=20)


def test_a_url_says_when_it_ends() -> None:
    url = storage_with().presign_get(KEY, expires_in=HOUR)

    assert (url.expires_at, url.expires_in) == (NOW + HOUR, HOUR)


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, "https://bucket.s3.eu-west-1.amazonaws.com/a/%C3%BC%20b.txt"),
        ({"bucket": "a.b"}, "https://s3.eu-west-1.amazonaws.com/a.b/a/%C3%BC%20b.txt"),
        (
            {"region": "cn-north-1"},
            "https://bucket.s3.cn-north-1.amazonaws.com.cn/a/%C3%BC%20b.txt",
        ),
        ({"endpoint_url": "http://s3.test:9000/"}, "http://s3.test:9000/bucket/a/%C3%BC%20b.txt"),
        (
            {"endpoint_url": "http://10.0.0.1", "public_endpoint_url": "https://s3.test"},
            "https://s3.test/bucket/a/%C3%BC%20b.txt",
        ),
    ],
    ids=["AWS", "dot in the name", "China", "another server", "public endpoint"],
)
def test_urls_name_what_clients_can_reach(options: dict[str, str], url: str) -> None:
    storage = storage_with(**options)

    assert storage.object_url("a/ü b.txt") == url
    assert storage.presign_get(Key("a/ü b.txt"), expires_in=HOUR).startswith(url + "?")


@pytest.mark.parametrize(
    "expires_in", [timedelta(0), timedelta(days=7, seconds=1), timedelta(seconds=-1)]
)
def test_a_url_lives_a_second_to_seven_days(expires_in: timedelta) -> None:
    with pytest.raises(InvalidInput):
        storage_with().presign_get(KEY, expires_in=expires_in)
