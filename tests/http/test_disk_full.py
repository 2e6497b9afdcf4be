"""A disk that fills up in the middle of a write: 507 with a clear error, and nothing half-written."""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, text
from urllib3 import encode_multipart_formdata

from softfactory.disk import FOR_DATABASES, FOR_FILES
from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from tests import samples
from tests.blueprints.uploads_client import BODY, PART_SIZE, begin, part_of, put
from tests.conftest import Caller
from tests.contracts.doors import DOORS, by_simple
from tests.http.failures import refusal
from tests.stacks import one_stack

pytestmark = one_stack

FULL = (507, "STORAGE_FULL")
LARGE = samples.pdf() + bytes(3 * 1024 * 1024)


def form(caller: Caller, path: str, **fields: str) -> Any:
    """Send a large file as a form."""
    body, content_type = encode_multipart_formdata(
        {**fields, "file": ("a.pdf", LARGE, "application/pdf")}
    )
    return caller.post(path, data=body, content_type=content_type)


def drive_upload(caller: Caller) -> Any:
    """Send a file to the presigned URL of a drive upload."""
    wanted = {"file_name": "a.pdf", "file_size": len(LARGE), "content_type": "application/pdf"}
    answer = caller.post("/api/files/upload", json=wanted).get_json()
    return put(caller, answer["presigned_url"], LARGE)


def browser_part(caller: Caller) -> Any:
    """Send a part of an upload of undeclared size."""
    key = f"users/{caller.uuid}/a.bin"
    begun = caller.post("/api/s3/multipart/initiate", json={"key": key}).get_json()
    wanted = {"key": key, "upload_id": begun["upload_id"], "part_number": 1}
    url = caller.post("/api/s3/multipart/part-url", json=wanted).get_json()["url"]
    return put(caller, url, LARGE)


def declared_part(caller: Caller) -> Any:
    """Send a part of an upload of declared size."""
    begun = begin(caller)
    return put(caller, begun["presigned_urls"][0]["url"], part_of(BODY, 1))


WRITES: dict[str, Callable[[Caller], Any]] = {
    "files form": lambda caller: form(caller, "/api/files/upload"),
    "simple form": lambda caller: form(caller, "/s3/upload"),
    "browser upload": lambda caller: form(
        caller, "/api/s3/upload", key=f"users/{caller.uuid}/a.pdf"
    ),
    "drive upload": drive_upload,
    "browser part": browser_part,
    "declared part": declared_part,
}


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """A function that leaves room for so many more bytes of files' content."""
    real, room = os.pwrite, [1 << 60]

    def pwrite(fd: int, data: Any, offset: int) -> int:
        size = min(len(data), room[0])
        if not size:
            raise OSError(errno.ENOSPC, "No space left on device", "/srv/media/secret-path")
        room[0] -= size
        return real(fd, bytes(data[:size]), offset)

    monkeypatch.setattr(os, "pwrite", pwrite)

    def leave(size: int) -> None:
        room[0] = size

    yield leave
    room[0] = 1 << 60


def objects(app: Flask) -> list[str]:
    with app.app_context():
        return [entry.key for entry in runtime().storage.list_objects("").objects]


def allocated(root: Path) -> int:
    """Return how many bytes of content the files below ``root`` really take."""
    files = [path for path in root.rglob("*") if path.is_file() and "sqlite" not in path.name]
    return sum(path.stat().st_blocks * 512 for path in files)


@pytest.mark.parametrize("kind", WRITES)
def test_a_file_without_room_is_507_and_leaves_nothing(
    app: Flask, alice: Caller, disk: Callable[[int], None], kind: str
) -> None:
    disk(1024 * 1024)

    answer = WRITES[kind](alice)

    assert refusal(answer) == FULL
    assert "secret-path" not in answer.text
    assert objects(app) == []
    assert alice.get("/api/files").get_json()["total"] == 0
    with app.app_context():
        root = runtime().config.media_root
    assert allocated(root) <= (2 * 1024 * 1024 if kind == "declared part" else 0)


@pytest.mark.parametrize("kind", WRITES)
def test_a_file_arrives_once_there_is_room_again(
    app: Flask, alice: Caller, disk: Callable[[int], None], kind: str
) -> None:
    disk(1024 * 1024)
    WRITES[kind](alice)
    disk(1 << 60)

    assert WRITES[kind](alice).status_code in (200, 201)


def test_a_part_without_room_can_be_sent_again(
    app: Flask, alice: Caller, disk: Callable[[int], None]
) -> None:
    begun = begin(alice)
    urls = begun["presigned_urls"]
    disk(1024 * 1024)
    refused = put(alice, urls[0]["url"], part_of(BODY, 1))
    disk(1 << 60)

    again = put(alice, urls[0]["url"], part_of(BODY, 1, PART_SIZE))

    assert (refusal(refused), again.status_code) == (FULL, 200)


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A function that has the file system say how many bytes are free."""

    def say(size: int) -> None:
        told = SimpleNamespace(f_blocks=1, f_bavail=size, f_frsize=1)
        monkeypatch.setattr(os, "statvfs", lambda _: told)

    return say


def test_files_leave_room_for_what_removes_them(alice: Caller, room: Callable[[int], None]) -> None:
    key = by_simple(alice, "a.pdf", samples.pdf())
    room(FOR_FILES)

    refused = form(alice, "/s3/upload")
    deleted = alice.delete("/api/files", json={"s3_key": key})

    assert (refusal(refused), deleted.status_code) == (FULL, 200)


def test_a_disk_that_does_not_tell_its_room_is_written_to(
    alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = SimpleNamespace(f_blocks=0, f_bavail=0, f_frsize=4096)
    monkeypatch.setattr(os, "statvfs", lambda _: told)

    assert form(alice, "/s3/upload").status_code == 201


# --- the databases --------------------------------------------------------------------------------


def test_a_database_without_room_is_507_and_nothing_is_stored(app: Flask, alice: Caller) -> None:
    with app.app_context():
        pages = db.session.scalar(text("PRAGMA page_count"))
        db.session.remove()
        db.engine.dispose()

        @event.listens_for(db.engine, "connect")
        def limit(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute(f"PRAGMA max_page_count = {pages}")

    answers = [
        alice.post("/api/files/upload", json={"files": [{"file_name": f"{i}.pdf",
                   "file_size": 1, "content_type": "application/pdf"} for i in range(n, n + 100)]})
        for n in range(0, 500, 100)
    ]  # fmt: skip

    full = next(answer for answer in answers if answer.status_code != 200)
    assert refusal(full) == FULL
    assert alice.get("/api/v2/files").status_code == 200


@pytest.mark.parametrize("contract", DOORS)
def test_a_database_with_little_room_refuses_a_delete_before_storage_has_done_it(
    alice: Caller, room: Callable[[int], None], contract: str
) -> None:
    key = by_simple(alice, "a.pdf", samples.pdf())
    room(FOR_DATABASES - 1)

    status = DOORS[contract].delete(alice, key)

    assert status == 507
    assert [door.keys(alice) for door in DOORS.values()] == [{key}] * len(DOORS)
