"""What the service writes is its owner's alone, whatever the process's umask."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask_migrate import upgrade
from urllib3 import encode_multipart_formdata

from config import Config
from softfactory.disk import keep_private
from softfactory.factory import create_app
from softfactory.http.extensions import db
from tests.blueprints.uploads_client import BODY, PART_SIZE, begin, send
from tests.conftest import Caller
from tests.stacks import one_stack

pytestmark = one_stack


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """The umask under which everybody may do everything."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(directory: Path) -> list[str]:
    """Return the files and directories below that another user could read."""
    return [
        f"{path.relative_to(directory)} {stat.filemode(path.lstat().st_mode)}"
        for path in directory.rglob("*")
        if stat.S_IMODE(path.lstat().st_mode) & 0o077
    ]


def test_a_new_database_is_its_owners_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    app = create_app(Config(app_env="testing", database_url=url, media_root=tmp_path / "media"))
    with app.app_context():
        upgrade()
        written = open_to_others(tmp_path)
        db.engine.dispose()

    assert written == []


def test_a_database_that_all_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (a)")
    path.chmod(0o666)

    keep_private(str(path))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_closing_a_database_to_others_ends_no_lock_on_it(tmp_path: Path) -> None:
    path = tmp_path / "busy.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE t (a)")
    connection.execute("BEGIN EXCLUSIVE")

    keep_private(str(path))

    locks = Path("/proc/locks").read_text()
    assert f":{path.stat().st_ino} " in locks
    connection.close()


def test_files_of_local_storage_and_its_index_are_their_owners_alone(
    alice: Caller, tmp_path: Path
) -> None:
    media = tmp_path / "media"
    form, content_type = encode_multipart_formdata({"file": ("a.txt", b"text", "text/plain")})

    uploaded = alice.post("/s3/upload/", data=form, content_type=content_type)
    begun = begin(alice)
    send(alice, begun["presigned_urls"][0]["url"], BODY[:PART_SIZE])

    assert uploaded.status_code == 201
    assert len(list(media.rglob("*"))) > 4
    assert open_to_others(media) == []
