"""Quotas: no door takes more bytes than a user may have, and what is refused leaves nothing."""

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete

from softfactory.errors import QuotaExceeded
from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.http.services import catalog, maintenance, part_receiver
from softfactory.models import FileUpload
from softfactory.services.storage_use import Expected
from softfactory.storage.keys import Key
from tests import samples
from tests.blueprints import drive_client, uploads_client
from tests.blueprints.browser_client import keys_in_storage
from tests.blueprints.quota_client import (
    PAST,
    held,
    limit,
    open_uploads,
    refusal,
    reserved,
    used,
)
from tests.blueprints.test_browser_multipart import complete, initiate, part_url, send_part
from tests.blueprints.uploads_client import MIB, PART_SIZE
from tests.conftest import Caller, needs_postgresql
from tests.contracts.doors import WAYS_IN, announced, exchange, form
from tests.doubles import FailingStorage, FakeClock
from tests.stacks import both_databases, both_storages, one_stack

PDF = samples.pdf()

corners = pytest.mark.parametrize(
    ("database_url", "storage_settings"),
    [("sqlite", "local"), pytest.param("postgresql", "s3-moto", marks=needs_postgresql)],
    indirect=True,
)
"""Each database and each storage once."""


def by_files(caller: Caller, body: bytes) -> Any:
    return form(caller, "/api/files/upload", "a.pdf", body)


def by_browser(caller: Caller, body: bytes) -> Any:
    return form(caller, "/api/s3/upload", "a.pdf", body, key=f"users/{caller.uuid}/a.pdf")


def by_simple(caller: Caller, body: bytes) -> Any:
    return form(caller, "/s3/upload", "a.pdf", body)


def by_drive(caller: Caller, body: bytes) -> Any:
    wanted = {"file_name": "a.pdf", "file_size": len(body)}
    return caller.post("/api/files/upload", json=wanted)


def by_uploads(caller: Caller, body: bytes) -> Any:
    return caller.post("/v1/files/uploads/", json=announced("a.pdf", body))


FORMS: dict[str, Callable[[Caller, bytes], Any]] = {
    "files": by_files,
    "browser": by_browser,
    "simple": by_simple,
}
DOORS = {**FORMS, "drive": by_drive, "uploads": by_uploads}

each_form = pytest.mark.parametrize("send", FORMS.values(), ids=[*FORMS])
each_door = pytest.mark.parametrize("send", DOORS.values(), ids=[*DOORS])
Send = Callable[[Caller, bytes], Any]


def chunked(caller: Caller, path: str, body: bytes, **fields: str) -> Any:
    """Send a form whose length nobody says, as the server hands it on."""
    lines = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
    data = ("".join(lines) + head).encode() + body + b"\r\n--b--\r\n"
    return caller.client.post(
        path,
        input_stream=BytesIO(data),
        headers={**caller.headers, "Content-Type": "multipart/form-data; boundary=b"},
        environ_overrides={"wsgi.input_terminated": True},
    )


# --- past it --------------------------------------------------------------------------------------


@corners
@each_door
def test_what_is_past_the_quota_is_refused_and_leaves_nothing(
    app: Flask, alice: Caller, send: Send
) -> None:
    limit(app, alice, len(PDF) - 1)

    response = send(alice, PDF)

    assert refusal(response) == PAST
    assert f"0 of {len(PDF) - 1} bytes are used" in response.get_json()["error"]
    assert held(alice) == {"used": 0, "reserved": 0, "quota": len(PDF) - 1}
    assert open_uploads(app, alice) == 0
    assert keys_in_storage(app) == []


@one_stack
@pytest.mark.parametrize("way", [way for way in WAYS_IN if way != "browser multipart"])
def test_what_fills_the_quota_to_its_last_byte_is_taken(
    app: Flask, alice: Caller, way: str
) -> None:
    limit(app, alice, len(PDF))

    WAYS_IN[way](alice, "a.pdf", PDF)

    assert held(alice) == {"used": len(PDF), "reserved": 0, "quota": len(PDF)}


@one_stack
@each_form
def test_a_form_that_is_far_too_large_is_refused_before_its_bytes_are_read(
    app: Flask, alice: Caller, send: Send
) -> None:
    limit(app, alice, 10)
    body = PDF + bytes(40 * MIB)

    response = send(alice, body)

    assert refusal(response) == PAST
    asked = int(response.get_json()["error"].split(", and ")[1].split(" ")[0])
    assert asked > 20 * MIB


@both_storages
def test_an_empty_file_is_no_growth(app: Flask, alice: Caller) -> None:
    limit(app, alice, 0)

    assert by_browser(alice, b"").status_code == 200
    assert by_simple(alice, b"").status_code == 201
    drive_client.upload(alice, "empty.txt", b"")
    assert refusal(by_browser(alice, b"1")) == PAST


@corners
def test_a_form_of_unknown_length_is_counted_as_it_comes(app: Flask, alice: Caller) -> None:
    key = f"users/{alice.uuid}/a.bin"
    limit(app, alice, 5 * MIB)

    refused = chunked(alice, "/api/s3/upload", bytes(5 * MIB + 1), key=key)
    nothing = held(alice)
    taken = chunked(alice, "/api/s3/upload", bytes(5 * MIB), key=key)

    assert (refusal(refused), nothing["used"], nothing["reserved"]) == (PAST, 0, 0)
    assert taken.status_code == 200
    assert held(alice) == {"used": 5 * MIB, "reserved": 0, "quota": 5 * MIB}


@both_databases
def test_of_many_drive_files_those_that_fit_get_urls(app: Flask, alice: Caller) -> None:
    limit(app, alice, 1000)
    files = [{"file_name": f"{n}.bin", "file_size": size} for n, size in enumerate((600, 500, 400))]

    response = alice.post("/api/files/upload", json={"files": files})

    answer = response.get_json()
    assert response.status_code == 200
    assert [each["file_name"] for each in answer["successful"]] == ["0.bin", "2.bin"]
    (failed,) = answer["failed"]
    assert (failed["file_name"], failed["status"]) == ("1.bin", "failed")
    assert "600 of 1000 bytes are used" in failed["error"]
    assert reserved(alice) == 1000


@one_stack
def test_what_is_confirmed_or_completed_was_reserved_before(app: Flask, alice: Caller) -> None:
    begun = alice.post("/api/files/upload", json={"file_name": "a", "file_size": 5}).get_json()
    assert exchange(alice, "PUT", begun["presigned_url"], b"bytes")[0] == 200
    limit(app, alice, 0)

    confirmed = alice.post("/api/files/confirm_upload", json={"s3_key": begun["s3_key"]})

    assert confirmed.status_code == 200
    assert (used(alice), reserved(alice)) == (5, 0)


# --- at the same key ------------------------------------------------------------------------------


@corners
def test_replacing_needs_room_for_both_until_the_new_bytes_are_there(
    app: Flask, alice: Caller
) -> None:
    assert by_browser(alice, b"1" * 600).status_code == 200
    limit(app, alice, 1000)

    refused = by_browser(alice, b"2" * 500)
    kept = alice.get("/api/s3/object/metadata", query_string={"key": f"users/{alice.uuid}/a.pdf"})
    taken = by_browser(alice, b"2" * 400)

    assert refusal(refused) == PAST
    assert kept.get_json()["content_length"] == 600
    assert taken.status_code == 200
    assert reserved(alice) == 0
    assert open_uploads(app, alice) == 0


@both_databases
def test_older_and_deleted_versions_count_until_they_go(
    app: Flask, alice: Caller, clock: FakeClock
) -> None:
    for body in (b"1" * 300, b"2" * 200, b"3" * 100):
        assert by_browser(alice, body).status_code == 200
    replaced = used(alice)
    alice.delete("/api/s3/object", json={"key": f"users/{alice.uuid}/a.pdf"})
    deleted = used(alice)
    limit(app, alice, 700)
    refused = by_simple(alice, b"4" * 101)

    clock.advance(days=31)
    with app.app_context():
        maintenance().cleanup()

    assert (replaced, deleted, refusal(refused)) == (600, 600, PAST)
    assert "versions, 600 bytes, count until" in refused.get_json()["error"]
    # The login has ended by then.
    with app.app_context():
        roots = [f"users/{alice.uuid}/"]
        assert runtime().storage.noncurrent_bytes(roots) == 0  # type: ignore[attr-defined]


# --- what ends otherwise --------------------------------------------------------------------------


@both_storages
@pytest.mark.parametrize("replaces", [False, True])
def test_an_upload_that_breaks_off_gives_back_what_it_reserved(
    app: Flask, alice: Caller, *, replaces: bool
) -> None:
    if replaces:
        assert by_browser(alice, b"1" * 600).status_code == 200
    before, seen = used(alice), []

    def broken() -> Iterator[bytes]:
        seen.append(reserved(alice))
        yield b"the first bytes"
        raise ConnectionError

    key, expected = Key(f"users/{alice.uuid}/a.pdf"), Expected.exactly(500)
    with app.app_context():
        service = catalog()
        file = service.holder(key) or service.reserve(
            alice.user_id, key, filename="a", content_type="text/plain", expected=expected
        )
        assert file is not None
        with pytest.raises(ConnectionError):
            service.fill(file, broken(), expected=expected, content_type=lambda: "text/plain")

    assert seen == [500]
    assert (used(alice), reserved(alice), open_uploads(app, alice)) == (before, 0, 0)


@one_stack
def test_storage_that_fails_keeps_no_bytes_reserved(
    make_app: Callable[..., Flask], app: Flask, alice: Caller
) -> None:
    with app.app_context():
        storage = FailingStorage(runtime().storage)
    storage.fail_before.add("put")
    failing = make_app(storage=storage)

    caller = Caller(
        failing.test_client(), alice.username, alice.user_id, alice.uuid, alice.access_token
    )
    response = by_simple(caller, b"bytes")

    assert response.status_code == 500
    assert reserved(alice) == 0


@pytest.mark.parametrize(
    ("database_url", "storage_settings"), [("sqlite", "s3-moto")], indirect=True
)
@pytest.mark.parametrize("send", [by_drive, by_uploads])
def test_an_upload_that_nobody_was_told_of_reserves_nothing(
    make_app: Callable[..., Flask], app: Flask, alice: Caller, send: Send
) -> None:
    with app.app_context():
        storage = FailingStorage(runtime().storage)
    storage.fail_before |= {"presign_put", "presign_parts"}
    failing = make_app(storage=storage)

    caller = Caller(
        failing.test_client(), alice.username, alice.user_id, alice.uuid, alice.access_token
    )
    response = send(caller, PDF)

    assert response.status_code == 500
    assert (reserved(alice), open_uploads(app, alice)) == (0, 0)


@corners
def test_aborting_gives_back_what_was_reserved(app: Flask, alice: Caller) -> None:
    begun = by_uploads(alice, PDF).get_json()
    before = reserved(alice)

    alice.delete(f"/v1/files/uploads/{begun['file_obj']['id']}/")

    assert (before, reserved(alice), open_uploads(app, alice)) == (len(PDF), 0, 0)


@both_databases
def test_cleanup_gives_back_what_abandoned_uploads_reserved(
    make_app: Callable[..., Flask], app: Flask, alice: Caller, clock: FakeClock
) -> None:
    by_uploads(alice, PDF)
    by_drive(alice, PDF)
    with app.app_context():  # A form whose worker was killed leaves its row.
        key = Key(f"users/{alice.uuid}/a")
        catalog().reserve(
            alice.user_id, key, filename="a", content_type="", expected=Expected.exactly(7)
        )
    before = open_uploads(app, alice)

    clock.advance(hours=25)
    with app.app_context():
        maintenance().cleanup()

    assert (before, open_uploads(app, alice)) == (3, 0)


@corners
def test_deleting_the_row_of_an_upload_does_not_let_its_bytes_past_the_quota(
    app: Flask, alice: Caller
) -> None:
    limit(app, alice, 600)
    key, expected = Key(f"users/{alice.uuid}/a.pdf"), Expected.exactly(500)

    def while_it_comes() -> Iterator[bytes]:
        yield b"1" * 250
        alice.delete("/api/s3/objects", json={"keys": [key]})
        assert by_simple(alice, b"2" * 300).status_code == 201
        yield b"1" * 250

    with app.app_context():
        service = catalog()
        file = service.reserve(
            alice.user_id, key, filename="a", content_type="text/plain", expected=expected
        )
        assert file is not None
        with pytest.raises(QuotaExceeded):
            service.fill(
                file, while_it_comes(), expected=expected, content_type=lambda: "text/plain"
            )

    assert used(alice) - 300 in (0, 500)  # On local storage its version may be behind a marker.
    assert key not in keys_in_storage(app)


# --- a quota that is lowered ----------------------------------------------------------------------


@one_stack
def test_a_quota_below_what_is_used_refuses_growth_only(app: Flask, alice: Caller) -> None:
    assert by_browser(alice, b"1" * 600).status_code == 200
    limit(app, alice, 100)
    key = f"users/{alice.uuid}/a.pdf"

    assert refusal(by_simple(alice, b"1")) == PAST
    assert alice.post("/api/s3/download", json={"key": key}).status_code == 200
    assert alice.delete("/api/s3/object", json={"key": key}).status_code == 200
    assert by_simple(alice, b"").status_code == 201


@one_stack
def test_the_configured_quota_holds_for_those_without_one_of_their_own(
    make_app: Callable[..., Flask], app: Flask, alice: Caller, bob: Caller
) -> None:
    limit(app, bob, "none")
    limited = make_app(user_quota=10)
    callers = [
        Caller(limited.test_client(), each.username, each.user_id, each.uuid, each.access_token)
        for each in (alice, bob)
    ]

    answers = [by_simple(caller, b"1" * 11) for caller in callers]

    assert [answer.status_code for answer in answers] == [413, 201]
    assert [held(caller)["quota"] for caller in callers] == [10, None]


# --- parts ----------------------------------------------------------------------------------------


@one_stack
def test_a_part_without_a_declared_size_is_reserved_as_it_comes(app: Flask, alice: Caller) -> None:
    limit(app, alice, 1000)
    upload = initiate(alice)
    send_part(alice, upload, 1, b"1" * 600)
    first = reserved(alice)

    url = part_url(alice, upload, 2).get_json()["url"]
    refused = uploads_client.put(alice, url, b"2" * 401)
    send_part(alice, upload, 1, b"1" * 700)

    assert (first, refusal(refused), reserved(alice)) == (600, PAST, 700)


@one_stack
def test_a_part_that_is_cut_off_gives_back_what_it_reserved(app: Flask, alice: Caller) -> None:
    upload = initiate(alice)
    send_part(alice, upload, 1, b"1" * 600)
    url = part_url(alice, upload, 1).get_json()["url"]

    path = url.removeprefix("http://localhost:8000")
    answer = alice.client.put(
        path, input_stream=BytesIO(b"short"), environ_overrides={"CONTENT_LENGTH": "900"}
    )

    assert answer.status_code == 400
    assert reserved(alice) == 600


@one_stack
def test_a_part_that_is_sent_twice_at_once_reserves_all_that_arrived(
    app: Flask, alice: Caller
) -> None:
    upload = initiate(alice)
    send_part(alice, upload, 1, b"1" * 600)
    send_part(alice, upload, 2, b"2" * 600)
    with app.app_context():
        key = Key(upload["key"])
        first, second = (
            part_receiver().admit_signed(key, upload["upload_id"], 1, None) for _ in range(2)
        )

        def while_another_comes() -> Iterator[bytes]:
            second.store(iter([b"x"]), size=1)
            yield b"y"

        first.store(while_another_comes(), size=1)

    assert reserved(alice) >= 601


on_s3 = pytest.mark.parametrize(
    ("database_url", "storage_settings"), [("sqlite", "s3-moto")], indirect=True
)
"""Where parts go straight to storage."""


@on_s3
def test_parts_that_went_straight_to_storage_are_counted_at_the_next_url(
    app: Flask, alice: Caller
) -> None:
    limit(app, alice, PART_SIZE)
    upload = initiate(alice)
    send_part(alice, upload, 1, bytes(PART_SIZE))
    more = part_url(alice, upload, 2)
    counted = reserved(alice)
    uploads_client.send(alice, more.get_json()["url"], b"1")

    assert counted == PART_SIZE
    assert refusal(part_url(alice, upload, 3)) == PAST


@on_s3
def test_parts_that_arrived_are_reserved_once_by_those_who_ask_for_urls_at_once(
    app: Flask, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(app, alice, 1000)
    upload = initiate(alice)
    send_part(alice, upload, 1, b"1" * 600)
    with app.app_context():
        storage = runtime().storage
    list_parts, others = storage.list_parts, [3]

    def while_another_asks(*arguments: Any) -> Any:
        if others:
            part_url(alice, upload, others.pop())
        return list_parts(*arguments)

    monkeypatch.setattr(storage, "list_parts", while_another_asks)

    assert part_url(alice, upload, 2).status_code == 200
    assert reserved(alice) == 600


@on_s3
@pytest.mark.parametrize("is_known", [True, False])
def test_completing_looks_at_the_true_size(app: Flask, alice: Caller, *, is_known: bool) -> None:
    upload = initiate(alice)
    part = send_part(alice, upload, 1, b"1" * 600)
    if not is_known:  # begun with credentials of the client's own
        with app.app_context():
            db.session.execute(delete(FileUpload))
            db.session.commit()
    limit(app, alice, 599)

    refused = complete(alice, upload, [part])
    limit(app, alice, 600)
    taken = complete(alice, upload, [part])

    assert refusal(refused) == PAST
    assert taken.status_code == 200
    assert (used(alice), reserved(alice), open_uploads(app, alice)) == (600, 0, 0)


# --- how many at once -----------------------------------------------------------------------------


@both_databases
def test_one_open_upload_too_many_is_refused_with_when_to_ask_again(
    make_app: Callable[..., Flask], app: Flask, alice: Caller
) -> None:
    few = make_app(max_open_uploads=2)
    caller = Caller(
        few.test_client(), alice.username, alice.user_id, alice.uuid, alice.access_token
    )
    ticket = by_drive(caller, b"bytes").get_json()
    begun = by_uploads(caller, PDF).get_json()

    answers = [send(caller, PDF) for send in DOORS.values()]
    answers.append(caller.post("/api/s3/multipart/initiate", json={"key": f"users/{alice.uuid}/b"}))
    alice.delete(f"/v1/files/uploads/{begun['file_obj']['id']}/")
    again = by_uploads(caller, PDF)
    assert exchange(caller, "PUT", ticket["presigned_url"], b"bytes")[0] == 200
    confirmed = caller.post("/api/files/confirm_upload", json={"s3_key": ticket["s3_key"]})

    assert {refusal(answer) for answer in answers} == {(429, "TOO_MANY_UPLOADS")}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
    assert (again.status_code, confirmed.status_code) == (201, 200)
