"""``/media``: the URLs that local storage signs, and what they give to whoever has them."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from flask import Flask
from werkzeug.http import http_date

from softfactory.http.runtime import runtime
from softfactory.storage.base import ObjectInfo, SignedUrl, StorageClass
from softfactory.storage.keys import Key
from tests import samples
from tests.blueprints.drive_client import begin, put
from tests.blueprints.test_files_upload import send
from tests.conftest import Caller
from tests.doubles import FakeClock
from tests.http.failures import refusal
from tests.stacks import both_databases, one_stack

HOUR = timedelta(hours=1)
BODY = bytes(range(256)) * 4
KEY = "users/u/folder/a.bin"


@dataclass
class Media:
    """An application's storage, and a client that has nothing but URLs."""

    app: Flask

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    def put(self, key: str = KEY, body: bytes = BODY, content_type: str = "") -> ObjectInfo:
        with self.app.app_context():
            return runtime().storage.put(
                Key(key), [body], content_type=content_type or "application/octet-stream"
            )

    def url(self, key: str = KEY, lifetime: timedelta = HOUR, **claims: Any) -> str:
        with self.app.app_context():
            return runtime().storage.presign_get(Key(key), expires_in=lifetime, **claims)

    def put_url(
        self, key: str = KEY, lifetime: timedelta = HOUR, *, size: int = len(BODY)
    ) -> SignedUrl:
        with self.app.app_context():
            return runtime().storage.presign_put(Key(key), size=size, expires_in=lifetime)

    def bytes_of(self, key: str = KEY) -> bytes | None:
        with self.app.app_context():
            if not runtime().storage.list_objects(key).objects:
                return None
            with runtime().storage.open(Key(key)) as stored:
                return b"".join(stored.chunks())

    def get(self, url: str, **headers: str) -> Any:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(url, headers=names, buffered=True)


def chunked(body: bytes) -> dict[str, Any]:
    """Return the options of a request whose body a server has taken out of its chunks."""
    environ = {
        "HTTP_TRANSFER_ENCODING": "chunked",
        "CONTENT_LENGTH": "",
        "wsgi.input_terminated": True,
    }
    return {"input_stream": io.BytesIO(body), "environ_overrides": environ}


@pytest.fixture
def media(app: Flask) -> Media:
    return Media(app)


# --- who may --------------------------------------------------------------------------------------


@one_stack
def test_an_unsigned_url_gives_no_bytes_and_says_how_to_get_some(media: Media) -> None:
    media.put()

    for url in (f"/media/{KEY}", f"/media/{KEY}?token=", f"/media/{KEY}?expires=1", "/media/none"):
        answer = media.get(url)

        assert refusal(answer) == (403, "INVALID_SIGNATURE"), url
        assert "POST /api/files/presigned-url" in answer.get_json()["error"]


@one_stack
def test_a_login_opens_no_unsigned_url(media: Media, admin: Caller) -> None:
    media.put()

    assert refusal(admin.get(f"/media/{KEY}")) == (403, "INVALID_SIGNATURE")


@one_stack
def test_a_signed_url_needs_no_login_and_ignores_a_bad_one(media: Media) -> None:
    media.put()

    answer = media.get(media.url(), Authorization="Bearer nonsense")

    assert (answer.status_code, answer.data) == (200, BODY)


@one_stack
def test_a_token_is_good_for_its_own_url_only(media: Media) -> None:
    media.put()
    media.put("users/u/other.bin", b"other")
    path, _, token = media.url().partition("?token=")
    put_token = media.put_url().partition("?token=")[2]
    wrong = {
        "another key": f"/media/users/u/other.bin?token={token}",
        "a key below": f"{path}/x?token={token}",
        "a key above": f"/media/users/u/folder?token={token}",
        "another case": f"{path.upper().replace('/MEDIA', '/media')}?token={token}",
        "a letter changed": f"{path}?token={token[:-1]}{'A' if token[-1] != 'A' else 'B'}",
        "a letter of the claims changed": f"{path}?token=X{token[1:]}",
        "a letter more": f"{path}?token={token}x",
        "a letter less": f"{path}?token={token[:-1]}",
        "without its signature": f"{path}?token={token.partition('.')[0]}",
        "a signature alone": f"{path}?token=.{token.partition('.')[2]}",
        "for writing": f"{path}?token={put_token}",
        "no text": f"{path}?token=%ff%fe",
        "no ASCII": f"{path}?token={quote('é' * 20)}",
        "dots": f"{path}?token=...",
        "much": f"{path}?token={'A' * 50_000}",
    }

    answers = {name: refusal(media.get(url)) for name, url in wrong.items()}

    assert answers == dict.fromkeys(wrong, (403, "INVALID_SIGNATURE"))


@one_stack
def test_a_token_of_another_secret_is_refused(make_app: Any, media: Media) -> None:
    media.put()
    other = Media(make_app(secret_key="another-secret-of-more-than-32-characters"))

    assert refusal(media.get(other.url())) == (403, "INVALID_SIGNATURE")


@one_stack
def test_a_url_is_good_until_its_time_is_over(media: Media, clock: FakeClock) -> None:
    media.put()
    url = media.url(lifetime=HOUR)
    clock.advance(minutes=59, seconds=58)
    before = media.get(url).status_code
    clock.advance(seconds=2)

    after = media.get(url)

    assert (before, refusal(after)) == (200, (403, "SIGNATURE_EXPIRED"))


@one_stack
def test_a_url_to_read_does_not_write_and_one_to_write_does_not_read(media: Media) -> None:
    media.put()

    answers = [
        media.client.put(media.url(), data=b"evil"),
        media.client.get(media.put_url()),
        media.client.head(media.put_url()),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert media.bytes_of() == BODY


@one_stack
@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH"])
def test_a_signed_url_takes_no_other_method(media: Media, method: str) -> None:
    media.put()

    assert refusal(media.client.open(media.url(), method=method)) == (405, "METHOD_NOT_ALLOWED")
    assert media.bytes_of() == BODY


# --- what it gives --------------------------------------------------------------------------------


@one_stack
def test_the_whole_object_comes_with_all_its_headers(media: Media) -> None:
    info = media.put(content_type="image/png")

    answer = media.get(media.url())

    assert (answer.status_code, answer.data) == (200, BODY)
    expected = {
        "Content-Type": "image/png", "Content-Length": str(len(BODY)), "Accept-Ranges": "bytes",
        "ETag": f'"{info.etag}"', "Last-Modified": http_date(info.last_modified),
        "X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache",
    }  # fmt: skip
    assert {name: answer.headers.get(name) for name in expected} == expected


@one_stack
def test_head_tells_the_same_and_gives_no_bytes(media: Media) -> None:
    media.put(content_type="image/png")
    url, changing = media.url(), {"X-Request-ID", "Date"}

    got, head = media.get(url), media.client.head(url)

    assert (head.status_code, head.data) == (200, b"")
    assert {h for h in head.headers if h[0] not in changing} == {
        h for h in got.headers if h[0] not in changing
    }


@one_stack
def test_an_empty_object_is_200_and_empty(media: Media) -> None:
    media.put(body=b"")

    answer = media.get(media.url())

    assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (200, b"", "0")


@one_stack
@pytest.mark.parametrize(
    "content_type",
    ["text/html", "TEXT/HTML; charset=utf-8", "application/xhtml+xml", "image/svg+xml", "text/xml",
     "application/javascript", "text/css", "multipart/x-mixed-replace", "no type", "text/html,x/y",
     "application/x-shockwave-flash", "text/html\t;"],
)  # fmt: skip
def test_what_a_browser_would_run_is_a_download_of_bytes(media: Media, content_type: str) -> None:
    media.put(body=b"<script>alert(1)</script>", content_type=content_type)

    for url in (media.url(), media.url(content_type=content_type)):
        headers = media.get(url).headers

        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Content-Disposition"].startswith("attachment;")
        assert headers["X-Content-Type-Options"] == "nosniff"


@one_stack
@pytest.mark.parametrize("content_type", ["image/png", "text/html", "text/plain", "video/mp4"])
def test_nothing_that_is_shown_can_run(media: Media, content_type: str) -> None:
    media.put(content_type=content_type)
    url = media.url()

    for answer in (media.get(url), media.get(url, Range="bytes=0-1"), media.client.head(url)):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert policy.endswith("; sandbox")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@one_stack
@pytest.mark.parametrize(
    ("content_type", "shown"),
    [("image/jpeg", "inline"), ("text/plain", "inline"), ("video/mp4", "inline"),
     ("application/pdf", "attachment"), ("application/zip", "attachment"), ("", "attachment")],
)  # fmt: skip
def test_passive_types_are_shown_and_all_others_saved(
    media: Media, content_type: str, shown: str
) -> None:
    media.put(content_type=content_type)

    disposition = media.get(media.url()).headers["Content-Disposition"]

    assert disposition == f"{shown}; filename=\"a.bin\"; filename*=UTF-8''a.bin"


@one_stack
def test_a_file_is_saved_under_the_name_that_it_came_with(alice: Caller) -> None:
    uploaded = send(alice, samples.pdf(), "Übersicht 2026.pdf").get_json()
    signed = alice.post("/api/files/presigned-url", json={"file_id": uploaded["file_id"]})

    with alice.client.get(signed.get_json()["presigned_url"]) as answer:
        disposition = answer.headers["Content-Disposition"]

    assert disposition == (
        "attachment; filename=\"Ubersicht 2026.pdf\"; filename*=UTF-8''%C3%9Cbersicht%202026.pdf"
    )


# --- ranges (RFC 9110 section 14) -----------------------------------------------------------------

SIZE = len(BODY)


@one_stack
@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-0", 0, 1), ("bytes=0-99", 0, 100), ("bytes=100-199", 100, 200),
        ("bytes=1000-", 1000, SIZE), ("bytes=0-", 0, SIZE), (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        ("bytes=-1", SIZE - 1, SIZE), ("bytes=-100", SIZE - 100, SIZE),
        ("bytes=1000-99999", 1000, SIZE), (f"bytes=0-{'9' * 30}", 0, SIZE),
        ("BYTES=5-6", 5, 7), ("bytes= 5 - 6 ", 5, 7),
    ],
)  # fmt: skip
def test_a_range_gives_these_bytes(media: Media, wanted: str, start: int, stop: int) -> None:
    media.put()

    answer = media.get(media.url(), Range=wanted)

    assert (answer.status_code, answer.data) == (206, BODY[start:stop])
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert answer.headers["Content-Length"] == str(stop - start)


@one_stack
@pytest.mark.parametrize(
    "wanted", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", f"bytes={'9' * 30}-"]
)
def test_a_range_behind_the_end_is_416_and_tells_the_size(media: Media, wanted: str) -> None:
    media.put()

    answer = media.get(media.url(), Range=wanted)

    assert refusal(answer) == (416, "REQUESTED_RANGE_NOT_SATISFIABLE")
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"
    assert str(SIZE) in answer.get_json()["error"]
    assert "Content-Disposition" not in answer.headers


@one_stack
def test_an_empty_object_has_no_first_byte(media: Media) -> None:
    media.put(body=b"")

    answer = media.get(media.url(), Range="bytes=0-0")

    assert (refusal(answer)[0], answer.headers["Content-Range"]) == (416, "bytes */0")


@one_stack
@pytest.mark.parametrize(
    "wanted",
    ["bytes=0-1,5-6", "bytes=0-1, 5-6, -1", "bytes=5-4", "bytes=", "bytes", "bytes=-", "bytes=a-b",
     "bytes=-0", "lines=0-1", "0-1", "bytes=0-1;", "bytes=0x1-2", "bytes=+1-2", "bytes=--1",
     f"bytes={'1' * 5000}-"],
)  # fmt: skip
def test_several_ranges_or_what_is_none_give_the_whole(media: Media, wanted: str) -> None:
    media.put()

    answer = media.get(media.url(), Range=wanted)

    assert (answer.status_code, answer.data) == (200, BODY)
    assert "Content-Range" not in answer.headers


@one_stack
def test_a_range_means_nothing_to_head(media: Media) -> None:
    media.put()

    answer = media.client.head(media.url(), headers={"Range": "bytes=0-1"})

    assert (answer.status_code, answer.headers["Content-Length"]) == (200, str(SIZE))


# --- conditions (RFC 9110 section 13) -------------------------------------------------------------


def conditions(info: ObjectInfo, header: str) -> str:
    """Return ``header`` with the ETag and the dates of this object filled in."""
    day = timedelta(days=1)
    return header.format(
        etag=f'"{info.etag}"',
        date=http_date(info.last_modified),
        earlier=http_date(info.last_modified - day),
        later=http_date(info.last_modified + day),
    )


@one_stack
@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("If-None-Match", "{etag}", 304), ("If-None-Match", "W/{etag}", 304),
        ("If-None-Match", '"other", {etag}', 304), ("If-None-Match", "*", 304),
        ("If-None-Match", '"other"', 200), ("If-None-Match", "", 200),
        ("If-Modified-Since", "{date}", 304), ("If-Modified-Since", "{later}", 304),
        ("If-Modified-Since", "{earlier}", 200), ("If-Modified-Since", "yesterday", 200),
        ("If-Match", "{etag}", 200), ("If-Match", "*", 200), ("If-Match", '"other", {etag}', 200),
        ("If-Match", '"other"', 412), ("If-Match", "W/{etag}", 412),
        ("If-Unmodified-Since", "{date}", 200), ("If-Unmodified-Since", "{later}", 200),
        ("If-Unmodified-Since", "{earlier}", 412), ("If-Unmodified-Since", "yesterday", 200),
    ],
)  # fmt: skip
def test_a_condition_decides_the_answer(media: Media, name: str, value: str, status: int) -> None:
    info = media.put()

    answer = media.get(media.url(), **{name: conditions(info, value)})

    assert answer.status_code == status
    if status == 200:
        assert answer.data == BODY
    elif status == 304:
        assert (answer.data, answer.headers["ETag"]) == (b"", f'"{info.etag}"')
        assert "Content-Type" not in answer.headers
    else:
        assert refusal(answer) == (412, "PRECONDITION_FAILED")


@one_stack
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": '"other"', "If-Modified-Since": "{later}"}, 200),
        ({"If-None-Match": "{etag}", "If-Modified-Since": "{earlier}"}, 304),
        ({"If-Match": "{etag}", "If-None-Match": "{etag}"}, 304),
        ({"If-Match": '"other"', "If-None-Match": "{etag}"}, 412),
        ({"If-Match": "{etag}", "If-Unmodified-Since": "{earlier}"}, 200),
        ({"If-Match": "{etag}", "Range": "bytes=0-1"}, 206),
        ({"If-Match": '"other"', "Range": "bytes=0-1"}, 412),
        ({"If-None-Match": "{etag}", "Range": "bytes=0-1"}, 304),
        ({"If-Match": '"other"', "Range": "bytes=99999-"}, 412),
    ],
)
def test_of_several_conditions_the_rfc_says_which_counts(
    media: Media, headers: dict[str, str], status: int
) -> None:
    info = media.put()
    filled = {name: conditions(info, value) for name, value in headers.items()}

    assert media.get(media.url(), **filled).status_code == status


@one_stack
@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("{etag}", 206), ("{date}", 206), ('"other"', 200), ("W/{etag}", 200), ("{earlier}", 200),
        ("{later}", 200), ("nonsense", 200), ("*", 200),
    ],
)  # fmt: skip
def test_a_range_is_given_if_the_object_is_still_the_same(
    media: Media, value: str, status: int
) -> None:
    info = media.put()

    answer = media.get(media.url(), Range="bytes=10-19", If_Range=conditions(info, value))

    assert answer.status_code == status
    assert answer.data == (BODY[10:20] if status == 206 else BODY)


@one_stack
def test_a_condition_holds_for_head_too(media: Media) -> None:
    info = media.put()
    url = media.url()

    answers = [
        media.client.head(url, headers={"If-None-Match": f'"{info.etag}"'}),
        media.client.head(url, headers={"If-Match": '"other"'}),
    ]

    assert [answer.status_code for answer in answers] == [304, 412]


@one_stack
def test_another_content_has_another_etag(media: Media) -> None:
    etag = media.put().etag
    media.put(body=b"new")

    answer = media.get(media.url(), If_None_Match=f'"{etag}"')

    assert (answer.status_code, answer.data) == (200, b"new")


# --- what is there no longer ----------------------------------------------------------------------


@one_stack
def test_an_object_that_is_not_there_is_404(media: Media) -> None:
    assert refusal(media.get(media.url("users/u/never.bin"))) == (404, "RESOURCE_NOT_FOUND")


def presigned(caller: Caller, **fields: str) -> tuple[int, str]:
    """Upload a file and return its id and a URL that outlives it."""
    file_id = send(caller, samples.pdf(), **fields).get_json()["file_id"]
    body = {"file_id": file_id, "expiration_hours": 168}
    signed = caller.post("/api/files/presigned-url", json=body).get_json()
    return file_id, signed["presigned_url"]


@both_databases
def test_an_expired_files_urls_die_with_it(app: Flask, alice: Caller, clock: FakeClock) -> None:
    media = Media(app)
    file_id, url = presigned(alice, expires_in_hours="2")
    key = alice.get(f"/api/files/{file_id}").get_json()["file_key"]
    url_of_another_door = media.url(key, timedelta(days=7))
    clock.advance(hours=1, minutes=59)
    alive = [media.get(u).status_code for u in (url, url_of_another_door)]
    clock.advance(minutes=1)

    dead = [media.get(u) for u in (url, url_of_another_door)]

    assert alive == [200, 200]
    assert refusal(dead[0])[0] in (403, 404)
    assert refusal(dead[1]) == (404, "RESOURCE_NOT_FOUND")


@both_databases
def test_a_deleted_files_urls_die_with_it(app: Flask, alice: Caller) -> None:
    media = Media(app)
    file_id, url = presigned(alice)
    before = media.get(url).status_code
    alice.delete(f"/api/files/{file_id}")

    assert (before, refusal(media.get(url))) == (200, (404, "RESOURCE_NOT_FOUND"))


@one_stack
def test_a_url_of_one_version_gives_that_version(media: Media) -> None:
    old = media.put(body=b"old")
    media.put(body=b"new")

    answers = [media.get(u).data for u in (media.url(), media.url(version_id=old.version_id))]

    assert answers == [b"new", b"old"]


@one_stack
def test_an_archived_object_is_202_until_it_is_restored(make_app: Any, clock: FakeClock) -> None:
    media = Media(make_app(local_restore=timedelta(minutes=5)))
    media.put()
    url = media.url()
    with media.app.app_context():
        runtime().storage.set_storage_class(Key(KEY), StorageClass.GLACIER)

    first, second = media.get(url), media.get(url)
    clock.advance(minutes=5)
    third = media.get(url)

    assert [refusal(answer) for answer in (first, second)] == [(202, "RESTORE_IN_PROGRESS")] * 2
    assert (third.status_code, third.data) == (200, BODY)


# --- writing --------------------------------------------------------------------------------------


@one_stack
def test_a_signed_put_stores_the_bytes_and_their_type(media: Media) -> None:
    answer = media.client.put(media.put_url(), data=BODY, content_type="image/png")

    assert (answer.status_code, answer.data) == (200, b"")
    assert "Content-Type" not in answer.headers
    got = media.get(media.url())
    assert (got.data, got.headers["Content-Type"]) == (BODY, "image/png")
    assert got.headers["ETag"] == answer.headers["ETag"]


@one_stack
def test_a_put_needs_nothing_but_its_bytes(media: Media) -> None:
    answer = media.client.put(media.put_url(size=5), data=b"plain")

    assert answer.status_code == 200
    assert media.get(media.url()).headers["Content-Type"] == "application/octet-stream"


@one_stack
def test_an_empty_put_stores_an_empty_object(media: Media) -> None:
    url = media.put_url(size=0)

    answer = media.client.put(url, data=b"", environ_overrides={"CONTENT_LENGTH": "0"})

    assert (answer.status_code, media.bytes_of()) == (200, b"")


@one_stack
def test_a_form_is_stored_as_it_comes(media: Media) -> None:
    body = b"--x\r\nno form of ours\r\n--x--"

    url, other = media.put_url(size=len(body)), media.put_url("users/u/b", size=3)
    media.client.put(url, data=body, content_type="multipart/form-data; boundary=x")
    media.client.put(other, data=b"a=b", content_type="application/x-www-form-urlencoded")

    assert (media.bytes_of(), media.bytes_of("users/u/b")) == (body, b"a=b")


@one_stack
def test_a_put_that_is_cut_off_changes_nothing(media: Media) -> None:
    media.put()

    answer = media.client.put(
        media.put_url(size=8),
        input_stream=io.BytesIO(b"half"),
        environ_overrides={"CONTENT_LENGTH": "8"},
    )

    assert refusal(answer) == (400, "VALIDATION_ERROR")
    assert "cut off 4 bytes before its end" in answer.get_json()["error"]
    assert media.bytes_of() == BODY


@one_stack
@pytest.mark.parametrize(
    "environ",
    [
        {"CONTENT_LENGTH": ""}, {"CONTENT_LENGTH": "many"}, {"CONTENT_LENGTH": "-1"},
        {"CONTENT_LENGTH": "4", "HTTP_TRANSFER_ENCODING": "chunked", "HTTP_CONTENT_LENGTH": "4"},
    ],
    ids=str,
)  # fmt: skip
def test_a_put_without_its_length_is_411(media: Media, environ: dict[str, str]) -> None:
    answer = media.client.put(
        media.put_url(), input_stream=io.BytesIO(b"body"), environ_overrides=environ
    )

    assert refusal(answer) == (411, "LENGTH_REQUIRED")
    assert media.bytes_of() is None


@one_stack
@pytest.mark.parametrize("sent", [0, 1, 1023, 1025, 4096])
def test_a_put_of_another_size_than_was_declared_leaves_nothing(media: Media, sent: int) -> None:
    answer = media.client.put(
        media.put_url(size=1024),
        data=b"x" * sent,
        environ_overrides={"CONTENT_LENGTH": str(sent)},
    )

    assert refusal(answer) == (400, "VALIDATION_ERROR")
    assert "exactly the 1024 bytes" in answer.get_json()["error"]
    assert media.bytes_of() is None


@one_stack
@pytest.mark.parametrize(("sent", "status"), [(1023, 400), (1024, 200), (1025, 400), (9999, 400)])
def test_a_chunked_put_has_to_add_up_to_what_was_declared(
    media: Media, sent: int, status: int
) -> None:
    answer = media.client.put(media.put_url(size=1024), **chunked(b"x" * sent))

    assert answer.status_code == status
    assert media.bytes_of() == (b"x" * sent if status == 200 else None)


@one_stack
def test_bytes_that_wait_to_be_confirmed_keep_no_earlier_version(
    media: Media, alice: Caller
) -> None:
    ticket = begin(alice, "a.txt", 3)

    for body in (b"one", b"two", b"six"):
        assert put(alice, ticket["presigned_url"], body) == 200

    with media.app.app_context():
        (staged,) = runtime().storage.list_objects("alice/").objects
        assert len(runtime().storage.list_versions(Key(staged.key))) == 1
    assert media.bytes_of(staged.key) == b"six"


@one_stack
def test_what_else_a_put_says_is_not_kept(media: Media) -> None:
    media.put("users/u/secret", b"secret")
    said = {
        "x-amz-copy-source": "/bucket/users/u/secret",
        "x-amz-meta-a": "b",
        "x-amz-acl": "public-read",
        "x-amz-storage-class": "GLACIER",
        "x-amz-tagging": "a=b",
    }

    answer = media.client.put(media.put_url(), data=BODY, headers=said)

    assert (answer.status_code, media.bytes_of()) == (200, BODY)
    with media.app.app_context():
        info = runtime().storage.head(Key(KEY))
    assert (info.metadata, info.storage_class) == ({}, "STANDARD")
    assert refusal(media.get(f"/media/{KEY}"))[0] == 403


@one_stack
def test_a_put_over_the_maximum_is_413_and_one_of_the_maximum_is_stored(make_app: Any) -> None:
    media = Media(make_app(max_file_upload_size=1000))

    over = media.client.put(media.put_url(size=1001), data=b"x" * 1001)
    left = media.bytes_of()
    just = media.client.put(media.put_url(size=1000), data=b"x" * 1000)

    assert (refusal(over), left) == ((413, "FILE_TOO_LARGE"), None)
    assert (just.status_code, media.bytes_of()) == (200, b"x" * 1000)


@one_stack
def test_a_put_may_be_larger_than_a_json_body(media: Media) -> None:
    body = b"x" * (5 * 1024 * 1024)

    answer = media.client.put(media.put_url(size=len(body)), data=body)

    assert (answer.status_code, media.bytes_of()) == (200, body)


@one_stack
def test_a_put_after_its_time_changes_nothing(media: Media, clock: FakeClock) -> None:
    url = media.put_url(lifetime=timedelta(minutes=1))
    clock.advance(minutes=1)

    assert refusal(media.client.put(url, data=b"late")) == (403, "SIGNATURE_EXPIRED")
    assert media.bytes_of() is None


@pytest.fixture
def parts(media: Media) -> Callable[..., list[SignedUrl]]:
    """A function that begins an upload of 12 bytes in parts of 8, and returns its parts' URLs."""

    def parts(key: str = KEY) -> list[SignedUrl]:
        with media.app.app_context():
            storage = runtime().storage
            upload_id = storage.create_multipart(Key(key), part_size=8, size=12)
            return storage.presign_parts(
                Key(key), upload_id, [1, 2], expires_in=HOUR, part_size=8, size=12
            )

    return parts


@one_stack
def test_a_part_is_taken_and_shows_under_no_key_yet(media: Media, parts: Any) -> None:
    first, second = (
        media.client.put(u, data=b) for u, b in zip(parts(), (b"12345678", b"90ab"), strict=True)
    )

    assert (first.status_code, second.status_code) == (200, 200)
    assert len({first.headers["ETag"], second.headers["ETag"]}) == 2
    assert media.bytes_of() is None


@one_stack
def test_a_parts_token_is_for_that_part_of_that_upload(media: Media, parts: Any) -> None:
    first, second = parts()
    other = parts("users/u/other.bin")[0]
    path = urlsplit(first).path

    answers = [
        media.client.put(f"{path}?{urlsplit(other).query}", data=b"12345678"),
        media.client.get(first),
        media.client.put(second, data=b"12345678"),
    ]

    assert [refusal(answer)[0] for answer in answers] == [403, 403, 400]


@one_stack
@pytest.mark.parametrize("body", [b"", b"1234567", b"123456789"])
def test_a_part_of_another_size_than_its_own_leaves_nothing(
    media: Media, parts: Any, body: bytes
) -> None:
    url = parts()[0]

    length = {"CONTENT_LENGTH": str(len(body))}
    answers = [
        media.client.put(url, data=body, environ_overrides=length),
        media.client.put(url, **chunked(body)),
    ]

    assert [refusal(answer) for answer in answers] == [(400, "VALIDATION_ERROR")] * 2
    with media.app.app_context():
        storage = runtime().storage
        (upload,) = storage.list_multiparts()
        assert storage.list_parts(Key(KEY), upload.upload_id) == []


@one_stack
def test_a_part_that_is_cut_off_can_be_sent_again(media: Media, parts: Any) -> None:
    url = parts()[0]
    cut = media.client.put(
        url, input_stream=io.BytesIO(b"1234"), environ_overrides={"CONTENT_LENGTH": "8"}
    )

    again = media.client.put(url, data=b"12345678")

    assert (refusal(cut)[0], again.status_code) == (400, 200)


@one_stack
def test_a_part_of_an_upload_that_was_aborted_is_refused(media: Media, parts: Any) -> None:
    url = parts()[0]
    with media.app.app_context():
        storage = runtime().storage
        (upload,) = storage.list_multiparts()
        storage.abort_multipart(Key(KEY), upload.upload_id)

    assert refusal(media.client.put(url, data=b"12345678"))[0] in (404, 409)


# --- keys -----------------------------------------------------------------------------------------

ODD = [
    "a b.txt", "a%b.txt", "a%20b.txt", "a%2Fb", "a%2fb", "%00", "%", "%%", "a+b.txt", "a#b.txt",
    "a?b=c&d.txt", "a;b.txt", "a'b.txt", 'a"b.txt', "a\\b.txt", "<b>.txt", "a|b", "a:b", "a*b",
    "é.txt", "e\u0301.txt", "파일.txt", "\U0001f600.txt", "a=b", "a@b", "a,b", "a!b$c(d)", "{a}",
    "[a]", "^a`b", "~a", " a", "a ", ".a", "a.", "...", "-", "a//".strip("/"), "\u00a0", "\u2028",
    "\u202e.txt", "token=x", "x" * 900, "null", "con", "a\ufffdb",
]  # fmt: skip


@one_stack
def test_every_odd_key_goes_through_its_url_and_back(media: Media) -> None:
    wrong = {}

    for name in ODD:
        key = f"users/u/{name}/{name}" if len(name) < 100 else f"users/u/{name}"
        body = key.encode()
        sent = media.client.put(media.put_url(key, size=len(body)), data=body)
        got = media.get(media.url(key))
        if (sent.status_code, got.status_code, got.data) != (200, 200, body):
            wrong[name] = (sent.status_code, got.status_code, got.data[:80])

    assert wrong == {}
    assert media.bytes_of(f"users/u/{ODD[0]}/{ODD[0]}") is not None


@one_stack
def test_slashes_of_a_key_may_be_percent_encoded_in_the_url(media: Media) -> None:
    media.put()
    path, _, query = media.url().partition("?")

    encoded = path.replace("users/u/folder/", "users%2Fu%2ffolder%2F")

    assert media.get(f"{encoded}?{query}").data == BODY


@one_stack
def test_keys_that_differ_in_case_or_escaping_are_different_objects(media: Media) -> None:
    keys = ["users/u/a", "users/u/A", "users/u/a/b", "users/u/a%2Fb", "users/u/a b", "users/u/a+b"]
    for key in keys:
        media.put(key, key.encode())

    assert [media.get(media.url(key)).data.decode() for key in keys] == keys
