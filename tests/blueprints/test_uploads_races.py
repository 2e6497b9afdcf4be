"""What meets at one moment: completing, aborting and deleting one upload, in either contract."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from softfactory.errors import StorageError, UploadNotFound
from softfactory.http.runtime import runtime
from softfactory.storage.base import Storage
from softfactory.storage.keys import Key
from tests.blueprints.browser_client import keys_in_storage, stored
from tests.blueprints.test_browser_multipart import initiate, send_part
from tests.blueprints.uploads_client import begin, send, status
from tests.conftest import Caller
from tests.doubles import FakeClock
from tests.stacks import both_databases, both_storages

BODY = b"small"


class Meeting:
    """A storage that lets another request run before it completes an upload.

    Aborting does nothing then, which S3 allows: of both at once, both may succeed.

    Attributes:
        fails: the first request fails; the other one may complete.
        hides: the other request finds no upload any more.
    """

    def __init__(
        self, storage: Storage, other: Callable[[], object], *, fails: bool, hides: bool
    ) -> None:
        self._storage = storage
        self._others = [other]
        self._fails = fails
        self._hides = hides
        self._is_completing = False

    def complete_multipart(self, *args: Any) -> Any:
        """Let the other request run, then complete, or fail to."""
        if not self._others:
            if self._hides:
                raise UploadNotFound
            return self._storage.complete_multipart(*args)
        self._is_completing = True
        self._others.pop()()
        self._is_completing = False
        if self._fails:
            raise StorageError
        return self._storage.complete_multipart(*args)

    def abort_multipart(self, *args: Any) -> None:
        """Abort, unless an upload is being completed."""
        if not self._is_completing:
            self._storage.abort_multipart(*args)

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._storage, verb)


Meet = Callable[..., tuple[Any, Any]]


@pytest.fixture
def meet(make_app: Callable[..., Flask], app: Flask, alice: Caller) -> Meet:
    """A function that sends one request, another while storage completes, and returns both answers.

    The requests are those of a test client: path, and by name the rest.
    """

    def meet(
        path: str,
        json: dict[str, Any],
        other: dict[str, Any],
        *,
        fails: bool = False,
        hides: bool = False,
    ) -> tuple[Any, Any]:
        answers = []

        def ask() -> None:
            answers.append(busy.test_client().open(headers=alice.headers, **other))

        with app.app_context():
            storage = Meeting(runtime().storage, ask, fails=fails, hides=hides)
        busy = make_app(storage=storage)
        first = busy.test_client().post(path, json=json, headers=alice.headers)
        return first, answers[0]

    return meet


def declared(caller: Caller) -> tuple[str, dict[str, Any]]:
    """Begin an upload and send its only part; return its id and what completing names."""
    begun = begin(caller, len(BODY))
    etag = send(caller, begun["presigned_urls"][0]["url"], BODY)
    return begun["file_obj"]["id"], {"parts": [{"part_number": 1, "etag": etag}]}


def named(caller: Caller, body: bytes = BODY) -> tuple[dict[str, str], dict[str, Any]]:
    """Begin the browser's upload and send its only part; return it and what completing says."""
    reference = initiate(caller, "a.bin")
    return reference, {**reference, "parts": [send_part(caller, reference, 1, body)]}


either = pytest.mark.parametrize("fails", [False, True], ids=["completes", "fails"])
"""What storage says of an upload that is ended while it completes it; Ceph fails."""

BROWSER = "/api/s3/multipart/complete"


@both_databases
@either
def test_an_abort_before_there_is_an_object_wins(
    app: Flask, alice: Caller, meet: Meet, fails: bool
) -> None:
    file_id, parts = declared(alice)
    path = f"/v1/files/uploads/{file_id}"

    completed, aborted = meet(
        f"{path}/complete", parts, {"method": "DELETE", "path": path}, fails=fails
    )

    assert (completed.status_code, aborted.status_code) == (409, 204)
    assert status(alice, {"file_obj": {"id": file_id}}) == "aborted"
    assert keys_in_storage(app) == []


@both_databases
@either
def test_a_delete_before_there_is_an_object_wins(
    app: Flask, alice: Caller, meet: Meet, fails: bool
) -> None:
    file_id, parts = declared(alice)
    delete = {"method": "DELETE", "path": f"/v1/files/{file_id}"}

    completed, deleted = meet(f"/v1/files/uploads/{file_id}/complete", parts, delete, fails=fails)

    assert (completed.status_code, deleted.status_code) == (404, 204)
    assert keys_in_storage(app) == []


@both_databases
def test_a_completion_that_fails_while_another_succeeds_is_answered_like_it(
    alice: Caller, meet: Meet
) -> None:
    file_id, parts = declared(alice)
    path = f"/v1/files/uploads/{file_id}/complete"

    first, second = meet(path, parts, {"method": "POST", "path": path, "json": parts}, fails=True)

    assert (first.status_code, second.status_code) == (200, 200)


@pytest.mark.light
def test_a_completion_whose_double_found_nothing_keeps_its_file(
    app: Flask, alice: Caller, meet: Meet
) -> None:
    reference, parts = named(alice)

    first, second = meet(
        BROWSER, parts, {"method": "POST", "path": BROWSER, "json": parts}, hides=True
    )

    assert (first.status_code, second.status_code) == (200, 404)
    assert stored(app, reference["key"]) == BODY


@both_storages
@either
def test_in_the_browser_such_an_abort_gives_the_key_back_to_its_file(
    app: Flask, alice: Caller, meet: Meet, fails: bool
) -> None:
    _, old = named(alice, b"old")
    assert alice.post(BROWSER, json=old).status_code == 200
    reference, parts = named(alice)
    abort = {"method": "DELETE", "path": "/api/s3/multipart", "json": reference}

    completed, aborted = meet(BROWSER, parts, abort, fails=fails)

    assert (completed.status_code, aborted.status_code) == (409, 200)
    assert stored(app, reference["key"]) == b"old"


@both_databases
def test_in_the_browser_aborting_what_storage_has_just_completed_is_409(
    app: Flask, alice: Caller
) -> None:
    reference, parts = named(alice)
    with app.app_context():
        etags = [(part["part_number"], part["etag"]) for part in parts["parts"]]
        runtime().storage.complete_multipart(Key(reference["key"]), reference["upload_id"], etags)

    aborted = alice.delete("/api/s3/multipart", json=reference)

    assert aborted.status_code == 409
    assert alice.post(BROWSER, json=parts).status_code == 200


@both_databases  # moto itself knows no two at once
def test_in_the_browser_all_who_complete_at_once_get_the_same_answer(
    app: Flask, alice: Caller, clock: FakeClock
) -> None:
    _, parts = named(alice)
    clock.advance(seconds=1)  # what tells the new file from one that was there before
    barrier = threading.Barrier(4)
    answers = []

    def run() -> None:
        client = app.test_client()
        barrier.wait()
        answers.append(client.post(BROWSER, json=parts, headers=alice.headers))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.get_data() for answer in answers}) == 1
    assert alice.get("/v1/files/").get_json()["count"] == 1
