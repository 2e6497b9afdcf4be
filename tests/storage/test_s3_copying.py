"""S3 adapter: what a put or a copy of several requests leaves, on moto and on a real server."""

from collections.abc import Iterator
from typing import Any

import pytest

from softfactory.errors import StorageError
from softfactory.storage.base import MIN_PART_SIZE, StorageClass
from softfactory.storage.keys import Key
from softfactory.storage.s3 import S3Storage, copying
from softfactory.storage.s3.part_memory import PART_SIZE, PartMemory
from tests.servers.s3_buckets import SERVERS, Bucket, bucket_on
from tests.storage.samples import payload, pieces, read

KEY = Key("alice/film.mp4")
COPY = Key("alice/copy.mp4")
DATA = payload(2 * MIN_PART_SIZE + 17)
LARGE = payload(2 * PART_SIZE + 17)


@pytest.fixture(params=SERVERS)
def bucket(request: pytest.FixtureRequest) -> Iterator[Bucket]:
    with bucket_on(request.param) as bucket:
        yield bucket


@pytest.fixture
def storage(bucket: Bucket) -> S3Storage:
    return bucket.storage


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is true of 5 GiB, true of 5 MiB."""
    monkeypatch.setattr(copying, "MAX_COPY_SIZE", MIN_PART_SIZE)
    monkeypatch.setattr(copying, "COPY_PART_SIZE", MIN_PART_SIZE)


def test_a_copy_beyond_the_limit_has_the_bytes_type_and_metadata(
    storage: S3Storage, small_limits: None
) -> None:
    storage.put(KEY, pieces(DATA, 70_000), content_type="video/mp4", metadata={"owner": "alice"})

    info = storage.copy(KEY, COPY)

    assert info.etag.endswith("-3")
    assert (info.content_type, info.metadata) == ("video/mp4", {"owner": "alice"})
    assert read(storage, COPY) == DATA


def test_an_old_version_beyond_the_limit_is_copied(storage: S3Storage, small_limits: None) -> None:
    old = storage.put(KEY, pieces(DATA, 70_000))
    storage.put(KEY, [b"new"])

    storage.copy(KEY, COPY, version_id=old.version_id)

    assert read(storage, COPY) == DATA


def test_a_copy_beyond_the_limit_can_have_another_type(bucket: Bucket, small_limits: None) -> None:
    bucket.storage.put(KEY, pieces(DATA, 70_000), metadata={"owner": "alice"})

    bucket.storage.copy(KEY, COPY, content_type="video/mp4")

    head = bucket.storage.head(COPY)
    assert (head.content_type, head.metadata) == ("video/mp4", {"owner": "alice"})
    assert read(bucket.storage, COPY) == DATA


def test_a_copy_that_fails_half_way_leaves_nothing(
    bucket: Bucket, storage: S3Storage, small_limits: None
) -> None:
    storage.put(KEY, pieces(DATA, 70_000))
    before = bucket.inventory()
    bucket.refuse("UploadPartCopy")

    with pytest.raises(StorageError):
        storage.copy(KEY, COPY)

    assert bucket.inventory() == before


def test_what_others_stored_with_an_object_survives_a_copy_of_another_type(
    bucket: Bucket, storage: S3Storage
) -> None:
    said: dict[str, Any] = {
        "CacheControl": "max-age=60",
        "ContentDisposition": "inline",
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
    }
    bucket.client.put_object(Bucket=bucket.name, Key=KEY, Body=b"x", **said)

    storage.copy(KEY, COPY, content_type="text/plain")

    head = bucket.client.head_object(Bucket=bucket.name, Key=COPY)
    assert head["ContentType"] == "text/plain"
    assert {name: head[name] for name in said} == said  # type: ignore[literal-required]


@pytest.mark.parametrize("content_type", ["video/mp4", "text/plain"])
def test_a_large_put_whose_type_comes_last_is_one_version_of_that_type(
    bucket: Bucket, content_type: str
) -> None:
    info = bucket.storage.put(KEY, pieces(LARGE, 70_000), content_type=lambda: content_type)

    assert info.content_type == bucket.storage.head(KEY).content_type == content_type
    assert read(bucket.storage, KEY) == LARGE
    assert len(bucket.inventory()) == 1


def test_a_large_put_whose_type_cannot_be_set_leaves_the_old_object(
    bucket: Bucket, storage: S3Storage
) -> None:
    storage.put(KEY, [b"old"])
    before = bucket.inventory()
    bucket.refuse("CopyObject")

    with pytest.raises(StorageError):
        storage.put(KEY, pieces(LARGE, 70_000), content_type=lambda: "text/plain")

    assert read(storage, KEY) == b"old"
    assert bucket.inventory() == before


@pytest.mark.parametrize("operation", ["UploadPart", "CompleteMultipartUpload"])
def test_a_large_put_that_is_refused_leaves_nothing(
    bucket: Bucket, storage: S3Storage, operation: str
) -> None:
    bucket.refuse(operation)

    with pytest.raises(StorageError):
        storage.put(KEY, pieces(LARGE, 70_000))

    assert bucket.inventory() == set()


def test_a_put_that_cannot_be_undone_reports_what_went_wrong_first(
    bucket: Bucket, storage: S3Storage, caplog: pytest.LogCaptureFixture
) -> None:
    bucket.refuse("UploadPart", "QuotaExceeded")
    bucket.refuse("AbortMultipartUpload")

    with pytest.raises(StorageError) as raised:
        storage.put(KEY, pieces(LARGE, 70_000))

    assert raised.value.code == "STORAGE_FULL"
    assert "could not abort" in caplog.text


def test_a_large_archived_put_whose_type_comes_last_is_archived_with_that_type() -> None:
    with bucket_on("moto") as bucket:
        info = bucket.storage.put(
            KEY,
            pieces(LARGE, 70_000),
            content_type=lambda: "text/plain",
            storage_class=StorageClass.GLACIER,
        )

        left = bucket.inventory()

    assert (info.content_type, info.storage_class) == ("text/plain", "GLACIER")
    assert len(left) == 1


def test_objects_that_cannot_be_deleted_are_reported_each(
    bucket: Bucket, storage: S3Storage, caplog: pytest.LogCaptureFixture
) -> None:
    storage.put(KEY, [b"x"])
    bucket.refuse("DeleteObjects")

    failures = storage.delete_many([KEY, COPY])

    assert [failure.key for failure in failures] == [KEY, COPY]
    assert read(storage, KEY) == b"x"
    assert "could not delete 2 objects" in caplog.text


def test_more_objects_than_one_request_takes_are_deleted() -> None:
    keys = [Key(f"{number}") for number in range(1001)]
    with bucket_on("moto") as bucket:
        bucket.storage.put(keys[0], [b"x"])
        bucket.storage.put(keys[-1], [b"x"])

        failures = bucket.storage.delete_many(keys)
        left = bucket.storage.list_objects()

    assert failures == []
    assert left.objects == []


@pytest.mark.parametrize(
    ("sizes", "parts"),
    [
        ([], [0]),
        ([0], [0]),
        ([4], [4]),
        ([1, 1, 1, 1], [4]),
        ([5], [4, 1]),
        ([4, 0], [4]),
        ([3, 3], [4, 2]),
        ([8], [4, 4]),
        ([1, 12, 1], [4, 4, 4, 2]),
    ],
)
def test_chunks_of_any_size_become_full_parts_and_a_rest(
    sizes: list[int], parts: list[int]
) -> None:
    data = payload(sum(sizes))
    remaining = iter(data)
    chunks = [bytes(next(remaining) for _ in range(size)) for size in sizes]

    parts_made = PartMemory().split(chunks, 4)
    found = [bytes(part) for part, _ in parts_made if isinstance(part, bytearray)]

    assert [len(part) for part in found] == parts
    assert b"".join(found) == data


@pytest.mark.parametrize(("stored", "shown"), [("aws-chunked,gzip", "gzip"), ("aws-chunked", None)])
def test_a_framing_that_a_client_stored_as_an_encoding_is_none(
    bucket: Bucket, stored: str, shown: str | None
) -> None:
    bucket.client.put_object(Bucket=bucket.name, Key=KEY, Body=b"x", ContentEncoding=stored)

    copied = bucket.storage.copy(KEY, COPY)

    kept = bucket.client.head_object(Bucket=bucket.name, Key=COPY).get("ContentEncoding")
    assert (bucket.storage.head(KEY).content_encoding, copied.content_encoding) == (shown, shown)
    assert kept == shown
