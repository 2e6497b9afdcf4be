"""Lists out of the database: the page that was asked for, and counts that are always right."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, update

from softfactory.http.extensions import db
from softfactory.models import FileCount, FileUpload, UploadStatus, User
from softfactory.services.newest import count_files, newest_files
from tests.conftest import Caller
from tests.stacks import both_databases

NOW = datetime(2026, 5, 1, tzinfo=UTC)

pytestmark = both_databases


def row(
    user_id: int, name: str, *, status: str = "completed", category: str = "image"
) -> FileUpload:
    """Return a row that is not stored yet."""
    return FileUpload(
        user_id=user_id, file_key=f"alice/{name}", original_filename=name, status=status,
        content_type="image/png", category=category, uploaded_at=NOW, last_activity_at=NOW,
    )  # fmt: skip


def counted(user_id: int, category: str | None = None) -> int:
    """Return the count, of all or of one category."""
    return count_files(db.session(), user_id, now=NOW, category=category)


@pytest.fixture
def three(app: Flask, alice: Caller) -> int:
    """Two completed images and a video that is not; returns whose they are."""
    with app.app_context():
        db.session.add_all([row(alice.user_id, "a"), row(alice.user_id, "b")])
        db.session.add(row(alice.user_id, "c", status="pending", category="video"))
        db.session.commit()
    return alice.user_id


def test_completed_files_are_counted_by_category(app: Flask, three: int) -> None:
    with app.app_context():
        found = [counted(three), counted(three, "image"), counted(three, "video")]

    assert found == [2, 2, 0]


def test_a_file_counts_from_its_completion_on(app: Flask, three: int) -> None:
    with app.app_context():
        db.session.execute(update(FileUpload).values(status=UploadStatus.COMPLETED.value))
        db.session.commit()

        assert [counted(three), counted(three, "video")] == [3, 1]


def test_a_file_that_fails_counts_no_more(app: Flask, three: int) -> None:
    with app.app_context():
        failed = update(FileUpload).where(FileUpload.original_filename == "a")
        db.session.execute(failed.values(status=UploadStatus.FAILED.value))
        db.session.commit()

        assert counted(three) == 1


def test_a_file_of_another_category_moves_to_its_count(app: Flask, three: int) -> None:
    with app.app_context():
        moved = update(FileUpload).where(FileUpload.original_filename == "a")
        db.session.execute(moved.values(category="document"))
        db.session.commit()

        assert [counted(three), counted(three, "image"), counted(three, "document")] == [2, 1, 1]


def test_a_deleted_file_counts_no_more(app: Flask, three: int) -> None:
    with app.app_context():
        db.session.execute(delete(FileUpload).where(FileUpload.original_filename == "a"))
        db.session.commit()

        assert counted(three) == 1


def test_what_is_rolled_back_was_never_counted(app: Flask, three: int) -> None:
    with app.app_context():
        db.session.add(row(three, "d"))
        db.session.flush()
        db.session.rollback()

        assert counted(three) == 2


def test_an_expired_file_does_not_count_though_cleanup_has_not_met_it(
    app: Flask, three: int
) -> None:
    with app.app_context():
        expired = update(FileUpload).where(FileUpload.original_filename == "a")
        db.session.execute(expired.values(expires_at=NOW - timedelta(seconds=1)))
        db.session.commit()

        assert [counted(three), counted(three, "image"), counted(three, "video")] == [1, 1, 0]


def test_the_counts_of_a_deleted_user_go_with_them(app: Flask, three: int) -> None:
    with app.app_context():
        db.session.execute(delete(User).where(User.id == three))
        db.session.commit()

        assert db.session.scalar(select(func.count()).select_from(FileCount)) == 0


def test_many_writers_at_once_are_all_counted(app: Flask, three: int) -> None:
    def write(number: int) -> None:
        with app.app_context():
            for step in range(5):
                db.session.add(row(three, f"{number}-{step}", category=f"kind {step % 2}"))
                db.session.commit()
            last = delete(FileUpload).where(FileUpload.original_filename == f"{number}-4")
            db.session.execute(last)
            db.session.commit()

    with ThreadPoolExecutor(4) as pool:
        [*pool.map(write, range(4))]

    with app.app_context():
        found = [counted(three), counted(three, "kind 0"), counted(three, "kind 1")]
    assert found == [2 + 16, 8, 8]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_pages_put_together_are_the_list_whichever_end_is_nearer(
    app: Flask, alice: Caller, limit: int
) -> None:
    with app.app_context():
        for number in range(7):
            file = row(alice.user_id, str(number))
            file.uploaded_at = NOW + timedelta(seconds=number // 2)
            file.expires_at = NOW + timedelta(seconds=number - 1)
            db.session.add(file)
        db.session.commit()
        pages = [
            newest_files(db.session(), alice.user_id, now=NOW, limit=limit, offset=offset)
            for offset in range(0, 8, limit)
        ]

    names = [file.original_filename for page in pages for file in page.files]
    assert names == ["6", "5", "4", "3", "2"]
    assert {page.total for page in pages} == {5}
