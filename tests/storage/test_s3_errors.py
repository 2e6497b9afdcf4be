"""S3 adapter: what servers, networks and missing keys do to it, and what it says then."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError
from botocore.stub import ANY, Stubber

from softfactory.errors import (
    InvalidPart,
    ObjectArchived,
    ObjectNotFound,
    SoftFactoryError,
    StorageError,
    StorageFull,
    UploadNotFound,
)
from softfactory.storage.keys import Key
from softfactory.storage.s3 import S3Storage

KEY = Key("alice/photo.jpg")
ETAG = '"900150983cd24fb0d6963f7d28e17f72"'
ACCESS_KEY_ID, SECRET_ACCESS_KEY = "AKIAOFTHETEST", "secret-of-the-test"


def storage_at(endpoint_url: str = "http://127.0.0.1:9") -> S3Storage:
    return S3Storage(
        bucket="bucket",
        endpoint_url=endpoint_url,
        access_key_id=ACCESS_KEY_ID,
        secret_access_key=SECRET_ACCESS_KEY,
    )


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler, int], None]) -> Iterator[S3Storage]:
    """Give a storage on a server that answers each GET and HEAD by ``answer(handler, number)``."""
    count = 0

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal count
            count += 1
            answer(self, count)

        do_HEAD = do_GET  # noqa: N815  # the name that http.server calls

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            storage = storage_at(f"http://127.0.0.1:{server.server_port}")
            yield storage
            storage.client.close()
        finally:
            server.shutdown()
            thread.join()


def send_headers(handler: BaseHTTPRequestHandler, status: int, length: int = 0) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(length))
    handler.send_header("ETag", ETAG)
    handler.send_header("Last-Modified", "Fri, 21 Nov 2025 12:00:00 GMT")
    handler.end_headers()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("NoSuchKey", ObjectNotFound),
        ("404", ObjectNotFound),
        ("NoSuchVersion", ObjectNotFound),
        ("InvalidObjectState", ObjectArchived),
        ("NoSuchUpload", UploadNotFound),
        ("EntityTooSmall", InvalidPart),
        ("QuotaExceeded", StorageFull),
        ("NoSuchBucket", StorageError),
        ("AccessDenied", StorageError),
        ("SlowDown", StorageError),
        ("InternalError", StorageError),
        ("SomethingNew", StorageError),
    ],
)
def test_each_code_of_s3_becomes_the_error_that_storage_promises(
    code: str, error: type[SoftFactoryError]
) -> None:
    storage = storage_at()
    with Stubber(storage.client) as stub:
        stub.add_client_error("get_object", code, f"about {ACCESS_KEY_ID}", 400)

        with pytest.raises(SoftFactoryError) as raised:
            storage.open(KEY)

    assert type(raised.value) is error
    assert code in str(raised.value.__cause__)
    assert ACCESS_KEY_ID not in str(raised.value)


@pytest.mark.parametrize("code", ["400", "InvalidArgument", "405", "MethodNotAllowed"])
def test_a_version_id_that_s3_cannot_read_is_a_version_not_found(code: str) -> None:
    storage = storage_at()
    with Stubber(storage.client) as stub:
        stub.add_client_error("head_object", code)

        with pytest.raises(ObjectNotFound):
            storage.head(KEY, version_id="nope")


def test_a_bad_request_without_a_version_is_no_missing_object() -> None:
    storage = storage_at()
    with Stubber(storage.client) as stub:
        stub.add_client_error("head_object", "400")

        with pytest.raises(StorageError):
            storage.head(KEY)


def test_a_missing_upload_is_told_apart_where_the_server_has_one_code_for_both() -> None:
    storage = storage_at()
    with Stubber(storage.client) as stub:
        stub.add_client_error("list_parts", "NoSuchKey")

        with pytest.raises(UploadNotFound):
            storage.list_parts(KEY, "nope")


def test_a_part_of_a_missing_upload_is_not_even_read() -> None:
    storage = storage_at()
    chunks = iter([b"x"])
    with Stubber(storage.client) as stub:
        stub.add_client_error("list_parts", "NoSuchUpload")

        with pytest.raises(UploadNotFound):
            storage.put_part(KEY, "nope", 1, chunks, size=1)

    assert next(chunks) == b"x"


def test_a_server_that_cannot_be_reached_is_a_storage_error_without_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)

    with pytest.raises(StorageError) as raised:
        storage_at("http://127.0.0.1:9").head(KEY)

    assert "127.0.0.1" not in str(raised.value)
    assert "127.0.0.1" in str(raised.value.__cause__)


def test_without_credentials_every_verb_is_a_storage_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    storage = S3Storage(bucket="bucket")

    with pytest.raises(StorageError) as raised:
        storage.head(KEY)

    assert isinstance(raised.value.__cause__, NoCredentialsError)


def test_a_server_that_is_busy_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)

    with answering(lambda handler, n: send_headers(handler, 503 if n < 3 else 200)) as storage:
        info = storage.head(KEY)

    assert info.last_modified == datetime(2025, 11, 21, 12, tzinfo=UTC)


def test_a_server_that_stays_busy_is_a_storage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    asked = []

    def refuse(handler: BaseHTTPRequestHandler, number: int) -> None:
        asked.append(number)
        send_headers(handler, 503)

    with answering(refuse) as storage, pytest.raises(StorageError):
        storage.head(KEY)

    assert asked == [1, 2, 3, 4]


@pytest.mark.parametrize("start", [0, 10])
def test_a_stream_that_breaks_off_is_a_storage_error(start: int) -> None:
    def break_off(handler: BaseHTTPRequestHandler, number: int) -> None:
        send_headers(handler, 200, length=100)
        handler.wfile.write(b"x" * 40)

    with answering(break_off) as storage, storage.open(KEY) as opened:
        received: list[bytes] = []
        with pytest.raises(StorageError):
            received.extend(opened.chunks(start))

    assert b"".join(received) == b"x" * 40


def test_a_range_names_the_bytes_that_were_opened() -> None:
    storage = storage_at()
    head = {
        "ContentLength": 3,
        "ETag": ETAG,
        "LastModified": datetime(2025, 11, 21, tzinfo=UTC),
        "VersionId": "v1",
    }
    with Stubber(storage.client) as stub:
        stub.add_response("get_object", {**head, "Body": Body(b"abc")}, {"Bucket": ANY, "Key": KEY})
        stub.add_response(
            "get_object",
            {**head, "Body": Body(b"c")},
            {
                "Bucket": "bucket",
                "Key": KEY,
                "Range": "bytes=2-2",
                "IfMatch": ETAG,
                "VersionId": "v1",
            },
        )

        with storage.open(KEY) as opened:
            found = b"".join(opened.chunks(2))

    assert found == b"c"


def test_bytes_that_were_replaced_since_opening_are_a_storage_error() -> None:
    storage = storage_at()
    head = {"ContentLength": 3, "ETag": ETAG, "LastModified": datetime(2025, 11, 21, tzinfo=UTC)}
    with Stubber(storage.client) as stub:
        stub.add_response("get_object", {**head, "Body": Body(b"abc")})
        stub.add_client_error("get_object", "PreconditionFailed", http_status_code=412)

        with storage.open(KEY) as opened, pytest.raises(StorageError):
            list(opened.chunks(2))


def test_an_empty_page_before_the_end_is_passed_over() -> None:
    storage = storage_at()
    item = {"Key": KEY, "Size": 1, "ETag": ETAG, "LastModified": datetime(2025, 11, 21, tzinfo=UTC)}
    with Stubber(storage.client) as stub:
        stub.add_response("list_objects_v2", {"IsTruncated": True, "NextContinuationToken": "on"})
        stub.add_response("list_objects_v2", {"IsTruncated": True, "Contents": [item]})

        page = storage.list_objects(limit=1)

    assert [found.key for found in page.objects] == [KEY]
    assert page.next_start_after == KEY


def test_a_fork_gets_a_client_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = storage_at()
    ours = storage.client
    again = storage.client
    monkeypatch.setattr(os, "getpid", lambda: -1)

    theirs = storage.client

    assert again is ours
    assert theirs is not ours


class Body:
    """What botocore hands out as a body."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, amount: int) -> bytes:
        data, self._data = self._data[:amount], self._data[amount:]
        return data

    def close(self) -> None:
        pass
