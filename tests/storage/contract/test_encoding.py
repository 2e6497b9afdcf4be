"""Content-Encoding: kept with the bytes, through every change of their place, and given back."""

import pytest

from softfactory.errors import InvalidInput
from softfactory.storage.base import MIN_PART_SIZE, Storage, StorageClass
from softfactory.storage.keys import Key
from tests.storage.backends import ARCHIVE, VERSIONS

KEY, OTHER = Key("alice/a.json"), Key("alice/b.json")


def encoded(storage: Storage, key: Key = KEY, encoding: str | None = "gzip") -> None:
    storage.put(key, [b"packed"], content_type="text/plain", content_encoding=encoding)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("gzip", "gzip"),
        ("deflate, br", "deflate, br"),
        (None, None),
        ("aws-chunked", None),
        ("aws-chunked,gzip", "gzip"),
        ("gzip, AWS-Chunked", "gzip"),
    ],
)
def test_an_encoding_is_kept_but_not_the_framing_of_a_request(
    storage: Storage, sent: str | None, kept: str | None
) -> None:
    encoded(storage, encoding=sent)

    with storage.open(KEY) as stored:
        assert (storage.head(KEY).content_encoding, stored.info.content_encoding) == (kept, kept)


def test_an_encoding_goes_with_copies_and_renames(storage: Storage) -> None:
    encoded(storage)

    storage.copy(KEY, OTHER)
    storage.copy(KEY, Key("alice/new"), as_new=True, content_type="text/html")
    storage.rename(OTHER, Key("alice/moved"))
    storage.copy(KEY, KEY, content_type="text/css")

    names = ("alice/new", "alice/moved", KEY)
    assert [storage.head(Key(name)).content_encoding for name in names] == ["gzip"] * 3


@pytest.mark.needs(VERSIONS)
def test_every_version_has_its_own_encoding(storage: Storage) -> None:
    encoded(storage)
    encoded(storage, encoding=None)
    newest, oldest = storage.list_versions(KEY)

    found = [
        storage.head(KEY, version_id=version.version_id).content_encoding
        for version in (newest, oldest)
    ]

    assert found == [None, "gzip"]


@pytest.mark.needs(ARCHIVE)
def test_an_encoding_goes_to_the_archive(storage: Storage) -> None:
    encoded(storage)

    storage.set_storage_class(KEY, StorageClass.GLACIER)

    assert storage.head(KEY).content_encoding == "gzip"


def test_an_upload_in_parts_has_the_encoding_it_was_begun_with(storage: Storage) -> None:
    upload_id = storage.create_multipart(KEY, content_encoding="gzip")
    part = storage.put_part(KEY, upload_id, 1, [b"packed"], size=6)

    storage.complete_multipart(KEY, upload_id, [(1, part.etag)])

    assert storage.head(KEY).content_encoding == "gzip"


def test_a_large_object_keeps_its_encoding_while_its_type_is_found(storage: Storage) -> None:
    chunks = [b"x" * MIN_PART_SIZE] * 2

    storage.put(KEY, chunks, content_type=lambda: "text/plain", content_encoding="gzip")

    head = storage.head(KEY)
    assert (head.content_encoding, head.content_type) == ("gzip", "text/plain")


@pytest.mark.parametrize("encoding", ["gzip\r\nX-Evil: 1", "é", "x" * 256])
def test_an_encoding_that_is_no_header_is_refused(storage: Storage, encoding: str) -> None:
    with pytest.raises(InvalidInput):
        encoded(storage, encoding=encoding)

    assert storage.list_objects().objects == []
