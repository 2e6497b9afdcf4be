"""``files cleanup``: what is no longer anyone's goes, what is alive stays."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select

from softfactory.errors import StorageError
from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.http.services import maintenance
from softfactory.models import FileUpload, MultipartUpload
from softfactory.services.leftovers import Leftovers
from softfactory.storage.keys import Key, StoredKey
from tests import samples
from tests.blueprints.drive_client import begin, confirm, content, put, put_unchecked
from tests.blueprints.test_files_upload import send
from tests.conftest import Caller
from tests.doubles import FailingStorage, FakeClock
from tests.stacks import both_storages

Cleanup = Callable[..., dict[str, Any]]


@pytest.fixture
def cleanup(app: Flask) -> Cleanup:
    """A function that runs ``flask files cleanup --json`` and returns its report."""

    def cleanup(*arguments: str) -> dict[str, Any]:
        ran = app.test_cli_runner().invoke(args=["files", "cleanup", "--json", *arguments])
        assert ran.exit_code == 0, ran.output
        report: dict[str, Any] = json.loads(ran.stdout)
        return report

    return cleanup


@pytest.fixture
def begin_upload(app: Flask, alice: Caller, clock: FakeClock) -> Callable[..., int]:
    """A function that leaves an upload as a crash would: a row, and perhaps bytes."""

    def begin_upload(
        key: str, *, status: str = "pending", stored: bytes | None = None, parts: bool = False
    ) -> int:
        with app.app_context():
            file = FileUpload(
                user_id=alice.user_id,
                file_key=Key(key),
                original_filename="a",
                content_type="application/pdf",
                category="document",
                status=status,
                uploaded_at=clock.now,
                last_activity_at=clock.now,
            )
            db.session.add(file)
            db.session.flush()
            if stored is not None:
                runtime().storage.put(Key(key), [stored])
            if parts:
                upload_id = runtime().storage.create_multipart(Key(key))
                db.session.add(
                    MultipartUpload(file_id=file.id, upload_id=upload_id, created_at=clock.now)
                )
            db.session.commit()
            return file.id

    return begin_upload


def rows(app: Flask) -> list[int]:
    with app.app_context():
        return list(db.session.scalars(select(FileUpload.id)))


def objects(app: Flask) -> list[str]:
    with app.app_context():
        return [found.key for found in runtime().storage.list_objects().objects]


def test_a_tidy_house_has_nothing_to_clean(cleanup: Cleanup, alice: Caller) -> None:
    send(alice, samples.pdf())

    assert cleanup() == {
        "expired_files": 0,
        "abandoned_uploads": 0,
        "orphan_parts": 0,
        "noncurrent_versions": 0,
        "spent_codes": 0,
        "dead_sessions": 0,
        "unconfirmed_accounts": 0,
        "deleted_accounts": 0,
        "skipped": [],
        "dry_run": False,
    }


def test_an_expired_file_goes_for_good(
    app: Flask, cleanup: Cleanup, alice: Caller, clock: FakeClock
) -> None:
    key = send(alice, samples.pdf(), expires_in_hours="1").get_json()["file_key"]
    kept = send(alice, samples.png(), "a.png").get_json()

    clock.advance(hours=1)
    report = cleanup()

    assert report["expired_files"] == 1
    assert rows(app) == [kept["file_id"]]
    with app.app_context():
        assert runtime().storage.list_versions(Key(key)) == []


def test_a_file_that_expires_later_stays(app: Flask, cleanup: Cleanup, alice: Caller) -> None:
    send(alice, samples.pdf(), expires_in_hours="1")

    assert cleanup()["expired_files"] == 0
    assert len(objects(app)) == 1


def test_a_dry_run_says_the_same_and_changes_nothing(
    app: Flask, cleanup: Cleanup, alice: Caller, clock: FakeClock
) -> None:
    send(alice, samples.pdf(), expires_in_hours="1")
    clock.advance(hours=1)

    report = cleanup("--dry-run")

    assert (report["expired_files"], report["dry_run"]) == (1, True)
    assert len(rows(app)) == len(objects(app)) == 1


@pytest.mark.parametrize("stored", [None, b"bytes whose row was never completed"])
def test_an_abandoned_upload_goes_with_its_bytes(
    app: Flask,
    cleanup: Cleanup,
    begin_upload: Callable[..., int],
    clock: FakeClock,
    stored: bytes | None,
) -> None:
    begin_upload("uploads/1/20260101_000000_a.pdf", stored=stored)

    clock.advance(hours=24, seconds=1)
    report = cleanup()

    assert report["abandoned_uploads"] == 1
    assert rows(app) == []
    assert objects(app) == []


@pytest.mark.parametrize("status", ["pending", "uploading", "failed", "aborted"])
def test_every_unfinished_status_is_abandoned_in_time(
    app: Flask,
    cleanup: Cleanup,
    begin_upload: Callable[..., int],
    clock: FakeClock,
    status: str,
) -> None:
    begin_upload("uploads/1/a.pdf", status=status, parts=True)

    clock.advance(hours=25)
    report = cleanup()

    assert report["abandoned_uploads"] == 1
    with app.app_context():
        assert list(runtime().storage.list_multiparts()) == []


def test_an_upload_that_moved_in_the_last_day_stays(
    app: Flask, cleanup: Cleanup, begin_upload: Callable[..., int], clock: FakeClock
) -> None:
    file_id = begin_upload("uploads/1/a.pdf", stored=b"x", parts=True)

    clock.advance(hours=23, minutes=59)

    assert cleanup()["abandoned_uploads"] == 0
    assert rows(app) == [file_id]


def test_an_aborted_upload_takes_no_file_of_its_key_along(
    app: Flask, cleanup: Cleanup, begin_upload: Callable[..., int], clock: FakeClock
) -> None:
    begin_upload("alice/a.pdf", status="aborted")
    kept = begin_upload("alice/a.pdf", status="completed", stored=b"somebody counts on these")

    clock.advance(hours=25)
    cleanup()

    assert rows(app) == [kept]
    assert objects(app) == ["alice/a.pdf"]


def test_an_abandoned_upload_leaves_the_older_version_of_its_key(
    app: Flask, cleanup: Cleanup, begin_upload: Callable[..., int], clock: FakeClock
) -> None:
    with app.app_context():
        older = runtime().storage.put(Key("alice/a.pdf"), [b"older"])
        runtime().storage.delete(Key("alice/a.pdf"))
    begin_upload("alice/a.pdf", stored=b"newer")

    clock.advance(hours=25)
    cleanup()

    with app.app_context():
        versions = runtime().storage.list_versions(Key("alice/a.pdf"))
    assert [version.version_id for version in versions] == [older.version_id]
    assert objects(app) == []


def test_one_file_that_storage_will_not_delete_does_not_stop_the_others(
    make_app: Callable[..., Flask], app: Flask, alice: Caller, clock: FakeClock
) -> None:
    for _ in range(2):
        send(alice, samples.pdf(), expires_in_hours="1")
    clock.advance(hours=1)
    with app.app_context():
        storage = FailingStorage(runtime().storage)
    storage.fail_before.add("purge")
    broken = make_app(storage=storage)

    with broken.app_context():
        report = maintenance().cleanup()

    assert report.expired_files == 0
    assert len(rows(app)) == 2


def test_old_versions_below_our_roots_go_after_their_days(
    app: Flask, cleanup: Cleanup, alice: Caller, clock: FakeClock, storage_settings: dict[str, Any]
) -> None:
    if storage_settings["upload_storage_handler"] == "s3":
        clock.advance(days=1)  # moto's objects are as old as the real clock says
    with app.app_context():
        for body in (b"first", b"second"):
            for key in ("alice/a.txt", "other-team/a.txt"):
                runtime().storage.put(Key(key), [body])

    clock.advance(days=31)
    report = cleanup()

    assert report["noncurrent_versions"] == 1
    with app.app_context():
        assert len(runtime().storage.list_versions(Key("alice/a.txt"))) == 1
        assert len(runtime().storage.list_versions(Key("other-team/a.txt"))) == 2


def test_an_upload_that_only_storage_knows_is_ended_below_our_roots_alone(
    app: Flask, cleanup: Cleanup, alice: Caller, clock: FakeClock
) -> None:
    with app.app_context():
        for key in ("uploads/1/a.bin", "alice/a.bin", "backups/a.bin"):
            runtime().storage.create_multipart(Key(key))

    clock.advance(hours=25)
    cleanup()

    with app.app_context():
        left = [upload.key for upload in runtime().storage.list_multiparts("backups/")]
        ours = [
            upload.key
            for prefix in ("uploads/", "alice/")
            for upload in runtime().storage.list_multiparts(prefix)
        ]
    assert ours == []
    assert left in (["backups/a.bin"], [])  # local storage is nobody else's: there all may go


def test_the_report_for_people_names_every_count(app: Flask, alice: Caller) -> None:
    ran = app.test_cli_runner().invoke(args=["files", "cleanup", "--dry-run"])

    assert ran.exit_code == 0
    assert "Would remove 0 expired files." in ran.stdout
    assert len(ran.stdout.splitlines()) == 8


def test_ended_logins_are_counted_and_removed(
    cleanup: Cleanup, alice: Caller, clock: FakeClock
) -> None:
    clock.advance(days=timedelta(days=31).days)

    assert cleanup()["dead_sessions"] == 1


@pytest.mark.light
def test_bytes_sent_for_an_upload_that_was_given_up_go_in_time(
    app: Flask, cleanup: Cleanup, alice: Caller, clock: FakeClock
) -> None:
    ticket = begin(alice, "a.txt", 5)
    alice.delete("/api/files", json={"s3_key": ticket["s3_key"]})
    put_unchecked(alice, ticket["presigned_url"], b"12345")

    assert cleanup()["orphan_parts"] == 0
    clock.advance(minutes=6)
    assert cleanup("--dry-run")["orphan_parts"] == 1
    assert cleanup()["orphan_parts"] == 1

    assert objects(app) == []


@pytest.mark.light
def test_bytes_that_wait_to_be_confirmed_are_no_leftovers(
    app: Flask, alice: Caller, clock: FakeClock
) -> None:
    ticket = begin(alice, "a.txt", 5)
    put(alice, ticket["presigned_url"], b"12345")

    with app.app_context():
        leftovers = Leftovers(db.session(), runtime().storage, dry_run=False)

        assert leftovers.purge_staged(clock.now + timedelta(days=1)) == 0
    assert len(objects(app)) == 1


@both_storages
def test_of_bytes_that_were_sent_again_and_again_the_last_alone_stay(
    app: Flask, cleanup: Cleanup, alice: Caller, clock: FakeClock
) -> None:
    ticket = begin(alice, "a.txt", 5)
    for body in (b"first", b"again", b"third"):
        assert put(alice, ticket["presigned_url"], body) == 200
    clock.advance(minutes=6)

    cleanup()

    with app.app_context():
        (staged,) = runtime().storage.list_objects("alice/").objects
        assert len(runtime().storage.list_versions(Key(staged.key))) == 1
    assert confirm(alice, ticket["s3_key"]).status_code == 200
    assert content(alice, "alice/a.txt") == b"third"


@both_storages
def test_what_storage_fails_for_is_named_and_stops_nothing_else(
    make_app: Callable[..., Flask], app: Flask, alice: Caller, clock: FakeClock
) -> None:
    keys = [
        send(alice, samples.pdf(), f"{n}.pdf", expires_in_hours="1").get_json()["file_key"]
        for n in range(3)
    ]
    clock.advance(hours=1)
    with app.app_context():
        storage = runtime().storage

    class Failing:
        """A storage that cannot list one user's uploads, nor delete one object."""

        def __getattr__(self, verb: str) -> Any:
            return getattr(storage, verb)

        def list_multiparts(self, prefix: str = "") -> Any:
            if prefix in ("", "alice/"):
                raise StorageError
            return storage.list_multiparts(prefix)

        def sweep_noncurrent(self, before: Any, *, prefix: str, dry_run: bool) -> int:
            if prefix == "uploads/":
                raise StorageError
            return storage.sweep_noncurrent(before, prefix=prefix, dry_run=dry_run)

        def purge(self, key: StoredKey) -> None:
            if key == keys[1]:
                raise StorageError
            storage.purge(key)

    ran = make_app(storage=Failing()).test_cli_runner()
    answer = ran.invoke(args=["files", "cleanup", "--json"])

    report = json.loads(answer.stdout)
    (left,) = rows(app)
    assert (answer.exit_code, report["expired_files"]) == (1, 2)
    assert report["skipped"] == [f"file {left}", "alice/", "uploads/"]
    assert objects(app) == [keys[1]]


def test_the_look_for_expired_files_reads_those_alone_and_removes_them(
    app: Flask, alice: Caller, clock: FakeClock
) -> None:
    gone = send(alice, samples.pdf(), expires_in_hours="1").get_json()["file_key"]
    kept = send(alice, samples.pdf()).get_json()["file_key"]
    with app.app_context():
        before = maintenance().remove_expired(), objects(app)
    clock.advance(hours=1)
    with app.app_context():
        statements: list[str] = []
        event.listen(db.engine, "before_cursor_execute", lambda *said: statements.append(said[2]))

        after = maintenance().remove_expired(), objects(app)

    assert before == (True, sorted([gone, kept]))
    assert after == (True, [kept])
    looks = [said for said in statements if said.startswith("SELECT") and "expires_at" in said]
    assert "status =" not in looks[0]  # or SQLite reads every completed file, every second


def test_an_expired_file_that_storage_will_not_delete_is_tried_again(
    make_app: Callable[..., Flask], app: Flask, alice: Caller, clock: FakeClock
) -> None:
    send(alice, samples.pdf(), expires_in_hours="1")
    clock.advance(hours=1)
    with app.app_context():
        storage = FailingStorage(runtime().storage)
    storage.fail_before = {"purge"}
    failing = make_app(storage=storage)

    with failing.app_context():
        first = maintenance().remove_expired()
    with app.app_context():
        again = maintenance().remove_expired()

    assert (first, again, objects(app)) == (False, True, [])
