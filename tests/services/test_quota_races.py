"""Quotas are exact: of those who reserve at the same moment only so many pass as fit."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from softfactory.http.extensions import db
from softfactory.http.services import catalog
from softfactory.models import FileUpload, UserStorage
from softfactory.services.catalog.rows import FILES
from tests.blueprints.quota_client import limit
from tests.blueprints.test_quotas import by_browser, by_drive, by_simple, by_uploads
from tests.conftest import Caller
from tests.stacks import both_databases

AT_ONCE = 8
SIZE = 1000


@pytest.fixture
def storage_settings(tmp_path: Path) -> dict[str, Any]:
    """Local storage: only the database decides."""
    return {"upload_storage_handler": "local", "media_root": tmp_path / "media"}


def at_once(app: Flask, caller: Caller, calls: list[Callable[[Caller], Any]]) -> list[int]:
    """Make all calls at the same moment, each by a client of its own; return their statuses."""
    barrier = Barrier(len(calls))

    def call(one: Callable[[Caller], Any]) -> int:
        own = Caller(
            app.test_client(), caller.username, caller.user_id, caller.uuid, caller.access_token
        )
        barrier.wait()
        return int(one(own).status_code)

    with ThreadPoolExecutor(len(calls)) as pool:
        return [*pool.map(call, calls)]


def counted(app: Flask, caller: Caller) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return what is counted, and the sums of the rows."""
    with app.app_context():
        row = db.session.get_one(UserStorage, caller.user_id)
        files = db.session.scalars(
            select(FileUpload).where(FileUpload.user_id == caller.user_id)
        ).all()
        waiting = [file for file in files if file.status in ("pending", "uploading")]
        done = [file for file in files if file.status == "completed"]
        return (row.used, row.reserved, row.open_uploads), (
            sum(file.file_size for file in done),
            sum(file.file_size for file in waiting),
            len(waiting),
        )


@both_databases
@pytest.mark.parametrize("begin", [by_drive, by_uploads])
def test_of_many_uploads_at_once_as_many_begin_as_fit(
    app: Flask, alice: Caller, begin: Callable[[Caller, bytes], Any]
) -> None:
    limit(app, alice, 3 * SIZE + 999)

    statuses = at_once(app, alice, [lambda own: begin(own, b"1" * SIZE)] * AT_ONCE)

    assert sorted(statuses)[3:] == [413] * (AT_ONCE - 3)
    now, sums = counted(app, alice)
    assert now == sums == (0, 3 * SIZE, 3)


@both_databases
def test_of_many_forms_at_once_never_more_than_the_quota_is_stored(
    app: Flask, alice: Caller
) -> None:
    limit(app, alice, 3 * SIZE)

    def sender(send: Callable[[Caller, bytes], Any]) -> Callable[[Caller], Any]:
        return lambda own: send(own, b"1" * SIZE)

    calls = [sender(send) for send in (by_simple, by_browser, by_drive, by_uploads)] * 2
    statuses = at_once(app, alice, calls)

    now, sums = counted(app, alice)
    assert now == sums
    assert now[0] + now[1] <= 3 * SIZE
    assert {*statuses} <= {200, 201, 413}


@both_databases
def test_of_many_at_once_no_more_are_open_than_may_be(
    make_app: Callable[..., Flask], app: Flask, alice: Caller
) -> None:
    few = make_app(max_open_uploads=3)

    statuses = at_once(few, alice, [lambda own: by_uploads(own, b"1" * SIZE)] * AT_ONCE)

    assert sorted(statuses) == [201] * 3 + [429] * (AT_ONCE - 3)


@both_databases
def test_reserving_and_releasing_at_once_neither_hangs_nor_miscounts(
    app: Flask, alice: Caller
) -> None:
    def one(own: Caller) -> Any:
        for _ in range(3):
            begun = by_uploads(own, b"1" * SIZE).get_json()
            by_browser(own, b"2" * SIZE)
            answer = own.delete(f"/v1/files/uploads/{begun['file_obj']['id']}/")
            own.delete("/api/s3/object", json={"key": f"users/{own.uuid}/a.pdf"})
        return answer

    statuses = at_once(app, alice, [one] * 4)

    now, sums = counted(app, alice)
    assert statuses == [204] * 4
    assert now == sums


@both_databases
def test_every_way_to_change_rows_is_counted(app: Flask, alice: Caller, bob: Caller) -> None:
    begun = by_uploads(alice, b"1" * SIZE).get_json()
    by_simple(alice, b"2" * SIZE)
    file_id = int(begun["file_obj"]["id"])

    with app.app_context():
        rows = FILES
        db.session.execute(rows.update().where(rows.c.id == file_id).values(user_id=bob.user_id))
        db.session.execute(rows.update().where(rows.c.id != file_id).values(file_size=5))
        db.session.commit()
        assert catalog().quotas.use(db.session.connection(), bob.user_id).reserved == SIZE
        db.session.execute(rows.update().where(rows.c.id == file_id).values(status="aborted"))
        db.session.execute(rows.delete().where(rows.c.id != file_id))
        db.session.commit()
        left = db.session.execute(
            select(
                func.sum(UserStorage.used),
                func.sum(UserStorage.reserved),
                func.sum(UserStorage.open_uploads),
            )
        ).one()

    assert [int(total) for total in left] == [0, 0, 0]
