"""Cleanup of uploads in parts: what nothing moves goes, what storage sees moving stays."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.http.services import maintenance
from softfactory.models import FileUpload, MultipartUpload
from softfactory.services.maintenance import CleanupReport
from softfactory.storage.keys import Key
from tests.blueprints import test_browser_multipart as browser
from tests.blueprints.uploads_client import BODY, begin, send_all, status, upload
from tests.conftest import Caller
from tests.doubles import FakeClock


def cleanup(app: Flask, *, dry_run: bool = False) -> CleanupReport:
    with app.app_context():
        return maintenance().cleanup(dry_run=dry_run)


def left(app: Flask) -> tuple[int, int]:
    """Return how many rows and how many open uploads there are."""
    with app.app_context():
        rows = len(db.session.scalars(select(FileUpload)).all())
        return rows, len(list(runtime().storage.list_multiparts()))


def forget_activity(app: Flask, clock: FakeClock) -> None:
    """Let the rows have seen nothing for two days, as where parts go straight to storage."""
    with app.app_context():
        long_ago = clock.now.replace(year=clock.now.year - 1)
        db.session.execute(update(FileUpload).values(last_activity_at=long_ago))
        db.session.commit()


def start(caller: Caller, kind: str) -> None:
    if kind == "declared":
        send_all(caller, begin(caller))
    else:
        browser.send_both(caller, browser.initiate(caller))


@pytest.mark.parametrize("kind", ["declared", "browser"])
def test_an_upload_without_activity_goes_with_its_parts(
    app: Flask, alice: Caller, clock: FakeClock, kind: str
) -> None:
    start(alice, kind)

    clock.advance(hours=24, minutes=2)
    dry = cleanup(app, dry_run=True)
    report = cleanup(app)

    assert (dry.abandoned_uploads, report.abandoned_uploads) == (1, 1)
    assert left(app) == (0, 0)


@pytest.mark.parametrize("kind", ["declared", "browser"])
def test_an_upload_whose_parts_arrive_in_storage_stays(
    app: Flask, alice: Caller, clock: FakeClock, kind: str
) -> None:
    start(alice, kind)
    forget_activity(app, clock)

    dry = cleanup(app, dry_run=True)
    report = cleanup(app)

    assert (dry.abandoned_uploads, report.abandoned_uploads) == (0, 0)
    assert left(app) == (1, 1)


def test_an_aborted_upload_goes_after_its_time(app: Flask, alice: Caller, clock: FakeClock) -> None:
    begun = begin(alice)
    alice.delete(f"/v1/files/uploads/{begun['file_obj']['id']}/")

    clock.advance(hours=23)
    cleanup(app)
    shown = status(alice, begun)
    clock.advance(hours=2)
    cleanup(app)

    assert shown == "aborted"
    assert left(app) == (0, 0)


def test_a_completed_upload_stays(app: Flask, alice: Caller, clock: FakeClock) -> None:
    done = upload(alice)

    clock.advance(days=3)
    report = cleanup(app)

    assert report.abandoned_uploads == report.orphan_parts == 0
    with app.app_context():
        assert db.session.get_one(FileUpload, int(done["id"])).status == "completed"


@pytest.mark.parametrize("kind", ["declared", "browser"])
def test_an_upload_that_only_lacks_its_commit_is_finished(
    app: Flask, alice: Caller, clock: FakeClock, kind: str
) -> None:
    start(alice, kind)
    with app.app_context():
        storage = runtime().storage
        upload_id = db.session.scalars(select(MultipartUpload.upload_id)).one()
        key = Key(db.session.scalars(select(FileUpload.file_key)).one())
        parts = [(part.part_number, part.etag) for part in storage.list_parts(key, upload_id)]
        storage.complete_multipart(key, upload_id, parts)

    clock.advance(hours=25)
    dry = cleanup(app, dry_run=True)
    report = cleanup(app)

    assert (dry.abandoned_uploads, report.abandoned_uploads) == (0, 0)
    with app.app_context():
        file = db.session.scalars(select(FileUpload)).one()
        assert (file.status, file.file_size, file.staging_key) == ("completed", len(BODY), None)


def test_an_abandoned_upload_to_a_taken_key_leaves_the_file(
    app: Flask, alice: Caller, clock: FakeClock
) -> None:
    first = browser.initiate(alice, "a.txt")
    browser.complete(alice, first, [browser.send_part(alice, first, 1, b"kept")])
    second = browser.initiate(alice, "a.txt")
    browser.send_part(alice, second, 1, b"never completed")

    clock.advance(hours=25)
    report = cleanup(app)

    assert report.abandoned_uploads == 1
    assert left(app) == (1, 0)
    assert browser.stored(app, first["key"]) == b"kept"


def test_parts_of_a_file_that_was_written_otherwise_meanwhile_go(
    app: Flask, alice: Caller, clock: FakeClock, storage_settings: dict[str, Any]
) -> None:
    begun = begin(alice)
    with app.app_context():
        values = {"status": "completed", "etag": "another"}
        db.session.execute(update(FileUpload).values(**values))
        db.session.commit()

    clock.advance(hours=25)
    cleanup(app)

    assert left(app) == (1, 0)
    assert status(alice, begun) == "completed"
