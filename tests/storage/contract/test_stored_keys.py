"""Keys that this service would not write: whoever wrote them, every other verb takes them."""

from contextlib import suppress
from datetime import timedelta
from typing import cast

import pytest
from botocore.exceptions import ClientError

from softfactory.errors import ObjectNotFound
from softfactory.storage.base import Storage
from softfactory.storage.keys import Key, StoredKey
from tests.storage.backends import STRICT, VERSIONS, Backend, S3Backend

ODD = [
    "r/a//b",
    "r/./x",
    "r/../y",
    "r/n/..",
    "r//lead",
    "r/t\tab",
    "r/n\nl",
    "r/\x01ctl",
    "r/\x1f",
    "r/c\x85",
    "r/f\ufffe",
    "r/p%41%zz",
    "r/ ",
]


@pytest.fixture
def odd(storage: Storage) -> list[str]:
    """The keys of objects that are there, in key order."""
    for key in ODD:
        storage.put(cast(Key, key), [b"hello"])
    return sorted(ODD)


def test_a_list_goes_on_behind_every_key(storage: Storage, odd: list[str]) -> None:
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = storage.list_objects("r/", start_after=after, limit=1)
        found += [each.key for each in page.objects]
        after = page.next_start_after

    assert found == odd
    assert [storage.list_objects(key, limit=1).objects[0].key for key in odd] == odd


def test_every_key_is_described_copied_and_opened(storage: Storage, odd: list[str]) -> None:
    for key in map(StoredKey, odd):
        assert storage.head(key).size == 5
        with storage.open(key) as opened:
            assert b"".join(opened.chunks()) == b"hello"
        assert storage.copy(key, Key("copy")).size == 5


@pytest.mark.needs(STRICT)
def test_a_signed_url_gives_the_bytes_of_every_key(backend: Backend, odd: list[str]) -> None:
    for key in map(StoredKey, odd):
        url = backend.storage.presign_get(key, expires_in=timedelta(minutes=1))

        assert backend.http("GET", url).body == b"hello", key


def test_every_key_goes_in_one_batch(storage: Storage, odd: list[str]) -> None:
    assert storage.delete_many([*map(StoredKey, odd)]) == []

    assert storage.list_objects().objects == []
    with pytest.raises(ObjectNotFound):
        storage.head(StoredKey(odd[0]))


@pytest.mark.needs(VERSIONS, STRICT)
def test_old_versions_of_every_key_are_listed_and_swept(
    backend: Backend, storage: Storage, odd: list[str]
) -> None:
    for key in odd:
        storage.put(cast(Key, key), [b"newer"])
    assert [len(storage.list_versions(StoredKey(key))) for key in odd] == [2] * len(odd)
    moment = backend.pass_a_moment()

    assert storage.sweep_noncurrent(moment, prefix="r/") == len(odd)
    assert [len(storage.list_versions(StoredKey(key))) for key in odd] == [1] * len(odd)
    for key in map(StoredKey, odd):
        storage.purge(key)
    assert backend.inventory() == frozenset()


@pytest.mark.needs(STRICT)
def test_open_uploads_are_listed_and_aborted_whatever_their_keys(backend: Backend) -> None:
    if not isinstance(backend, S3Backend):
        return  # nobody else begins uploads on this machine's disk
    for key in ODD:
        with suppress(ClientError):  # the answer is unreadable, but the upload is open
            backend.client.create_multipart_upload(Bucket=backend.bucket, Key=key)

    found = [*backend.storage.list_multiparts()]
    for upload in found:
        backend.storage.abort_multipart(StoredKey(upload.key), upload.upload_id)

    assert sorted(upload.key for upload in found) == sorted(ODD)
    assert backend.inventory() == frozenset()
