"""Contract: a signed URL does one thing to one object until it expires, and nothing else."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import pytest

from softfactory.storage.base import MIN_PART_SIZE, Storage
from softfactory.storage.keys import Key
from tests.storage.backends import STRICT, VERSIONS, Backend
from tests.storage.samples import MIB, SPECIAL_KEYS, WHOLE_PART, names, payload, read, store

KEY = Key("alice/holiday photos/été #1 100%.jpg")
OTHER = Key("alice/other.jpg")
MINUTE = timedelta(minutes=1)

only_where_checked = pytest.mark.needs(STRICT)


def tampered(url: str) -> list[str]:
    """Return the URL with one character of its signature changed, and without any."""
    scheme, host, path, query, _ = urlsplit(url)
    last = "0" if query[-1] != "0" else "1"
    middle = len(query) // 2
    changed = query[:middle] + ("A" if query[middle] != "A" else "B") + query[middle + 1 :]
    return [
        urlunsplit((scheme, host, path, query[:-3] + last * 2 + query[-1], "")),
        urlunsplit((scheme, host, path, changed, "")),
        urlunsplit((scheme, host, path, "", "")),
    ]


def elsewhere(url: str, key: Key, other: Key) -> str:
    """Return the URL with its signature pointed at another key of equal rights."""
    scheme, host, path, query, _ = urlsplit(url)
    changed = unquote(path).replace(key, other)
    assert changed != path
    return urlunsplit((scheme, host, changed, query, ""))


# --- naming -----------------------------------------------------------------------------------


def test_every_key_has_a_url_of_its_own(storage: Storage) -> None:
    urls = {storage.object_url(key) for key in SPECIAL_KEYS}

    assert len(urls) == len(SPECIAL_KEYS)
    assert all(url.isascii() and " " not in url for url in urls)


def test_an_object_url_names_the_key_and_nothing_else(storage: Storage) -> None:
    for key in SPECIAL_KEYS:
        parts = urlsplit(storage.object_url(key))

        assert unquote(parts.path).endswith(f"/{key}")
        assert (parts.query, parts.fragment) == ("", "")


@only_where_checked
def test_an_object_url_gives_no_bytes(backend: Backend) -> None:
    store(backend.storage, KEY)

    answer = backend.http("GET", backend.storage.object_url(KEY))

    assert answer.status == 403
    assert b"content" not in answer.body


# --- reading ----------------------------------------------------------------------------------


def test_a_signed_url_gives_the_bytes(backend: Backend) -> None:
    data = payload(3 * MIB + 1)
    store(backend.storage, KEY, data)

    answer = backend.http("GET", backend.storage.presign_get(KEY, expires_in=MINUTE))

    assert answer.status == 200
    assert answer.body == data


def test_a_signed_url_gives_the_type_that_was_put(backend: Backend) -> None:
    backend.storage.put(KEY, [b"content"], content_type="image/jpeg")

    answer = backend.http("GET", backend.storage.presign_get(KEY, expires_in=MINUTE))

    assert answer.headers["Content-Type"] == "image/jpeg"


def test_keys_of_every_kind_can_be_read_by_url(backend: Backend) -> None:
    for key in SPECIAL_KEYS:
        backend.storage.put(key, [key.encode()])

    found = {
        key: backend.http("GET", backend.storage.presign_get(key, expires_in=MINUTE)).body
        for key in SPECIAL_KEYS
    }

    assert found == {key: key.encode() for key in SPECIAL_KEYS}


def test_a_signed_url_answers_with_the_type_and_disposition_asked_for(backend: Backend) -> None:
    store(backend.storage, KEY)
    disposition = "attachment; filename=\"a b.txt\"; filename*=UTF-8''%C3%A9%20b.txt"

    url = backend.storage.presign_get(
        KEY,
        expires_in=MINUTE,
        content_type="text/plain; charset=utf-8",
        content_disposition=disposition,
    )
    answer = backend.http("GET", url)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Content-Disposition"] == disposition


def test_a_signed_url_gives_a_range(backend: Backend) -> None:
    store(backend.storage, KEY, payload(1000))
    url = backend.storage.presign_get(KEY, expires_in=MINUTE)

    answer = backend.http("GET", url, headers={"Range": "bytes=10-19"})

    assert answer.status == 206
    assert answer.body == payload(1000)[10:20]


@pytest.mark.needs(VERSIONS)
def test_a_signed_url_gives_an_older_version(backend: Backend) -> None:
    old = store(backend.storage, KEY, b"old")
    store(backend.storage, KEY, b"newer")

    url = backend.storage.presign_get(KEY, expires_in=MINUTE, version_id=old.version_id)
    answer = backend.http("GET", url)

    assert answer.body == b"old"


def test_a_url_for_a_missing_object_is_404_when_it_is_used(backend: Backend) -> None:
    url = backend.storage.presign_get(KEY, expires_in=MINUTE)

    answer = backend.http("GET", url)

    assert answer.status == 404


def test_a_url_signed_before_the_object_was_there_gives_its_bytes(backend: Backend) -> None:
    url = backend.storage.presign_get(KEY, expires_in=MINUTE)
    store(backend.storage, KEY)

    answer = backend.http("GET", url)

    assert answer.body == b"content"


def test_urls_may_live_from_a_second_to_seven_days(backend: Backend) -> None:
    store(backend.storage, KEY)

    answers = [
        backend.http("GET", backend.storage.presign_get(KEY, expires_in=expires_in)).status
        for expires_in in (timedelta(seconds=1), timedelta(days=7))
    ]

    assert answers[1] == 200
    assert answers[0] in (200, 403)  # a second may be over when a slow server looks


# --- writing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 3 * MIB + 1])
def test_a_signed_url_takes_the_bytes_by_a_plain_put(backend: Backend, size: int) -> None:
    url = backend.storage.presign_put(KEY, size=size, expires_in=MINUTE)

    answer = backend.http("PUT", url, body=payload(size))

    assert answer.status in (200, 201, 204)
    assert read(backend.storage, KEY) == payload(size)
    assert backend.storage.head(KEY).size == size


def test_keys_of_every_kind_can_be_written_by_url(backend: Backend) -> None:
    for key in SPECIAL_KEYS:
        url = backend.storage.presign_put(key, size=len(key.encode()), expires_in=MINUTE)
        backend.http("PUT", url, body=key.encode())

    found = {key: read(backend.storage, key) for key in SPECIAL_KEYS}

    assert found == {key: key.encode() for key in SPECIAL_KEYS}


def test_a_client_may_name_a_type_with_its_put(backend: Backend) -> None:
    url = backend.storage.presign_put(KEY, size=1, expires_in=MINUTE)

    answer = backend.http("PUT", url, body=b"x", headers={"Content-Type": "image/jpeg"})

    assert answer.status in (200, 201, 204)
    assert read(backend.storage, KEY) == b"x"


def test_a_signed_put_replaces_what_is_there(backend: Backend) -> None:
    store(backend.storage, KEY, b"old")
    url = backend.storage.presign_put(KEY, size=3, expires_in=MINUTE)

    backend.http("PUT", url, body=b"new")

    assert read(backend.storage, KEY) == b"new"


def test_signed_parts_make_an_object(backend: Backend) -> None:
    storage = backend.storage
    upload_id = storage.create_multipart(KEY)
    contents = {2: b"tail", 1: WHOLE_PART}

    urls = storage.presign_parts(KEY, upload_id, list(contents), expires_in=MINUTE)
    answers = [
        backend.http("PUT", url, body=data)
        for url, data in zip(urls, contents.values(), strict=True)
    ]
    parts = [
        (number, answer.headers["ETag"].strip('"'))
        for number, answer in zip(contents, answers, strict=True)
    ]
    arrived = [
        (part.part_number, part.etag, part.size) for part in storage.list_parts(KEY, upload_id)
    ]
    storage.complete_multipart(KEY, upload_id, sorted(parts))

    assert arrived == [(1, parts[1][1], MIN_PART_SIZE), (2, parts[0][1], 4)]
    assert read(storage, KEY) == WHOLE_PART + b"tail"


def test_a_part_url_is_given_for_each_number_in_its_order(storage: Storage) -> None:
    upload_id = storage.create_multipart(KEY)
    numbers = [5, 1, 10_000, 3]

    urls = storage.presign_parts(KEY, upload_id, iter(numbers), expires_in=MINUTE)

    alone = [storage.presign_parts(KEY, upload_id, [n], expires_in=MINUTE) for n in numbers]
    assert len(set(urls)) == 4
    assert [len(urls) for urls in alone] == [1, 1, 1, 1]


def test_no_part_urls_are_given_for_no_numbers(storage: Storage) -> None:
    upload_id = storage.create_multipart(KEY)

    assert storage.presign_parts(KEY, upload_id, [], expires_in=MINUTE) == []


# --- what a URL does not allow ----------------------------------------------------------------

SIGNED: dict[str, Callable[[Storage], str]] = {
    "get": lambda storage: storage.presign_get(OTHER, expires_in=MINUTE),
    "put": lambda storage: storage.presign_put(OTHER, size=3, expires_in=MINUTE),
    "part": lambda storage: storage.presign_parts(
        OTHER, storage.create_multipart(OTHER), [1], expires_in=MINUTE
    )[0],
}
METHODS = {"get": "GET", "put": "PUT", "part": "PUT"}


@only_where_checked
@pytest.mark.parametrize("kind", SIGNED)
def test_a_changed_signature_is_refused(backend: Backend, kind: str) -> None:
    store(backend.storage, OTHER)

    answers = [
        backend.http(METHODS[kind], url, body=b"new" if kind != "get" else b"")
        for url in tampered(SIGNED[kind](backend.storage))
    ]

    assert [answer.status for answer in answers] == [403] * len(answers)
    assert not any(b"content" in answer.body for answer in answers)
    assert read(backend.storage, OTHER) == b"content"


@only_where_checked
@pytest.mark.parametrize("kind", SIGNED)
def test_an_expired_url_is_refused(backend: Backend, kind: str) -> None:
    store(backend.storage, OTHER)
    backend.clock.move(-timedelta(hours=1))
    url = SIGNED[kind](backend.storage)
    backend.clock.move(timedelta(hours=1))

    answer = backend.http(METHODS[kind], url, body=b"new" if kind != "get" else b"")

    assert answer.status == 403
    assert read(backend.storage, OTHER) == b"content"


@only_where_checked
@pytest.mark.parametrize(("kind", "method"), [("get", "PUT"), ("put", "GET"), ("part", "GET")])
def test_a_url_for_another_method_is_refused(backend: Backend, kind: str, method: str) -> None:
    store(backend.storage, OTHER)
    url = SIGNED[kind](backend.storage)

    answer = backend.http(method, url, body=b"new" if method == "PUT" else b"")

    assert answer.status == 403
    assert read(backend.storage, OTHER) == b"content"


@only_where_checked
@pytest.mark.parametrize("kind", SIGNED)
@pytest.mark.parametrize("other", ["alice/other.jpg2", "alice/othes.jpg", "bob/other.jpg"])
def test_a_url_for_another_key_is_refused(backend: Backend, kind: str, other: str) -> None:
    store(backend.storage, other)
    url = elsewhere(SIGNED[kind](backend.storage), OTHER, Key(other))

    answer = backend.http(METHODS[kind], url, body=b"new" if kind != "get" else b"")

    assert answer.status == 403
    assert read(backend.storage, other) == b"content"
    assert names(backend.storage) == [other]


@only_where_checked
@pytest.mark.parametrize("body", [b"", b"ne", b"newer"])
def test_a_put_of_another_size_than_was_declared_is_refused(backend: Backend, body: bytes) -> None:
    store(backend.storage, OTHER)
    url = backend.storage.presign_put(OTHER, size=3, expires_in=MINUTE)

    answer = backend.http("PUT", url, body=body)

    assert answer.status in (400, 403)
    assert read(backend.storage, OTHER) == b"content"


@only_where_checked
@pytest.mark.parametrize(("number", "size"), [(1, 9), (1, 11), (1, 0), (2, 10), (2, 4), (3, 1)])
def test_a_part_of_another_size_than_its_own_is_refused(
    backend: Backend, number: int, size: int
) -> None:
    storage = backend.storage
    declared: dict[str, Any] = {"part_size": 10, "size": 15}
    upload_id = storage.create_multipart(OTHER, **declared)
    (url,) = storage.presign_parts(OTHER, upload_id, [number], expires_in=MINUTE, **declared)

    answer = backend.http("PUT", url, body=b"x" * size)

    assert answer.status in (400, 403)
    assert storage.list_parts(OTHER, upload_id) == []
    storage.abort_multipart(OTHER, upload_id)
