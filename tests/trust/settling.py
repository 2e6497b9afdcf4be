"""What an operator runs after a crash, and what then is in the database and the storage."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.http.services import maintenance, reconciliation
from softfactory.models import FileUpload
from softfactory.services.reconcile import ReconcileReport
from softfactory.storage.keys import is_staging
from softfactory.storage.s3 import S3Storage
from tests.doubles import FakeClock
from tests.e2e.server import Server, inside

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LATER = timedelta(hours=49)
"""Later than ``UPLOAD_EXPIRY_HOURS`` and ``NONCURRENT_VERSION_DAYS=1``; no login is over yet."""

SETTINGS = {"NONCURRENT_VERSION_DAYS": "1", "ACCESS_TOKEN_SECONDS": "86400"}
"""What a server needs that ``settle`` puts in order."""


def settle(server: Server) -> int:
    """Reconcile, then clean up as two days later; return how many differences were put in order.

    Nobody else may use the service meanwhile: what they upload would be two days old.

    Raises:
        AssertionError: a difference or a leftover remains.
    """
    with inside(server):
        # The pause is for live traffic, which is not there.
        fixed = replace(reconciliation(), pause=lambda _seconds: None).run(fix=True)
        assert fixed.is_in_order, fixed
    with inside(server, clock=FakeClock(datetime.now(UTC) + LATER)):
        maintenance().cleanup()
        report = replace(reconciliation(), pause=lambda _seconds: None).run()
        assert report == ReconcileReport(), report
        _check_nothing_else_is_there()
    return fixed.fixed


def _check_nothing_else_is_there() -> None:
    """Raise AssertionError unless every row, object and file belongs to a file of a user's."""
    query = select(FileUpload.file_key, FileUpload.status)
    rows = {row.file_key: row.status for row in db.session.execute(query)}
    count = db.session.scalar(select(func.count()).select_from(FileUpload))
    assert set(rows.values()) <= {"completed"}, rows
    assert count == len(rows)
    storage, config = runtime().storage, runtime().config
    assert [*storage.list_multiparts()] == []
    keys: set[str] = set()
    position: str | None = ""
    while position is not None:
        page = storage.list_objects(start_after=position)
        keys.update(found.key for found in page.objects)
        position = page.next_start_after
    assert keys == rows.keys()
    assert not any(is_staging(key) for key in keys)
    if isinstance(storage, S3Storage):
        _check_bucket(storage.client, config.aws_s3_bucket or "", keys)
    else:
        _check_directory(config.media_root, len(keys))


def _check_directory(root: Path, count: int) -> None:
    files = [path for path in (root / "files").rglob("*") if path.is_file()]
    assert len(files) == count, f"{len(files)} files for {count} objects"
    parts = root / "temp_uploads"
    assert not parts.exists() or [*parts.iterdir()] == []


def _check_bucket(client: "S3Client", bucket: str, keys: set[str]) -> None:
    versions, markers = [], []
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions += [version["Key"] for version in page.get("Versions", [])]
        markers += [marker["Key"] for marker in page.get("DeleteMarkers", [])]
    assert sorted(versions) == sorted(keys)
    assert markers == []
