"""``files verify``: bytes are read back, and damage is named."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from softfactory.errors import StorageError
from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.models import FileUpload
from softfactory.services.verification import Throttle
from softfactory.storage.base import MIN_PART_SIZE, Storage
from softfactory.storage.keys import Key
from tests import samples
from tests.blueprints.test_files_upload import send
from tests.cli.test_files_reconcile import rows
from tests.conftest import Caller
from tests.doubles import FakeClock
from tests.stacks import both_storages, one_stack

Verify = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def verify(app: Flask) -> Verify:
    """A function that runs ``flask files verify --json``; returns its exit code and report."""

    def verify(*arguments: str) -> tuple[int, dict[str, Any]]:
        ran = app.test_cli_runner().invoke(args=["files", "verify", "--json", *arguments])
        assert ran.exit_code in (0, 1), ran.output
        report: dict[str, Any] = json.loads(ran.stdout)
        return ran.exit_code, report

    return verify


@pytest.fixture
def storage(app: Flask) -> Storage:
    """The application's storage, to go behind the application's back."""
    with app.app_context():
        return runtime().storage


def bytes_on_disk(app: Flask) -> list[Path]:
    """Return the files that hold bytes, the oldest first."""
    files = (app_root(app) / "files").rglob("*")
    return sorted((f for f in files if f.is_file()), key=lambda f: f.stat().st_mtime_ns)


def app_root(app: Flask) -> Path:
    with app.app_context():
        return runtime().config.media_root


def damage(app: Flask, how: str, which: int = -1) -> None:
    """Do to a file on disk what disks and people do."""
    file = bytes_on_disk(app)[which]
    if how == "missing":
        file.unlink()
    elif how == "a directory":
        file.unlink()
        file.mkdir()
    elif how == "wrong size":
        file.write_bytes(file.read_bytes()[:-1])
    else:
        file.write_bytes(file.read_bytes()[:-1] + b"\xff")


HOW = pytest.mark.parametrize("how", ["missing", "wrong size", "wrong content"])


@both_storages
def test_what_is_sound_is_said_to_be(verify: Verify, storage: Storage, alice: Caller) -> None:
    send(alice, samples.pdf())
    storage.put(Key("alice/a"), [b"old"])
    storage.put(Key("alice/a"), [b"newer"])
    storage.put(Key("alice/empty"), [])

    code, report = verify()

    assert code == 0
    assert (report["verified"], report["bytes"]) == (4, len(samples.pdf()) + 8)
    assert (report["damaged"], report["unreadable"], report["not_compared"]) == ([], [], 0)


@one_stack
@HOW
def test_damage_is_named_and_fails(app: Flask, verify: Verify, alice: Caller, how: str) -> None:
    key = send(alice, samples.pdf()).get_json()["file_key"]
    damage(app, how)

    code, report = verify()

    assert code == 1
    assert [(each["key"], each["reason"]) for each in report["damaged"]] == [(key, how)]


@one_stack
@HOW
def test_old_versions_are_verified_too(
    app: Flask, verify: Verify, storage: Storage, how: str
) -> None:
    old = storage.put(Key("alice/a"), [b"old bytes"])
    storage.put(Key("alice/a"), [b"new bytes"])
    damage(app, how, which=0)

    _, report = verify()

    expected = {"key": "alice/a", "version_id": old.version_id, "reason": how}
    assert report["damaged"] == [expected]


@one_stack
@pytest.mark.parametrize("is_declared", [True, False])
@pytest.mark.parametrize("is_damaged", [True, False])
def test_what_came_in_parts_is_compared_part_by_part(
    app: Flask, verify: Verify, storage: Storage, *, is_declared: bool, is_damaged: bool
) -> None:
    size = 2 * MIN_PART_SIZE + 3
    declared: dict[str, Any] = {"part_size": MIN_PART_SIZE, "size": size} if is_declared else {}
    upload_id = storage.create_multipart(Key("alice/a"), **declared)
    parts = [b"a" * MIN_PART_SIZE, b"b" * MIN_PART_SIZE, b"end"]
    sent = [
        storage.put_part(Key("alice/a"), upload_id, number, [part], size=len(part))
        for number, part in enumerate(parts, start=1)
    ]
    storage.complete_multipart(Key("alice/a"), upload_id, [(p.part_number, p.etag) for p in sent])
    if is_damaged:
        damage(app, "wrong content")

    code, report = verify()

    assert (code, len(report["damaged"]), report["not_compared"]) == (is_damaged, is_damaged, 0)


@one_stack
def test_bytes_are_compared_with_the_sha256_of_their_row(
    app: Flask, verify: Verify, alice: Caller
) -> None:
    send(alice, samples.pdf())
    with app.app_context():
        db.session.execute(update(FileUpload).values(sha256="0" * 64))
        db.session.commit()

    assert verify()[1]["damaged"][0]["reason"] == "wrong content"


@one_stack
def test_a_run_goes_on_behind_a_key_and_can_leave_out_what_is_old(
    verify: Verify, storage: Storage, clock: FakeClock
) -> None:
    for name in "abc":
        storage.put(Key(f"alice/{name}"), [b"a"])
        clock.advance(days=2)

    assert verify("--after", "alice/a")[1]["verified"] == 2
    assert verify("--since", "3")[1]["verified"] == 1
    assert verify()[1]["after"] == "alice/c"


@both_storages
def test_a_version_that_storage_fails_for_stops_no_other(
    make_app: Callable[..., Flask], storage: Storage, alice: Caller
) -> None:
    for name in "abc":
        storage.put(Key(f"alice/{name}"), [b"a"])

    class Failing:
        """A storage that cannot tell of one object."""

        def __getattr__(self, verb: str) -> Any:
            return getattr(storage, verb)

        def verify(self, version: Any, read: Any) -> Any:
            if version.key == "alice/b":
                raise StorageError
            return storage.verify(version, read)

    ran = make_app(storage=Failing()).test_cli_runner()
    answer = ran.invoke(args=["files", "verify", "--json"])

    report = json.loads(answer.stdout)
    assert (answer.exit_code, report["verified"]) == (1, 3)
    assert [each["key"] for each in report["unreadable"]] == ["alice/b"]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Take SIGINT as at a terminal; what a shell starts in the background ignores it (POSIX)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@both_storages
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("interruptible")
def test_stopped_it_says_where_to_go_on(
    make_app: Callable[..., Flask], storage: Storage, number: signal.Signals
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    for name in "abc":
        storage.put(Key(f"alice/{name}"), [b"a"])

    class Stopped:
        """A storage during whose work somebody presses Ctrl-C, or a timer's time is up."""

        def __getattr__(self, verb: str) -> Any:
            return getattr(storage, verb)

        def verify(self, version: Any, read: Any) -> Any:
            if version.key == "alice/c":
                signal.raise_signal(number)
            return storage.verify(version, read)

    ran = make_app(storage=Stopped()).test_cli_runner().invoke(args=["files", "verify"])

    assert ran.exit_code == 1
    assert "--after alice/a" in ran.stderr
    assert signal.getsignal(signal.SIGTERM) == before


@one_stack
def test_bytes_go_by_no_faster_than_the_rate() -> None:
    waited: list[float] = []
    throttle = Throttle(100.0, pause=waited.append, now=lambda: 5.0)

    for _ in range(3):
        throttle.wait(50)

    assert waited == [0.5, 1.0, 1.5]


# --- bytes that are gone ----------------------------------------------------------------------


@one_stack
@pytest.mark.parametrize("how", ["missing", "wrong size", "a directory"])
def test_bytes_that_are_gone_are_404_at_every_door(app: Flask, alice: Caller, how: str) -> None:
    file = send(alice, samples.pdf()).get_json()
    key, number = file["file_key"], file["file_id"]
    url = alice.get(f"/api/files/{number}/download_presigned_url").get_json()["presigned_url"]
    damage(app, how)
    path = url.partition("://")[2].partition("/")[2]
    tier = {"target_tier": "glacier"}

    answers = {
        "media": alice.get(f"/{path}"),
        "media range": alice.get(f"/{path}", headers={"Range": "bytes=0-1"}),
        "media head": alice.client.head(f"/{path}"),
        "drive": alice.get(f"/api/files/{number}/download_file"),
        "details": alice.get(f"/api/files/{number}/details"),
        "refresh": alice.get(f"/api/files/{number}/refresh"),
        "tier": alice.post(f"/api/files/{number}/change_tier", json=tier),
        "rename": alice.post("/api/files/rename", json={"s3_key": key, "new_filename": "b"}),
        "browser": alice.post("/api/s3/download", json={"key": key}),
        "metadata": alice.get("/api/s3/object/metadata", query_string={"key": key}),
        "simple": alice.get(f"/s3/download/{key}"),
    }

    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(
        answers, 404
    )
    for lists in ("/api/files", "/api/v2/files?use_cache=false", "/api/v3/files", "/s3/list"):
        assert alice.get(lists).status_code == 200


@one_stack
@pytest.mark.parametrize("how", ["missing", "wrong size"])
def test_reconcile_names_a_file_whose_bytes_are_gone(app: Flask, alice: Caller, how: str) -> None:
    key = send(alice, samples.pdf()).get_json()["file_key"]
    damage(app, how)
    ran = app.test_cli_runner()

    found = ran.invoke(args=["files", "reconcile", "--json"])
    fixed = ran.invoke(args=["files", "reconcile", "--json", "--fix"])
    again = ran.invoke(args=["files", "reconcile", "--json"])

    assert json.loads(found.stdout)["rows_without_object"] == [key]
    assert [found.exit_code, fixed.exit_code, again.exit_code] == [1, 0, 0]
    assert rows(app)[key][0] == "failed"


@one_stack
def test_a_file_whose_bytes_are_gone_can_be_deleted(app: Flask, alice: Caller) -> None:
    key = send(alice, samples.pdf()).get_json()["file_key"]
    damage(app, "missing")

    assert alice.delete("/api/s3/object", json={"key": key}).status_code == 200
    assert alice.get("/api/v3/files").get_json()["files"] == []


@one_stack
def test_restoring_bytes_makes_the_file_be_there_again(app: Flask, alice: Caller) -> None:
    number = send(alice, samples.pdf()).get_json()["file_id"]
    (file,) = bytes_on_disk(app)
    saved = file.read_bytes()
    file.unlink()
    assert alice.get(f"/api/files/{number}/download_file").status_code == 404

    file.write_bytes(saved)

    assert alice.get(f"/api/files/{number}/download_file").status_code == 200
