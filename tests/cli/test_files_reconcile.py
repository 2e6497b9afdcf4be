"""``files reconcile``: what database and storage disagree on is found, and put in order."""

import io
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from softfactory.errors import ObjectNotFound, StorageError
from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.http.services import catalog, reconciliation
from softfactory.models import FileUpload, UploadStatus, UserStorage
from softfactory.services.reconcile import first_sight
from softfactory.services.reconcile import reconciliation as whole
from softfactory.storage.base import Storage
from softfactory.storage.keys import FolderKey, Key
from tests import samples
from tests.blueprints.test_files_upload import send
from tests.conftest import Caller
from tests.doubles import FailingStorage, FakeClock
from tests.stacks import both_databases, both_storages

Reconcile = Callable[..., tuple[int, dict[str, Any]]]
IN_ORDER: dict[str, Any] = {
    "objects_without_row": [],
    "rows_without_object": [],
    "size_mismatches": [],
    "wrong_totals": [],
    "unreadable": [],
    "fixed": 0,
}


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing needs to settle where one test does one thing after the other."""
    monkeypatch.setattr(whole, "SETTLE_SECONDS", 0)


@pytest.fixture
def reconcile(app: Flask) -> Reconcile:
    """A function that runs ``flask files reconcile --json``; returns its exit code and report."""

    def reconcile(*arguments: str) -> tuple[int, dict[str, Any]]:
        ran = app.test_cli_runner().invoke(args=["files", "reconcile", "--json", *arguments])
        assert ran.exit_code in (0, 1), ran.output
        report: dict[str, Any] = json.loads(ran.stdout)
        return ran.exit_code, report

    return reconcile


@pytest.fixture
def storage(app: Flask) -> Storage:
    """The application's storage, to go behind the application's back."""
    with app.app_context():
        return runtime().storage


def found(**differences: Any) -> dict[str, Any]:
    return {**IN_ORDER, **differences}


def rows(app: Flask) -> dict[str, tuple[str, int]]:
    """Status and size of every row by its key."""
    with app.app_context():
        return {
            row.file_key: (row.status, row.file_size)
            for row in db.session.scalars(select(FileUpload))
        }


def change(app: Flask, key: str, **values: Any) -> None:
    with app.app_context():
        db.session.execute(update(FileUpload).where(FileUpload.file_key == key).values(**values))
        db.session.commit()


def uploaded(caller: Caller, name: str = "a.pdf") -> str:
    answer = send(caller, samples.pdf(), name)
    assert answer.status_code == 201, answer.get_json()
    key: str = answer.get_json()["file_key"]
    return key


# --- what is in order -------------------------------------------------------------------------


def test_where_all_is_in_order_nothing_is_found(reconcile: Reconcile, alice: Caller) -> None:
    uploaded(alice)

    assert reconcile() == (0, IN_ORDER)
    assert reconcile("--fix") == (0, IN_ORDER)


@both_storages
def test_an_empty_service_is_in_order(reconcile: Reconcile) -> None:
    assert reconcile() == (0, IN_ORDER)


def test_folder_markers_and_unconfirmed_bytes_are_no_files(
    reconcile: Reconcile, storage: Storage, alice: Caller
) -> None:
    storage.put(FolderKey(f"users/{alice.uuid}/folder"), [])
    storage.put(Key("alice/.uploads/abc/a.txt"), [b"unconfirmed"])

    assert reconcile("--fix") == (0, IN_ORDER)


@both_databases
@pytest.mark.parametrize("status", ["pending", "uploading"])
@pytest.mark.parametrize("has_object", [True, False])
def test_an_upload_on_its_way_is_cleanups_business(
    app: Flask,
    reconcile: Reconcile,
    storage: Storage,
    alice: Caller,
    status: str,
    *,
    has_object: bool,
) -> None:
    key = uploaded(alice)
    change(app, key, status=status, file_size=1)
    if not has_object:
        storage.delete(Key(key))

    assert reconcile("--fix") == (0, IN_ORDER)
    assert rows(app) == {key: (status, 1)}


@both_databases
@pytest.mark.parametrize("has_object", [True, False])
def test_an_expired_file_is_cleanups_business(
    app: Flask,
    reconcile: Reconcile,
    storage: Storage,
    alice: Caller,
    clock: FakeClock,
    *,
    has_object: bool,
) -> None:
    key = uploaded(alice)
    change(app, key, expires_at=clock.now - timedelta(seconds=1), file_size=1)
    if not has_object:
        storage.delete(Key(key))

    assert reconcile("--fix") == (0, IN_ORDER)
    assert rows(app) == {key: ("completed", 1)}


# --- objects without a row --------------------------------------------------------------------


def test_an_object_below_a_users_root_gets_its_row(
    app: Flask, reconcile: Reconcile, storage: Storage, alice: Caller
) -> None:
    keys = sorted([f"users/{alice.uuid}/x y/ü.txt", f"uploads/{alice.user_id}/b", "alice/c.png"])
    for key in keys:
        storage.put(Key(key), [b"12345"], content_type="image/png")

    assert reconcile() == (1, found(objects_without_row=keys))
    assert rows(app) == {}
    assert reconcile("--fix") == (0, found(objects_without_row=keys, fixed=3))
    assert reconcile() == (0, IN_ORDER)
    listing = alice.get("/api/files").get_json()
    assert {file["file_key"] for file in listing["files"]} == set(keys)
    assert {file["file_size"] for file in listing["files"]} == {5}
    assert {file["category"] for file in listing["files"]} == {"image"}


@both_storages
def test_the_row_of_an_object_has_its_age(
    app: Flask, reconcile: Reconcile, storage: Storage, alice: Caller, clock: FakeClock
) -> None:
    put = storage.put(Key("alice/a"), [b"a"])
    clock.advance(days=3)

    reconcile("--fix")

    with app.app_context():
        (file,) = db.session.scalars(select(FileUpload))
        assert abs(file.uploaded_at - put.last_modified) < timedelta(seconds=2)


def test_an_object_below_nobodys_root_is_reported_and_stays(
    app: Flask, reconcile: Reconcile, storage: Storage, alice: Caller
) -> None:
    keys = ["Alice/a", "alice", "nobody/a"]
    keys += [f"uploads/0{alice.user_id}/a", "uploads/99/a", "uploads/x/a", "users/no/a"]
    for key in keys:
        storage.put(Key(key), [b"a"])

    assert reconcile() == (1, found(objects_without_row=keys))
    assert reconcile("--fix") == (1, found(objects_without_row=keys))
    assert rows(app) == {}
    assert [o.key for o in storage.list_objects().objects] == keys


@both_storages
def test_what_can_be_put_in_order_is_also_where_something_remains(
    app: Flask, reconcile: Reconcile, storage: Storage, alice: Caller
) -> None:
    storage.put(Key("alice/a"), [b"a"])
    storage.put(Key("nobody/a"), [b"a"])

    code, report = reconcile("--fix")

    assert (code, report["fixed"]) == (1, 1)
    assert set(rows(app)) == {"alice/a"}


@both_databases
def test_the_object_of_a_failed_upload_gets_a_row_of_its_own(
    app: Flask, reconcile: Reconcile, alice: Caller
) -> None:
    key = uploaded(alice)
    change(app, key, status="failed")

    assert reconcile("--fix")[1] == found(objects_without_row=[key], fixed=1)
    with app.app_context():
        statuses = db.session.scalars(select(FileUpload.status).order_by(FileUpload.id)).all()
    assert statuses == ["failed", "completed"]


@pytest.mark.parametrize("storage_settings", ["s3-moto"], indirect=True)
@pytest.mark.parametrize("key", ["/a", "//", "alice/\0"])
def test_an_object_that_no_row_can_have_is_reported(
    app: Flask, reconcile: Reconcile, storage: Any, alice: Caller, key: str
) -> None:
    storage.client.put_object(Bucket="softfactory-test", Key=f"{key}a", Body=b"a")

    assert reconcile("--fix") == (1, found(objects_without_row=[f"{key}a"]))


@pytest.mark.parametrize("storage_settings", ["s3-moto"], indirect=True)
@pytest.mark.parametrize(
    ("key", "filename"),
    [
        ("alice//a", "a"),
        ("alice/../a", "a"),
        ("alice/./.", "unnamed"),
        ("alice/\x01ctl", "ctl"),
        ("alice/a\tb\nc", "abc"),
        ("alice/a\ufffe", "a"),
    ],
)
def test_an_object_that_no_file_may_be_called_gets_its_row_all_the_same(
    app: Flask, reconcile: Reconcile, storage: Any, alice: Caller, key: str, filename: str
) -> None:
    storage.client.put_object(Bucket="softfactory-test", Key=key, Body=b"a")

    assert reconcile("--fix") == (0, found(objects_without_row=[key], fixed=1))
    assert reconcile() == (0, IN_ORDER)
    (file,) = alice.get("/api/files").get_json()["files"]
    assert (file["file_key"], file["original_filename"]) == (key, filename)


@both_storages
def test_an_object_named_as_a_root_hides_nothing_below_it(
    reconcile: Reconcile, storage: Storage, alice: Caller
) -> None:
    for key in ("alice", "alice/a"):
        storage.put(Key(key), [b"a"])

    assert reconcile("--fix") == (1, found(objects_without_row=["alice", "alice/a"], fixed=1))


@both_storages
@pytest.mark.parametrize("has_row", [True, False])
def test_an_object_that_storage_cannot_answer_for_stops_no_other(
    make_app: Callable[..., Flask],
    app: Flask,
    storage: Storage,
    alice: Caller,
    *,
    has_row: bool,
) -> None:
    key = uploaded(alice) if has_row else str(storage.put(Key("alice/locked"), [b"a"]).key)
    if has_row:
        change(app, key, file_size=1)
    storage.put(Key("alice/z"), [b"a"])

    class Locked:
        """A storage with an object that only its client can read, as S3's SSE-C makes them."""

        def __getattr__(self, verb: str) -> Any:
            return getattr(storage, verb)

        def head(self, asked: Key, **options: Any) -> Any:
            if asked == key:
                raise StorageError
            return storage.head(asked, **options)

    ran = make_app(storage=Locked()).test_cli_runner()
    answer = ran.invoke(args=["files", "reconcile", "--fix", "--json"])

    expected = found(objects_without_row=["alice/z"], unreadable=[key], fixed=1)
    assert (answer.exit_code, json.loads(answer.stdout)) == (1, expected)


# --- rows without an object -------------------------------------------------------------------


def test_a_row_whose_object_is_gone_becomes_failed_and_its_key_free(
    app: Flask, reconcile: Reconcile, storage: Storage, alice: Caller
) -> None:
    key, kept = uploaded(alice, "a.pdf"), uploaded(alice, "b.pdf")
    storage.delete(Key(key))

    assert reconcile() == (1, found(rows_without_object=[key]))
    assert rows(app)[key][0] == "completed"
    assert reconcile("--fix") == (0, found(rows_without_object=[key], fixed=1))
    assert rows(app)[key][0] == "failed"
    assert reconcile() == (0, IN_ORDER)
    listing = alice.get("/api/files").get_json()
    assert [file["file_key"] for file in listing["files"]] == [kept]
    storage.put(Key(key), [b"back"])
    assert reconcile("--fix")[1]["objects_without_row"] == [key]


# --- sizes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 2**40])
def test_a_size_that_differs_becomes_what_storage_says(
    app: Flask, reconcile: Reconcile, alice: Caller, size: int
) -> None:
    key = uploaded(alice)
    change(app, key, file_size=size)

    assert reconcile() == (1, found(size_mismatches=[key]))
    assert rows(app)[key] == ("completed", size)
    assert reconcile("--fix") == (0, found(size_mismatches=[key], fixed=1))
    assert rows(app)[key] == ("completed", len(samples.pdf()))
    assert reconcile() == (0, IN_ORDER)


@both_storages
def test_bytes_replaced_behind_our_back_are_taken_with_their_etag(
    app: Flask, reconcile: Reconcile, storage: Storage, alice: Caller
) -> None:
    key = uploaded(alice)
    stored = storage.put(Key(key), [b"others"], content_type="text/plain")

    reconcile("--fix")

    with app.app_context():
        (file,) = db.session.scalars(select(FileUpload))
        assert (file.file_size, file.etag, file.sha256) == (6, stored.etag, None)


# --- how it tells -----------------------------------------------------------------------------


@both_storages
def test_people_get_a_line_for_each_difference(app: Flask, storage: Storage, alice: Caller) -> None:
    gone, wrong = uploaded(alice, "gone.pdf"), uploaded(alice, "wrong.pdf")
    storage.delete(Key(gone))
    change(app, wrong, file_size=1)
    storage.put(Key("nobody/a"), [b"a"])

    ran = app.test_cli_runner().invoke(args=["files", "reconcile", "--fix"])

    assert ran.exit_code == 1
    assert ran.stdout.splitlines() == [
        "object without row  nobody/a",
        f"row without object  {gone}",
        f"size differs        {wrong}",
        "Found 3 differences, put 2 in order.",
    ]


@both_storages
def test_storage_trouble_is_a_sentence_and_exit_1(
    make_app: Callable[..., Flask], app: Flask, storage: Storage
) -> None:
    failing = FailingStorage(storage)
    failing.fail_before.add("list_objects")

    ran = make_app(storage=failing).test_cli_runner().invoke(args=["files", "reconcile", "--json"])

    assert ran.exit_code == 1
    assert ran.stdout == ""
    assert "Then run this command again." in ran.stderr


# --- beside others ----------------------------------------------------------------------------


def test_several_pages_are_compared_key_by_key(
    monkeypatch: pytest.MonkeyPatch, app: Flask, reconcile: Reconcile, alice: Caller
) -> None:
    with app.app_context():
        storage = runtime().storage
        real = storage.list_objects
        monkeypatch.setattr(storage, "list_objects", lambda *a, **o: real(*a, **{"limit": 3, **o}))
        monkeypatch.setattr(first_sight, "BATCH", 3)
        monkeypatch.setattr(whole, "BATCH", 2)
        names = ["Z", "a", "a-b", "a/b", "a0", "ab", "z", "Ä", "é", "日本", "😀"]
        keys = [f"users/{alice.uuid}/{name}" for name in names]
        for key in keys:
            storage.put(Key(key), [b"a"])
        assert reconcile("--fix")[1] == found(objects_without_row=keys, fixed=len(keys))
        storage.delete(Key(keys[0]))
        storage.delete(Key(keys[-1]))

    assert reconcile() == (1, found(rows_without_object=[keys[0], keys[-1]]))


class Interfering:
    """A storage beside which something happens right after its first list."""

    def __init__(self, storage: Storage, action: Callable[[], object]) -> None:
        self._storage = storage
        self._action: Callable[[], object] | None = action

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._storage, verb)

    def list_objects(self, *arguments: Any, **options: Any) -> Any:
        page = self._storage.list_objects(*arguments, **options)
        if self._action is not None:
            action, self._action = self._action, None
            action()
        return page


@pytest.mark.parametrize("happens", ["upload", "delete", "both"])
def test_what_happens_meanwhile_is_no_difference(
    make_app: Callable[..., Flask], app: Flask, alice: Caller, happens: str
) -> None:
    key = uploaded(alice)
    file_id = alice.get("/api/files").get_json()["files"][0]["id"]

    def act() -> None:
        if happens in ("upload", "both"):
            uploaded(alice, "new.pdf")
        if happens in ("delete", "both"):
            assert alice.delete(f"/api/files/{file_id}").status_code == 200

    with app.app_context():
        storage = Interfering(runtime().storage, act)
    ran = make_app(storage=storage).test_cli_runner()
    answer = ran.invoke(args=["files", "reconcile", "--fix", "--json"])

    assert json.loads(answer.stdout) == IN_ORDER
    assert answer.exit_code == 0
    assert (key in rows(app)) == (happens == "upload")


def test_a_replacement_between_storage_and_commit_is_no_difference(
    app: Flask, alice: Caller
) -> None:
    key = uploaded(alice)
    with app.app_context():
        stored = runtime().storage.put(Key(key), [b"the new bytes"])

    def commit(_seconds: float) -> None:
        change(app, key, file_size=stored.size, etag=stored.etag)

    with app.app_context():
        comparison = reconciliation()
        object.__setattr__(comparison, "pause", commit)

        assert comparison.run(fix=True).as_dict() == IN_ORDER


def test_a_rename_in_flight_is_no_difference(
    make_app: Callable[..., Flask], app: Flask, alice: Caller
) -> None:
    key = uploaded(alice)
    target = Key(f"uploads/{alice.user_id}/renamed.pdf")
    is_moved, may_commit = threading.Event(), threading.Event()

    class Slow:
        """Keeps the rename's transaction open after the bytes have moved."""

        def __init__(self, storage: Storage) -> None:
            self._storage = storage

        def __getattr__(self, verb: str) -> Any:
            return getattr(self._storage, verb)

        def rename(self, source: Key, to: Key) -> Any:
            info = self._storage.rename(source, to)
            is_moved.set()
            assert may_commit.wait(20)
            return info

    with app.app_context():
        slow = make_app(storage=Slow(runtime().storage))

    def rename() -> None:
        with slow.app_context():
            file = catalog().holder(key)
            assert file is not None
            catalog().rename(file, target, filename="renamed.pdf")
            db.session.remove()

    def commit_later(_seconds: float) -> None:
        threading.Timer(0.2, may_commit.set).start()

    def compare() -> None:
        assert is_moved.wait(20)
        with app.app_context():
            comparison = reconciliation()
            object.__setattr__(comparison, "pause", commit_later)
            assert comparison.run().as_dict() == IN_ORDER
            db.session.remove()

    run_all(rename, compare)

    assert set(rows(app)) == {target}


def test_two_at_once_put_each_difference_in_order_once(
    app: Flask, storage: Storage, alice: Caller
) -> None:
    gone = [uploaded(alice, f"{n}.pdf") for n in range(5)]
    for key in gone:
        storage.delete(Key(key))
    unknown = [f"alice/{n}" for n in range(15)]
    for key in unknown:
        storage.put(Key(key), [b"a"])
    barrier = threading.Barrier(2)
    fixed = []

    def run() -> None:
        with app.app_context():
            comparison = reconciliation()
            object.__setattr__(comparison, "pause", lambda _seconds: barrier.wait())
            fixed.append(comparison.run(fix=True).fixed)
            db.session.remove()

    run_all(run, run)

    assert sum(fixed) == 20
    states = rows(app)
    assert all(states[key][0] == UploadStatus.FAILED for key in gone)
    assert all(states[key] == ("completed", 1) for key in unknown)
    with app.app_context():
        assert reconciliation().run().is_in_order


def test_beside_uploads_and_deletes_nothing_is_found_and_nothing_harmed(
    app: Flask, alice: Caller
) -> None:
    kept: list[str] = []
    reports = []
    done = threading.Event()

    def live() -> None:
        try:
            client = app.test_client()
            for n in range(12):
                form = {"file": (io.BytesIO(samples.pdf()), f"{n}.pdf")}
                answer = client.post("/api/files/upload", data=form, headers=alice.headers)
                assert answer.status_code == 201, answer.get_json()
                if n % 2:
                    url = f"/api/files/{answer.get_json()['file_id']}"
                    assert client.delete(url, headers=alice.headers).status_code == 200
                else:
                    kept.append(answer.get_json()["file_key"])
        finally:
            done.set()

    def compare() -> None:
        while not done.is_set():
            with app.app_context():
                comparison = reconciliation()
                object.__setattr__(comparison, "pause", lambda _seconds: None)
                reports.append(comparison.run(fix=True).as_dict())
                db.session.remove()

    run_all(live, compare)

    assert reports
    assert all(report == IN_ORDER for report in reports)
    assert sorted(rows(app)) == sorted(kept)
    with app.app_context():
        for key in kept:
            assert runtime().storage.head(Key(key)).size == len(samples.pdf())


@both_storages
def test_stopped_half_way_it_leaves_nothing_half_done(
    monkeypatch: pytest.MonkeyPatch,
    make_app: Callable[..., Flask],
    app: Flask,
    storage: Storage,
    alice: Caller,
) -> None:
    monkeypatch.setattr(whole, "BATCH", 2)
    keys = [f"alice/{n}" for n in range(4)]
    for key in keys:
        storage.put(Key(key), [b"a"])

    class Stopped:
        """Stops the process, as Ctrl-C does, in the midst of the second batch."""

        heads = 0

        def __getattr__(self, verb: str) -> Any:
            return getattr(storage, verb)

        def head(self, key: Key) -> Any:
            Stopped.heads += 1
            if Stopped.heads == 4:
                raise KeyboardInterrupt
            return storage.head(key)

    with make_app(storage=Stopped()).app_context(), pytest.raises(KeyboardInterrupt):
        reconciliation().run(fix=True)

    assert rows(app) == dict.fromkeys(keys[:2], ("completed", 1))
    with app.app_context():
        report = reconciliation().run(fix=True)
    assert report.objects_without_row == keys[2:]
    assert report.is_in_order
    with pytest.raises(ObjectNotFound):
        storage.head(Key("alice/4"))


def run_all(*actions: Callable[[], None]) -> None:
    """Run all at once; raise the first exception of any."""
    failures: list[BaseException] = []

    def guarded(action: Callable[[], None]) -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001  # raised below, in the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=[action]) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@both_databases
def test_counted_bytes_that_are_not_the_sum_of_the_rows_are_told_and_mended(
    app: Flask, alice: Caller, bob: Caller, reconcile: Reconcile
) -> None:
    send(alice, samples.pdf())
    send(bob, samples.pdf())
    with app.app_context():
        db.session.execute(
            update(UserStorage)
            .where(UserStorage.user_id == alice.user_id)
            .values(used=1, reserved=-5, open_uploads=7)
        )
        db.session.commit()

    found = reconcile()
    mended = reconcile("--fix")
    after = reconcile()

    assert found == (1, IN_ORDER | {"wrong_totals": ["alice"]})
    assert mended == (0, IN_ORDER | {"wrong_totals": ["alice"], "fixed": 1})
    assert after == (0, IN_ORDER)
    storage = alice.get("/api/auth/me").get_json()["storage"]
    assert storage == {"used": len(samples.pdf()), "reserved": 0, "quota": None}
