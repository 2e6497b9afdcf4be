"""Contract: ``put`` stores whole objects or nothing."""

import tracemalloc
from collections.abc import Iterator
from datetime import timedelta

import pytest

from softfactory.errors import ObjectNotFound
from softfactory.storage.base import Storage
from softfactory.storage.keys import Key
from tests.storage.backends import STREAMING, VERSIONS, Backend
from tests.storage.samples import (
    MIB,
    SPECIAL_KEYS,
    Cut,
    Killed,
    broken_off,
    names,
    payload,
    pieces,
    read,
    store,
)

KEY = Key("alice/report.pdf")


@pytest.mark.parametrize(
    "size", [0, 1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 8 * MIB, 8 * MIB + 1, 16 * MIB + 1]
)
def test_bytes_come_back_as_they_were_put(storage: Storage, size: int) -> None:
    data = payload(size)

    info = storage.put(KEY, pieces(data, 1 * MIB))

    assert info.size == size
    assert read(storage, KEY) == data


@pytest.mark.parametrize("sizes", [(1, 0, 7919, 3), (0, 65536, 0, 1), (3 * MIB + 7, 0)])
def test_chunks_may_have_any_size_and_be_empty(storage: Storage, sizes: tuple[int, ...]) -> None:
    data = payload(200_003)

    storage.put(KEY, pieces(data, *sizes))

    assert read(storage, KEY) == data


def test_one_chunk_may_be_larger_than_a_part(storage: Storage) -> None:
    data = payload(17 * MIB + 3)

    storage.put(KEY, [b"", data, b""])

    assert read(storage, KEY) == data


def test_no_chunks_at_all_make_an_empty_object(storage: Storage) -> None:
    info = storage.put(KEY, iter(()))

    assert info.size == 0
    assert read(storage, KEY) == b""
    assert names(storage) == [KEY]


def test_chunks_are_consumed_once(storage: Storage) -> None:
    chunks = pieces(payload(9 * MIB), 100_000)

    storage.put(KEY, chunks)

    assert list(chunks) == []


def test_put_returns_what_head_tells(storage: Storage) -> None:
    info = storage.put(KEY, [b"content"], content_type="text/plain", metadata={"owner": "alice"})

    head = storage.head(KEY)
    assert (info.key, info.size, info.etag) == (head.key, head.size, head.etag)
    assert (info.content_type, info.metadata) == (head.content_type, head.metadata)
    assert (info.version_id, info.storage_class) == (head.version_id, head.storage_class)
    assert abs(info.last_modified - head.last_modified) < timedelta(seconds=2)


def test_a_large_put_returns_what_head_tells(storage: Storage) -> None:
    info = storage.put(
        KEY, pieces(payload(17 * MIB), MIB), content_type="video/mp4", metadata={"owner": "alice"}
    )

    head = storage.head(KEY)
    assert (info.key, info.size, info.etag) == (head.key, head.size, head.etag)
    assert (info.content_type, info.metadata) == ("video/mp4", {"owner": "alice"})
    assert (head.content_type, head.metadata) == ("video/mp4", {"owner": "alice"})
    assert info.version_id == head.version_id


def test_content_type_defaults_to_octet_stream(storage: Storage) -> None:
    store(storage, KEY)

    assert storage.head(KEY).content_type == "application/octet-stream"


@pytest.mark.parametrize("content_type", ["text/plain; charset=utf-8", "image/svg+xml"])
def test_content_type_comes_back_as_it_was_put(storage: Storage, content_type: str) -> None:
    storage.put(KEY, [b"x"], content_type=content_type)

    assert storage.head(KEY).content_type == content_type


@pytest.mark.parametrize("size", [0, 3, 17 * MIB])
def test_content_type_is_asked_once_after_the_last_chunk(storage: Storage, size: int) -> None:
    events: list[str] = []

    def chunks() -> Iterator[bytes]:
        yield from pieces(payload(size), MIB)
        events.append("last chunk")

    def content_type() -> str:
        events.append("content type")
        return "image/png"

    info = storage.put(KEY, chunks(), content_type=content_type)

    assert events == ["last chunk", "content type"]
    assert info.content_type == "image/png"
    assert storage.head(KEY).content_type == "image/png"


@pytest.mark.parametrize("size", [0, 3, 17 * MIB])
def test_a_content_type_that_raises_passes_through_and_stores_nothing(
    backend: Backend, size: int
) -> None:
    storage = backend.storage
    store(storage, KEY, b"old")
    before = backend.inventory()

    def content_type() -> str:
        raise Cut

    with pytest.raises(Cut):
        storage.put(KEY, pieces(payload(size), MIB), content_type=content_type)

    assert read(storage, KEY) == b"old"
    assert backend.inventory() == before


@pytest.mark.parametrize("error", [Cut(), Killed()])
@pytest.mark.parametrize("size", [0, 1, 17 * MIB])
def test_chunks_that_raise_pass_their_error_through_and_store_nothing(
    backend: Backend, size: int, error: BaseException
) -> None:
    before = backend.inventory()

    with pytest.raises((Cut, Killed)) as raised:
        backend.storage.put(KEY, broken_off(payload(size), error))

    assert raised.value is error
    assert names(backend.storage) == []
    assert list(backend.storage.list_multiparts()) == []
    assert backend.inventory() == before


@pytest.mark.parametrize("size", [1, 17 * MIB])
def test_a_put_that_is_cut_off_leaves_the_old_object_as_it_was(backend: Backend, size: int) -> None:
    old = store(backend.storage, KEY, b"old")
    before = backend.inventory()

    with pytest.raises(Cut):
        backend.storage.put(KEY, broken_off(payload(size), Cut()))

    assert read(backend.storage, KEY) == b"old"
    assert backend.storage.head(KEY).etag == old.etag
    assert backend.inventory() == before


def test_nothing_shows_before_the_last_chunk_is_in(storage: Storage) -> None:
    seen: list[list[str]] = []

    def chunks() -> Iterator[bytes]:
        for piece in pieces(payload(17 * MIB), MIB):
            yield piece
            seen.append(names(storage))

    storage.put(KEY, chunks())

    assert seen == [[]] * len(seen)
    assert names(storage) == [KEY]


def test_an_overwrite_replaces_bytes_type_and_metadata(storage: Storage) -> None:
    old = storage.put(KEY, [b"old"], content_type="text/plain", metadata={"a": "1", "b": "2"})

    new = storage.put(KEY, [b"new bytes"], content_type="text/html", metadata={"b": "3"})

    head = storage.head(KEY)
    assert read(storage, KEY) == b"new bytes"
    assert (head.size, head.content_type, head.metadata) == (9, "text/html", {"b": "3"})
    assert head.etag == new.etag != old.etag
    assert names(storage) == [KEY]


def test_an_overwrite_without_type_and_metadata_keeps_neither(storage: Storage) -> None:
    storage.put(KEY, [b"old"], content_type="text/plain", metadata={"a": "1"})

    store(storage, KEY)

    head = storage.head(KEY)
    assert (head.content_type, head.metadata) == ("application/octet-stream", {})


def test_metadata_comes_back_as_it_was_put(storage: Storage) -> None:
    metadata = {
        "original-name": "report%20(1).pdf",
        "sha256": "0" * 64,
        "x1": "a, b; c=\"d\" 'e' ~!@#$^&*()<>[]{}|\\/?",
    }

    storage.put(KEY, [b"x"], metadata=metadata)

    assert storage.head(KEY).metadata == metadata


def test_metadata_may_be_two_kilobytes(storage: Storage) -> None:
    metadata = {f"name-{n}": "v" * 193 for n in range(10)}  # 10 x (6 + 193) bytes

    storage.put(KEY, [b"x"], metadata=metadata)

    assert storage.head(KEY).metadata == metadata


def test_every_valid_key_is_an_object_of_its_own(storage: Storage) -> None:
    for key in SPECIAL_KEYS:
        storage.put(key, [key.encode()])

    found = {key: read(storage, key) for key in SPECIAL_KEYS}

    assert found == {key: key.encode() for key in SPECIAL_KEYS}


def test_an_object_and_a_folder_of_one_name_live_side_by_side(storage: Storage) -> None:
    store(storage, "a/b/c", b"leaf")
    store(storage, "a/b", b"middle")
    store(storage, "a", b"top")

    storage.delete(Key("a/b"))

    assert read(storage, "a") == b"top"
    assert read(storage, "a/b/c") == b"leaf"
    with pytest.raises(ObjectNotFound):
        storage.head(Key("a/b"))


def test_different_bytes_of_one_key_have_different_etags(storage: Storage) -> None:
    contents = [b"", b"\0", b"\1", b"\0\0", payload(100, 1), payload(100, 2)]
    contents += [payload(9 * MIB, 1), payload(9 * MIB, 2)]

    etags = {storage.put(KEY, [content]).etag for content in contents}

    assert len(etags) == len(contents)


def test_etags_have_no_quotes(storage: Storage) -> None:
    etag = store(storage, KEY).etag

    assert etag
    assert '"' not in etag


@pytest.mark.needs(VERSIONS)
def test_each_put_has_a_version_id_of_its_own(storage: Storage) -> None:
    first = store(storage, KEY, b"same")
    second = store(storage, KEY, b"same")

    assert first.version_id
    assert second.version_id
    assert first.version_id != second.version_id


def test_last_modified_is_the_time_of_the_put(backend: Backend) -> None:
    info = store(backend.storage, KEY)

    assert info.last_modified.utcoffset() == timedelta(0)
    assert abs(info.last_modified - backend.clock()) < timedelta(seconds=10)


@pytest.mark.needs(STREAMING)
def test_memory_does_not_grow_with_the_object(storage: Storage) -> None:
    block = payload(MIB)

    tracemalloc.start()
    storage.put(KEY, (block for _ in range(160)))
    with storage.open(KEY) as stored:
        size = sum(len(chunk) for chunk in stored.chunks())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size == 160 * MIB
    assert peak < 80 * MIB
