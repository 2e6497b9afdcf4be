"""kill -9 in the middle of an upload: nothing shows, and cleanup leaves nothing."""

import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.http.services import maintenance
from softfactory.models import FileUpload
from tests import samples
from tests.doubles import FakeClock
from tests.e2e.clients import each_server
from tests.e2e.person import Person
from tests.e2e.server import Server, inside

pytestmark = each_server

BODY = samples.pdf(size=20 * 1024 * 1024)

MOMENT = 0.1
"""Seconds of an upload that takes 0.2; tests/trust kills at any moment."""


def send_until_dead(server: Server, token: str) -> None:
    """Send one form in small pieces; whatever happens to the connection is the test's aim."""
    form = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
        + BODY
        + b"\r\n--b--\r\n"
    )
    head = (
        f"POST /api/files/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(form)}\r\n\r\n"
    ).encode()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(head)
            for start in range(0, len(form), 256 * 1024):
                connection.sendall(form[start : start + 256 * 1024])
                time.sleep(0.002)
            connection.recv(1024)
    except OSError:
        pass


def test_a_server_killed_in_an_upload_leaves_nothing_that_cleanup_does_not_remove(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = make_server(RATELIMIT_ENABLED="false")
    john = Person(server.url, tmp_path / "mail")
    john.register()
    token = john.log_in()["access_token"]
    kept = john.call("POST", "/api/files/upload", files={"file": ("a.png", samples.png())}).json()

    upload = threading.Thread(target=send_until_dead, args=(server, token))
    upload.start()
    time.sleep(MOMENT)
    server.kill()
    upload.join()
    server.start()

    listed = john.call("GET", "/api/files").json()
    finished = [file["id"] for file in listed["files"] if file["id"] != kept["file_id"]]
    assert listed["total"] == 1 + len(finished)
    with inside(server, clock=FakeClock(datetime.now(UTC) + timedelta(hours=25))):
        report = maintenance().cleanup()
        storage, config = runtime().storage, runtime().config
        keys = [found.key for found in storage.list_objects().objects]
        rows = db.session.scalars(select(FileUpload.status)).all()
        assert list(storage.list_multiparts()) == []
    assert len(keys) == listed["total"]
    assert kept["file_key"] in keys
    assert report.abandoned_uploads + len(finished) <= 1
    assert set(rows) == {"completed"}
    if config.upload_storage_handler == "local":
        files = [path for path in (config.media_root / "files").rglob("*") if path.is_file()]
        assert len(files) == listed["total"]


def test_an_upload_whose_client_goes_away_leaves_nothing(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = make_server()
    john = Person(server.url, tmp_path / "mail")
    john.register()
    token = john.log_in()["access_token"]
    head = (
        f"POST /api/files/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(BODY)}\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
    ).encode()

    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head + BODY[: 12 * 1024 * 1024])
    time.sleep(1)

    with inside(server):
        storage = runtime().storage
        assert storage.list_objects().objects == []
        assert list(storage.list_multiparts()) == []
        assert db.session.scalars(select(FileUpload)).all() == []
