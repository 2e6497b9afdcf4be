"""A real disk that is full: 507 for each kind of write, nothing half-written, and all else goes on.

Needs root, for a disk of its own: a tmpfs.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from sqlalchemy import select

from softfactory.disk import FOR_FILES
from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.http.services import maintenance
from softfactory.models import FileUpload
from tests import samples
from tests.conftest import PASSWORD, Caller
from tests.contracts.doors import DOORS, announced, by_simple, form, good
from tests.doubles import FakeClock
from tests.e2e.edge import edge
from tests.e2e.server import Server, inside
from tests.e2e.small_disk import SmallDisk, small_disk
from tests.trust.remote import Answer, make_accounts

MIB = 1024 * 1024
SIZE = 64 * MIB
BODY = samples.pdf(size=2 * MIB)
SMALL = samples.pdf()
FULL = (507, "STORAGE_FULL")

Send = Callable[[], Any]
"""Sends a request that writes, as often as it is called."""


@dataclass(frozen=True)
class Stand:
    """A running server with something on a small disk, and its user, who has one file."""

    server: Server
    disk: SmallDisk
    caller: Caller
    kept: str


@contextmanager
def stand(room: Path, template: bytes, on_disk: str) -> Iterator[Stand]:
    """Run a server whose ``on_disk`` (files, or database and log) lies on a small disk."""
    with small_disk(room / "disk", size=SIZE) as disk:
        place = room if on_disk == "files" else disk.path
        media = (disk.path if on_disk == "files" else room) / "media"
        with edge(place, template, MEDIA_ROOT=str(media)) as running:
            caller = make_accounts(running.server, 1)[0].sign_in(running.url)
            yield Stand(running.server, disk, caller, kept=by_simple(caller, "kept.pdf", SMALL))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, sqlite_template: bytes) -> Iterator[Stand]:
    """A server whose files and their index lie on a small disk."""
    with stand(tmp_path_factory.mktemp("files"), sqlite_template, "files") as running:
        yield running


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, sqlite_template: bytes) -> Iterator[Stand]:
    """A server whose SQLite database and log lie on a small disk."""
    with stand(tmp_path_factory.mktemp("database"), sqlite_template, "database") as running:
        yield running


@pytest.fixture(autouse=True)
def room_again(request: pytest.FixtureRequest) -> Iterator[None]:
    """Make room behind each test."""
    yield
    for name in {"files", "database"} & {*request.fixturenames}:
        request.getfixturevalue(name).disk.make_room()


# --- each kind of write: prepared while there is room -----------------------------------------------

_numbers = count()


def new_name() -> str:
    """Return a name that no test has used."""
    return f"n{next(_numbers)}.pdf"


def put(url: str, body: bytes) -> Answer:
    """Use a signed URL without a login."""
    return Answer(requests.put(url, data=body, timeout=30))


def files_form(caller: Caller) -> Send:
    name = new_name()
    return lambda: form(caller, "/api/files/upload", name, BODY)


def simple_form(caller: Caller) -> Send:
    name = new_name()
    return lambda: form(caller, "/s3/upload", name, BODY)


def browser_form(caller: Caller) -> Send:
    name = new_name()
    key = f"users/{caller.uuid}/{name}"
    return lambda: form(caller, "/api/s3/upload", name, BODY, key=key)


def _granted(caller: Caller, body: bytes) -> dict[str, Any]:
    wanted = {"file_name": new_name(), "content_type": "application/pdf", "file_size": len(body)}
    granted: dict[str, Any] = good(caller.post("/api/files/upload/", json=wanted))["successful"][0]
    return granted


def drive_put(caller: Caller) -> Send:
    url = _granted(caller, BODY)["presigned_url"]
    return lambda: put(url, BODY)


def drive_confirm(caller: Caller) -> Send:
    granted = _granted(caller, SMALL)
    assert put(granted["presigned_url"], SMALL).status_code == 200
    return lambda: caller.post("/api/files/confirm_upload", json={"s3_key": granted["s3_key"]})


def _begun(caller: Caller, body: bytes) -> tuple[str, str]:
    begun = good(caller.post("/v1/files/uploads/", json=announced(new_name(), body)))
    return begun["file_obj"]["id"], begun["presigned_urls"][0]["url"]


def declared_part(caller: Caller) -> Send:
    _, url = _begun(caller, BODY)
    return lambda: put(url, BODY)


def complete(caller: Caller) -> Send:
    file_id, url = _begun(caller, SMALL)
    parts = [{"part_number": 1, "etag": put(url, SMALL).headers["ETag"]}]
    path = f"/v1/files/uploads/{file_id}/complete/"
    return lambda: caller.post(path, json={"parts": parts})


def _multipart(caller: Caller) -> tuple[dict[str, Any], str]:
    key = {"key": f"users/{caller.uuid}/{new_name()}"}
    upload = key | good(caller.post("/api/s3/multipart/initiate", json=key))
    part = good(caller.post("/api/s3/multipart/part-url", json={**upload, "part_number": 1}))
    return upload, part["url"]


def browser_part(caller: Caller) -> Send:
    _, url = _multipart(caller)
    return lambda: put(url, BODY)


def browser_complete(caller: Caller) -> Send:
    upload, url = _multipart(caller)
    parts = [{"part_number": 1, "etag": put(url, SMALL).headers["ETag"]}]
    return lambda: caller.post("/api/s3/multipart/complete", json={**upload, "parts": parts})


def rename(caller: Caller) -> Send:
    key = by_simple(caller, new_name(), SMALL)
    wanted = {"s3_key": key, "new_filename": new_name()}
    return lambda: caller.post("/api/files/rename", json=wanted)


def drive_delete(caller: Caller) -> Send:
    key = by_simple(caller, new_name(), SMALL)
    return lambda: caller.delete("/api/files", json={"s3_key": key})


def simple_delete(caller: Caller) -> Send:
    shown = by_simple(caller, new_name(), SMALL).removeprefix(f"{caller.username}/")
    return lambda: caller.delete(f"/s3/delete/{quote(shown)}")


def browser_delete(caller: Caller) -> Send:
    key = by_simple(caller, new_name(), SMALL)
    return lambda: caller.delete("/api/s3/object", json={"key": key})


def register(caller: Caller) -> Send:
    name = new_name().replace(".", "")
    wanted = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    return lambda: caller.client.post("/api/auth/register", json=wanted)


def login(caller: Caller) -> Send:
    credentials = {"username": caller.username, "password": PASSWORD}
    return lambda: caller.client.post("/api/auth/login", json=credentials)


CONTENT = [files_form, simple_form, browser_form, drive_put, declared_part, browser_part]
"""What brings bytes."""

CHANGES = [drive_confirm, complete, browser_complete, rename]
CHANGES += [drive_delete, simple_delete, browser_delete]
"""What changes files and brings none."""

FORMS = [files_form, simple_form, browser_form]
ROWS = [*FORMS, *CHANGES, register, login]
"""What writes to the database."""


# --- what is seen -----------------------------------------------------------------------------------


def refusal(answer: Any) -> tuple[int, str]:
    """Return status and code of a failure, once it is certain that it has the one body."""
    body = answer.get_json()
    assert set(body) - {"success"} == {"error", "detail", "code"}
    return answer.status_code, body["code"]


def shown(stand: Stand) -> dict[str, set[str]]:
    """Return the keys that each contract lists, once it is certain that files can still be read."""
    assert DOORS["simple"].read(stand.caller, stand.kept) == SMALL
    return {name: door.keys(stand.caller) for name, door in DOORS.items()}


def named_by_index(media: Path) -> set[str]:
    """Return the names of all files that the storage's index refers to."""
    with closing(sqlite3.connect(media / "index.sqlite3")) as index:
        return {name for (name,) in index.execute("SELECT file FROM versions WHERE file <> ''")}


def assert_refused_and_then_done(stand: Stand, write: Callable[[Caller], Send], leave: int) -> None:
    """See that a write without room changes nothing, and is done as soon as there is room."""
    send = write(stand.caller)
    before = shown(stand)
    stand.disk.fill(leave=leave)

    refused = send()

    assert refusal(refused) == FULL
    assert shown(stand) == before
    stand.disk.make_room()
    assert send().status_code in (200, 201, 204)


@pytest.mark.parametrize("write", [*CONTENT, *CHANGES], ids=lambda write: write.__name__)
def test_a_disk_without_a_byte_for_files_refuses_each_write_and_changes_nothing(
    files: Stand, write: Callable[[Caller], Send]
) -> None:
    assert_refused_and_then_done(files, write, leave=0)


@pytest.mark.parametrize("write", CONTENT, ids=lambda write: write.__name__)
def test_a_disk_that_fills_up_in_the_middle_of_a_file_leaves_nothing_of_it(
    files: Stand, write: Callable[[Caller], Send]
) -> None:
    assert_refused_and_then_done(files, write, leave=FOR_FILES + MIB)


@pytest.mark.parametrize("write", ROWS, ids=lambda write: write.__name__)
def test_a_disk_without_a_byte_for_the_database_refuses_each_write_and_changes_nothing(
    database: Stand, write: Callable[[Caller], Send]
) -> None:
    assert_refused_and_then_done(database, write, leave=0)


def test_a_disk_that_is_full_of_files_still_takes_every_change_of_them(files: Stand) -> None:
    uploads = [write(files.caller) for write in CONTENT]
    changes = [write(files.caller) for write in CHANGES]
    files.disk.fill(leave=FOR_FILES)

    refused, changed = [send() for send in uploads], [send() for send in changes]

    assert {refusal(answer) for answer in refused} == {FULL}
    assert {answer.status_code for answer in changed} <= {200, 201, 204}


@pytest.mark.parametrize(
    ("on_disk", "writes", "leave"),
    [
        ("files", CHANGES, 0),
        ("files", CONTENT, FOR_FILES + MIB),
        ("database", ROWS, 0),
    ],
    ids=["no byte for files", "half a file", "no byte for the database"],
)
def test_cleanup_removes_all_that_refused_writes_leave(
    request: pytest.FixtureRequest, on_disk: str, writes: list[Any], leave: int
) -> None:
    stand: Stand = request.getfixturevalue(on_disk)
    sends = [write(stand.caller) for write in writes]
    stand.disk.fill(leave=leave)
    refused = [send() for send in sends]
    stand.disk.make_room()

    with inside(stand.server, clock=FakeClock(datetime.now(UTC) + timedelta(hours=25))):
        maintenance().cleanup()
        storage, media = runtime().storage, runtime().config.media_root
        objects = {found.key for found in storage.list_objects().objects}
        rows = db.session.execute(select(FileUpload.file_key, FileUpload.status)).all()

    assert {refusal(answer) for answer in refused} == {FULL}
    assert sorted(rows) == sorted((key, "completed") for key in objects)
    assert [*(media / "temp_uploads").iterdir()] == []
    assert named_by_index(media) == {file.name for file in media.glob("files/*/*/*")}
