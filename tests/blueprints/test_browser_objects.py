"""Download, metadata and versions of one object of the browser."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import update

from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.models import FileUpload
from softfactory.storage.base import StorageClass
from softfactory.storage.keys import Key
from tests import samples
from tests.blueprints.browser_client import put, root, store
from tests.blueprints.test_browser_list import expire, make_folder
from tests.conftest import Caller
from tests.doubles import FakeClock
from tests.stacks import both_storages, one_stack

pytestmark = both_storages


def link(caller: Caller, key: str, **options: Any) -> Any:
    return caller.post("/api/s3/download", json={"key": key, **options})


def fetch(caller: Caller, url: str) -> Any:
    """GET a URL that this service signed, without a token."""
    parts = urlsplit(url)
    return caller.client.get(f"{parts.path}?{parts.query}", buffered=True)


def metadata(caller: Caller, key: str, **options: str) -> Any:
    return caller.get("/api/s3/object/metadata", query_string={"key": key, **options})


def versions(caller: Caller, key: str) -> Any:
    return caller.get("/api/s3/object/versions", query_string={"key": key})


@pytest.fixture
def key(alice: Caller) -> str:
    """The key of a file of alice's."""
    name: str = put(alice, "folder/file.txt").get_json()["key"]
    return name


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_download_url_lives_an_hour(alice: Caller, key: str, slash: str) -> None:
    answer = alice.post(f"/api/s3/download{slash}", json={"key": key})

    assert answer.status_code == 200
    body = answer.get_json()
    assert body["expires_in"] == 3600
    assert isinstance(body["expires_in"], int)
    assert "folder/file.txt?" in body["url"]
    assert {*body} == {"url", "expires_in"}


@pytest.mark.light
def test_a_download_url_gives_the_bytes(alice: Caller, key: str, clock: FakeClock) -> None:
    url = link(alice, key).get_json()["url"]

    answer = fetch(alice, url)
    clock.advance(hours=1, seconds=1)

    assert (answer.status_code, answer.data) == (200, b"hello")
    assert 'filename="file.txt"' in answer.headers["Content-Disposition"]
    assert fetch(alice, url).status_code == 403


@pytest.mark.light
def test_the_bytes_of_an_older_version_can_be_had(alice: Caller, key: str) -> None:
    put(alice, "folder/file.txt", b"newer")
    newest, oldest = versions(alice, key).get_json()

    found = [
        fetch(alice, link(alice, key, version_id=version["version_id"]).get_json()["url"]).data
        for version in (newest, oldest)
    ]

    assert found == [b"newer", b"hello"]


@pytest.mark.light
def test_the_bytes_of_a_deleted_object_can_be_had_by_version(alice: Caller, key: str) -> None:
    alice.delete("/api/s3/object", json={"key": key})
    version = versions(alice, key).get_json()[0]

    answer = fetch(alice, link(alice, key, version_id=version["version_id"]).get_json()["url"])

    assert answer.data == b"hello"
    assert link(alice, key).status_code == 404


@one_stack
def test_what_is_not_there_is_404(alice: Caller, key: str) -> None:
    missing = root(alice) + "missing"

    answers = [
        link(alice, missing),
        link(alice, key, version_id="nonsense"),
        metadata(alice, missing),
        metadata(alice, key, version_id="nonsense"),
        metadata(alice, root(alice) + "folder/"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 5
    assert {answer.get_json()["code"] for answer in answers} == {"RESOURCE_NOT_FOUND"}


def test_metadata_has_every_documented_field(app: Flask, alice: Caller) -> None:
    body = samples.png()
    key = root(alice) + "photo.png"
    with app.app_context():
        info = runtime().storage.put(
            Key(key), [body], content_type="image/png", metadata={"custom-key": "custom-value"}
        )

    answer = metadata(alice, key)

    assert answer.status_code == 200
    assert answer.get_json() == {
        "content_type": "image/png",
        "content_length": len(body),
        "last_modified": f"{info.last_modified:%Y-%m-%dT%H:%M:%SZ}",
        "etag": info.etag,
        "version_id": info.version_id,
        "metadata": {"custom-key": "custom-value"},
    }
    assert info.version_id


def test_metadata_of_a_version_is_that_versions(alice: Caller, key: str) -> None:
    put(alice, "folder/file.txt", b"newer")
    old = versions(alice, key).get_json()[1]

    answer = metadata(alice, key, version_id=old["version_id"]).get_json()

    assert (answer["content_length"], answer["etag"]) == (5, old["etag"])
    assert answer["version_id"] == old["version_id"]


def test_metadata_of_a_folder_that_was_made_is_its_markers(alice: Caller) -> None:
    make_folder(alice, "folder")

    answer = metadata(alice, root(alice) + "folder/")

    assert (answer.status_code, answer.get_json()["content_length"]) == (200, 0)


def test_versions_are_newest_first_and_tell_all(alice: Caller, key: str) -> None:
    etag = put(alice, "folder/file.txt", b"newer!").get_json()["etag"]

    answer = versions(alice, key)

    assert answer.status_code == 200
    newest, oldest = answer.get_json()
    assert {*newest} == {"key", "version_id", "is_latest", "last_modified", "size", "etag"}
    assert (newest["key"], newest["size"], newest["etag"]) == (key, 6, etag)
    assert (newest["is_latest"], oldest["is_latest"]) == (True, False)
    assert newest["version_id"] != oldest["version_id"]
    assert newest["last_modified"].endswith("Z")


def test_versions_outlive_a_delete_and_show_no_marker(alice: Caller, key: str) -> None:
    alice.delete("/api/s3/object", json={"key": key})

    found = versions(alice, key).get_json()

    assert [(version["size"], version["is_latest"]) for version in found] == [(5, False)]


@pytest.mark.light
def test_what_never_was_has_no_versions(alice: Caller) -> None:
    answer = versions(alice, root(alice) + "missing")

    assert (answer.status_code, answer.get_json()) == (200, [])


def test_an_expired_file_is_gone_everywhere(
    app: Flask, alice: Caller, key: str, clock: FakeClock
) -> None:
    version_id = versions(alice, key).get_json()[0]["version_id"]
    expire(app, clock, key)

    answers = [
        link(alice, key),
        link(alice, key, version_id=version_id),
        metadata(alice, key),
        metadata(alice, key, version_id=version_id),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert versions(alice, key).get_json() == []


def test_a_url_never_outlives_its_file(
    app: Flask, alice: Caller, key: str, clock: FakeClock
) -> None:
    with app.app_context():
        ends = clock.now + timedelta(minutes=10)
        db.session.execute(update(FileUpload).values(expires_at=ends))
        db.session.commit()

    assert link(alice, key).get_json()["expires_in"] == 600


def test_an_archived_object_is_202_and_is_restored(app: Flask, alice: Caller) -> None:
    key = root(alice) + "cold"
    with app.app_context():
        runtime().storage.put(Key(key), [b"x"], storage_class=StorageClass.GLACIER)

    answer = link(alice, key)

    assert answer.status_code == 202
    assert answer.get_json()["code"] == "RESTORE_IN_PROGRESS"
    with app.app_context():
        assert runtime().storage.head(Key(key)).restoration is not None
    assert link(alice, key).status_code == 200
    assert metadata(alice, key).status_code == 200


@one_stack
def test_someone_elses_object_is_403_but_not_for_administrators(
    app: Flask, alice: Caller, bob: Caller, admin: Caller
) -> None:
    key = root(bob) + "a"
    store(app, key)

    answers = {
        caller.username: [call(caller, key).status_code for call in (link, metadata, versions)]
        for caller in (alice, admin)
    }

    assert answers == {"alice": [403] * 3, "root.admin": [200] * 3}


@pytest.mark.light
def test_what_is_no_key_is_400(alice: Caller) -> None:
    for call in (link, metadata, versions):
        answer = call(alice, root(alice) + "x" * 1024)

        assert answer.status_code == 400
        assert "key" in answer.get_json()["errors"]


@pytest.mark.light
def test_a_folder_has_no_bytes(alice: Caller) -> None:
    make_folder(alice, "folder")

    assert link(alice, root(alice) + "folder/").status_code == 400


@pytest.mark.light
def test_a_key_must_be_there(alice: Caller) -> None:
    answers = [
        alice.post("/api/s3/download", json={}),
        alice.get("/api/s3/object/metadata"),
        alice.get("/api/s3/object/versions"),
    ]

    assert [answer.status_code for answer in answers] == [400] * 3
    assert all("key" in answer.get_json()["errors"] for answer in answers)
