"""Drive, when others change the same file at the same moment, or storage fails half-way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from softfactory.errors import NotFound, StorageError
from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.http.services import catalog, maintenance
from softfactory.models import FileUpload
from softfactory.services.storage_use import Expected
from softfactory.storage.base import Storage
from softfactory.storage.keys import Key
from tests.blueprints.drive_client import (
    begin,
    confirm,
    content,
    put,
    put_unchecked,
    stored_keys,
    upload,
)
from tests.conftest import Caller
from tests.doubles import FailingStorage, FakeClock
from tests.stacks import one_stack

pytestmark = one_stack


class Interrupted:
    """A storage beside which something happens, once, right after one of its verbs."""

    def __init__(self, storage: Storage, verb: str, action: Callable[[], object]) -> None:
        self._storage, self._verb, self._actions = storage, verb, [action]

    def __getattr__(self, verb: str) -> Any:
        real = getattr(self._storage, verb)

        def call(*args: Any, **kwargs: Any) -> Any:
            result = real(*args, **kwargs)
            if self._actions:
                self._actions.pop()()
            return result

        return call if verb == self._verb else real


class Halved:
    """A storage that renames as S3 does, and fails between its copy and its delete."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._storage, verb)

    def rename(self, source: Key, target: Key) -> Any:
        self._storage.copy(source, target)
        raise StorageError


@pytest.fixture
def storage(app: Flask) -> Storage:
    """The application's storage, to go behind the application's back."""
    with app.app_context():
        return runtime().storage


@pytest.fixture
def served_by(make_app: Callable[..., Flask], alice: Caller) -> Callable[[Any], Caller]:
    """A function that lets alice call the same service on another storage."""
    return lambda storage: replace(alice, client=make_app(storage=storage).test_client())


def delete(caller: Caller, key: str) -> Any:
    return caller.delete("/api/files", json={"s3_key": key})


def rename(caller: Caller, key: str, name: str) -> Any:
    return caller.post("/api/files/rename", json={"s3_key": key, "new_filename": name})


def staging_key(app: Flask) -> str:
    """Where the bytes of the only open upload wait."""
    with app.app_context():
        waiting = FileUpload.status == "pending"
        return db.session.scalars(select(FileUpload.staging_key).where(waiting)).one() or ""


@contextmanager
def found(app: Flask, key: str) -> Iterator[FileUpload]:
    """A file as a request finds it, before others change it."""
    with app.app_context():
        file = catalog().holder(key)
        assert file is not None
        yield file


# --- somebody else at the same moment ---------------------------------------------------------


def test_a_file_deleted_while_its_tier_is_changed_is_not_found(
    served_by: Callable[[Any], Caller], storage: Storage, alice: Caller
) -> None:
    key = upload(alice, "a.txt")
    hurried = served_by(Interrupted(storage, "head", lambda: delete(alice, key)))

    answer = hurried.post(f"/api/files/{key}/change_tier", json={"target_tier": "glacier"})

    assert answer.status_code == 404


def test_an_upload_given_up_before_it_is_confirmed_is_not_found(
    app: Flask, served_by: Callable[[Any], Caller], storage: Storage, alice: Caller
) -> None:
    ticket = begin(alice, "a.txt", 5)
    put(alice, ticket["presigned_url"], b"12345")
    hurried = served_by(Interrupted(storage, "head", lambda: delete(alice, ticket["s3_key"])))

    assert confirm(hurried, ticket["s3_key"]).status_code == 404


def test_an_upload_given_up_after_it_was_checked_is_not_found_and_leaves_nothing(
    app: Flask, served_by: Callable[[Any], Caller], storage: Storage, alice: Caller
) -> None:
    ticket = begin(alice, "a.txt", 5)
    put(alice, ticket["presigned_url"], b"12345")
    hurried = served_by(Interrupted(storage, "head", lambda: delete(alice, ticket["s3_key"])))

    assert confirm(hurried, staging_key(app)).status_code == 404
    assert stored_keys(alice) == []
    with app.app_context():
        assert db.session.scalars(select(FileUpload)).all() == []


def test_an_upload_given_up_while_its_size_is_refused_is_refused(
    served_by: Callable[[Any], Caller], storage: Storage, alice: Caller
) -> None:
    ticket = begin(alice, "a.txt", 5)
    put_unchecked(alice, ticket["presigned_url"], b"wrong size")
    hurried = served_by(Interrupted(storage, "purge", lambda: delete(alice, ticket["s3_key"])))

    assert confirm(hurried, ticket["s3_key"]).status_code == 400


def test_a_file_deleted_while_v2_refreshes_it_is_not_listed(
    served_by: Callable[[Any], Caller], storage: Storage, alice: Caller
) -> None:
    gone, kept = upload(alice, "gone.txt"), upload(alice, "kept.txt")
    storage.put(Key(kept), [b"others' bytes"])
    hurried = served_by(Interrupted(storage, "head", lambda: delete(alice, gone)))

    answer = hurried.get("/api/v2/files?use_cache=false")

    assert answer.status_code == 200
    listed = [(file["s3_key"], file["metadata"]["size"]) for file in answer.get_json()["files"]]
    assert listed == [(kept, 13)]


def test_what_v2_refreshes_never_overwrites_a_newer_change(
    app: Flask, served_by: Callable[[Any], Caller], storage: Storage, alice: Caller
) -> None:
    key = upload(alice, "a.txt")
    storage.put(Key(key), [b"others' bytes"])

    def replace_the_file() -> None:
        with app.app_context():
            newer = update(FileUpload).where(FileUpload.file_key == key)
            db.session.execute(newer.values(file_size=99, etag="newer"))
            db.session.commit()

    hurried = served_by(Interrupted(storage, "head", replace_the_file))
    listed = hurried.get("/api/v2/files?use_cache=false").get_json()["files"]

    assert listed[0]["metadata"]["size"] == 99


def test_a_file_renamed_by_somebody_else_is_not_deleted_by_its_old_key(
    app: Flask, served_by: Callable[[Any], Caller], storage: Storage, alice: Caller
) -> None:
    key = upload(alice, "old.txt")

    with found(app, key) as file:
        assert rename(served_by(storage), key, "new.txt").status_code == 200
        assert not catalog().delete(file, key=Key(key))

    assert stored_keys(alice) == ["alice/new.txt"]


def test_of_two_renames_of_one_file_one_succeeds(
    app: Flask, served_by: Callable[[Any], Caller], storage: Storage, alice: Caller
) -> None:
    key = upload(alice, "old.txt")

    with found(app, key) as file:
        assert rename(served_by(storage), key, "new.txt").status_code == 200
        with pytest.raises(NotFound):
            catalog().rename(file, Key("alice/newer.txt"), filename="newer.txt")

    assert stored_keys(alice) == ["alice/new.txt"]


def test_an_upload_that_fails_leaves_the_row_that_another_one_reserved(
    app: Flask, alice: Caller
) -> None:
    key = Key(f"users/{alice.uuid}/a.txt")
    with app.app_context():
        reserved = catalog().reserve(
            alice.user_id,
            key,
            filename="a.txt",
            content_type="text/plain",
            expected=Expected.exactly(15),
        )
        assert reserved is not None

    def cut_off() -> Iterator[bytes]:
        yield b"the first bytes"
        raise ConnectionError

    with found(app, key) as file, pytest.raises(ConnectionError):
        catalog().fill(
            file, cut_off(), expected=Expected.exactly(15), content_type=lambda: "text/plain"
        )

    with found(app, key) as file:
        assert file.id == reserved.id


# --- names ------------------------------------------------------------------------------------


def test_the_name_of_an_expired_file_is_free(app: Flask, alice: Caller, clock: FakeClock) -> None:
    key, expired = upload(alice, "a.txt", b"new"), upload(alice, "b.txt", b"old")
    with app.app_context():
        ended = update(FileUpload).where(FileUpload.file_key == expired)
        db.session.execute(ended.values(expires_at=clock.now))
        db.session.commit()

    assert rename(alice, key, "b.txt").status_code == 200
    assert content(alice, "alice/b.txt") == b"new"


# --- storage fails half-way -------------------------------------------------------------------


def test_a_rename_that_storage_does_half_can_be_repeated(
    served_by: Callable[[Any], Caller], storage: Storage, alice: Caller
) -> None:
    key = upload(alice, "old.txt", b"bytes")

    answer = rename(served_by(Halved(storage)), key, "new.txt")

    assert answer.get_json()["code"] == "STORAGE_ERROR"
    assert stored_keys(alice) == [key]
    assert rename(alice, key, "new.txt").status_code == 200
    assert content(alice, "alice/new.txt") == b"bytes"


def test_a_rename_whose_answer_is_lost_is_a_rename(
    served_by: Callable[[Any], Caller], storage: Storage, alice: Caller
) -> None:
    key = upload(alice, "old.txt", b"bytes")
    failing = FailingStorage(storage)
    failing.fail_after.add("rename")

    assert rename(served_by(failing), key, "new.txt").status_code == 200
    assert stored_keys(alice) == ["alice/new.txt"]
    assert content(alice, "alice/new.txt") == b"bytes"


def test_an_upload_that_can_not_be_archived_leaves_the_file_that_was_there(
    served_by: Callable[[Any], Caller], storage: Storage, alice: Caller
) -> None:
    key = upload(alice, "a.txt", b"old")
    ticket = begin(alice, "a.txt", 3, tier="glacier")
    put(alice, ticket["presigned_url"], b"new")
    failing = FailingStorage(storage)
    failing.fail_before.add("set_storage_class")

    assert confirm(served_by(failing), key).status_code == 500
    assert content(alice, key) == b"old"
    assert confirm(alice, key).status_code == 200
    assert storage.head(Key(key)).size == 3


def test_a_crash_while_an_upload_is_confirmed_leaves_a_row_that_cleanup_finds(
    app: Flask,
    served_by: Callable[[Any], Caller],
    storage: Storage,
    alice: Caller,
    clock: FakeClock,
) -> None:
    def crash() -> None:
        raise KeyboardInterrupt

    ticket = begin(alice, "a.txt", 5)
    put(alice, ticket["presigned_url"], b"12345")
    with pytest.raises(KeyboardInterrupt):
        confirm(served_by(Interrupted(storage, "copy", crash)), ticket["s3_key"])
    assert storage.head(Key("alice/a.txt")).size == 5

    clock.advance(hours=25)
    with app.app_context():
        maintenance().cleanup()

    assert storage.list_objects().objects == []


def test_a_confirmation_repeated_after_a_crash_succeeds(
    served_by: Callable[[Any], Caller], storage: Storage, alice: Caller
) -> None:
    def crash() -> None:
        raise KeyboardInterrupt

    ticket = begin(alice, "a.txt", 5)
    put(alice, ticket["presigned_url"], b"12345")
    with pytest.raises(KeyboardInterrupt):
        confirm(served_by(Interrupted(storage, "copy", crash)), ticket["s3_key"])

    assert confirm(alice, ticket["s3_key"]).status_code == 200
    assert content(alice, "alice/a.txt") == b"12345"
