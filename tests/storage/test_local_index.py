"""Local disk: the index's transactions, its ranges, and its way across a fork."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from softfactory.errors import ObjectNotFound, StorageError
from softfactory.storage.base import Skipped, Skipping
from softfactory.storage.keys import Key
from softfactory.storage.local import LocalStorage, listing, schema
from softfactory.storage.local.failures import OutcomeUnknown
from softfactory.storage.local.index import Index
from softfactory.storage.local.versions import Version, add
from softfactory.storage.signing import UrlSigner
from tests.storage.samples import names, read, store

KEY = Key("alice/report.pdf")


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[LocalStorage]:
    """An empty storage."""
    storage = LocalStorage(tmp_path, signer=UrlSigner("s" * 40, "http://files.test"))
    yield storage
    storage.close()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An empty index."""
    index = Index(tmp_path / "index.sqlite3")
    yield index
    index.close()


def fill(index: Index, keys: list[str]) -> None:
    """Index objects that have no bytes."""

    def insert(connection: sqlite3.Connection) -> None:
        for key in keys:
            version = Version(key, f"file of {key}", 1, "etag", "a/b", "STANDARD", "{}", 0)
            add(connection, version, versioning=True)

    index.write(insert)


def steps(index: Index, prefix: str, delimiter: str, start_after: str, limit: int) -> int:
    """Count what SQLite's machine does for one page, in hundreds of instructions."""

    def count(connection: sqlite3.Connection) -> int:
        ticks: list[None] = []
        connection.set_progress_handler(lambda: ticks.append(None), 100)
        try:
            listing.page(connection, prefix, delimiter, start_after, limit)
        finally:
            connection.set_progress_handler(None, 0)
        return len(ticks)

    return index.read(count)


def test_a_page_is_a_scan_of_one_range_of_one_covering_index(index: Index) -> None:
    plan = index.read(
        lambda connection: connection.execute(
            "EXPLAIN QUERY PLAN " + listing._SCAN, ("a", "b")
        ).fetchall()
    )

    details = [row[3] for row in plan]
    assert details == ["SEARCH versions USING COVERING INDEX listing (key>? AND key<?)"]


def test_passing_over_is_a_scan_of_one_range_of_one_covering_index(index: Index) -> None:
    plans = index.read(
        lambda connection: [
            connection.execute("EXPLAIN QUERY PLAN " + query, values).fetchall()
            for query, values in ((listing._SKIP, ("a", "b", 9)), (listing._COUNT, ("a", "b")))
        ]
    )

    details = {row[3] for plan in plans for row in plan}
    assert details == {"SEARCH versions USING COVERING INDEX listing (key>? AND key<?)"}


@pytest.mark.parametrize(
    ("start_after", "before", "limit", "skipped"),
    [
        ("", None, 9, Skipped(4, "b/4")),
        ("", None, 4, Skipped(4, "b/4")),
        ("", None, 3, Skipped(3, "b/3")),
        ("", "b/3", 9, Skipped(2, "b/2")),
        ("", "c", 9, Skipped(4, "b/4")),
        ("b/1", None, 1, Skipped(1, "b/2")),
        ("b/1", "b/2", 9, Skipped(0, None)),
        ("b/3", "b/2", 9, Skipped(0, None)),
        ("b/4", None, 1, Skipped(0, None)),
        ("z", None, 1, Skipped(0, None)),
    ],
)
def test_what_is_passed_over_is_counted_without_folders_markers(
    storage: LocalStorage, start_after: str, before: str | None, limit: int, skipped: Skipped
) -> None:
    fill(storage._index, ["a", "b/1", "b/2", "b/2/", "b/3", "b/4", "c"])

    found = storage.skip_objects("b/", start_after=start_after, before=before, limit=limit)

    assert isinstance(storage, Skipping)
    assert found == skipped


def test_a_page_costs_the_same_among_few_and_many(index: Index) -> None:
    fill(index, [f"b/{number:05}" for number in range(200)])
    few = steps(index, "b/", "", "", 50)
    fill(index, [f"{folder}/{number:05}" for folder in "abc" for number in range(5_000)])

    assert steps(index, "b/", "", "", 50) <= few + 1
    assert steps(index, "b/", "", "b/04000", 50) <= few + 1


def test_a_common_prefix_costs_one_seek_however_much_is_below_it(index: Index) -> None:
    fill(index, ["a/1", "b/1", "c/1"])
    few = steps(index, "", "/", "", 10)
    fill(index, [f"b/{number:05}" for number in range(5_000)])

    assert steps(index, "", "/", "", 10) <= few + 1


def test_deleted_keys_cost_a_list_nothing(index: Index, storage: LocalStorage) -> None:
    keys = [Key(f"a/{number:05}") for number in range(3_000)]
    fill(index, [*keys, "b/1"])
    storage.delete_many(keys)

    assert steps(index, "", "", "", 10) <= 1


@pytest.mark.parametrize(
    ("prefix", "after"),
    [
        ("a", "b"),
        ("a/", "a0"),
        ("é", "ê"),
        ("\ud7ff", "\ue000"),
        ("a\U0010ffff", "b"),
        ("\U0010ffff", None),
        ("", None),
    ],
)
def test_the_first_string_behind_a_prefix_is_known(prefix: str, after: str | None) -> None:
    assert listing.first_after(prefix) == after


def test_a_page_continues_behind_a_prefix_whose_keys_end_in_the_last_character(
    index: Index,
) -> None:
    fill(index, ["a/\U0010ffff", "a/\U0010ffff\U0010ffff", "b"])
    first = index.read(lambda c: listing.page(c, "", "/", "", 1))
    assert first.next_start_after is not None
    second = index.read(lambda c: listing.page(c, "", "/", first.next_start_after or "", 1))

    assert first.prefixes == ["a/"]
    assert (second.prefixes, [found.key for found in second.objects]) == ([], ["b"])


def test_threads_that_write_at_once_share_a_commit(index: Index) -> None:
    fill(index, ["first"])
    commits: list[str] = []
    is_inside, may_go_on = threading.Event(), threading.Event()

    def hold(connection: sqlite3.Connection) -> None:
        is_inside.set()
        may_go_on.wait(10)

    def trace(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)

    with ThreadPoolExecutor(9) as pool:
        holding = pool.submit(index.write, hold)
        is_inside.wait(10)
        waiting = [pool.submit(index.write, trace) for _ in range(8)]
        while len(index._threads.queue) < 8:
            assert not holding.done()
        may_go_on.set()
        for other in waiting:
            other.result(10)

    assert commits == ["COMMIT"]


def test_work_that_raises_is_undone_alone(index: Index) -> None:
    is_inside, may_go_on = threading.Event(), threading.Event()

    def hold(connection: sqlite3.Connection) -> None:
        is_inside.set()
        may_go_on.wait(10)

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM versions")
        raise ObjectNotFound

    fill(index, ["first"])
    with ThreadPoolExecutor(4) as pool:
        pool.submit(index.write, hold)
        is_inside.wait(10)
        good = [pool.submit(fill, index, [key]) for key in ("a", "b")]
        bad = pool.submit(index.write, fail)
        may_go_on.set()

    assert isinstance(bad.exception(), ObjectNotFound)
    assert [one.exception() for one in good] == [None, None]
    assert index.read(lambda c: c.execute("SELECT count(*) FROM versions").fetchone()) == (3,)


def test_an_index_that_stays_locked_is_a_storage_error(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(storage, KEY, b"before")
    storage.close()
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.05)
    other = sqlite3.connect(tmp_path / "index.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StorageError) as raised:
        store(storage, KEY, b"after")

    other.close()
    assert isinstance(raised.value.__cause__, sqlite3.OperationalError)
    assert read(storage, KEY) == b"before"
    assert len([path for path in (tmp_path / "files").rglob("*") if path.is_file()]) == 1


def test_work_that_could_not_begin_is_not_done_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "media").write_text("in the way")
    index = Index(tmp_path / "media" / "index.sqlite3")
    with pytest.raises(StorageError):
        fill(index, ["early"])
    (tmp_path / "media").unlink()
    fill(index, ["late"])

    assert index.read(lambda c: c.execute("SELECT key FROM versions").fetchall()) == [("late",)]
    index.close()


def test_a_file_stays_where_nobody_knows_whether_the_commit_was_made(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(work: object) -> None:
        raise OutcomeUnknown

    monkeypatch.setattr(storage._index, "write", fail)
    with pytest.raises(StorageError):
        store(storage, KEY)

    assert len([path for path in (tmp_path / "files").rglob("*") if path.is_file()]) == 1


def test_an_index_of_a_newer_service_is_left_alone(storage: LocalStorage, tmp_path: Path) -> None:
    store(storage, KEY)
    storage.close()
    newer = sqlite3.connect(tmp_path / "index.sqlite3")
    newer.execute("PRAGMA user_version = 99")
    newer.close()

    with pytest.raises(StorageError):
        storage.head(KEY)


def test_a_forked_child_and_its_parent_both_read_and_write(
    storage: LocalStorage,
) -> None:
    store(storage, "a/1")
    child = os.fork()
    if child == 0:
        try:
            store(storage, "a/2", read(storage, "a/1"))
        finally:
            os._exit(0)
    store(storage, "a/3")
    os.waitpid(child, 0)

    assert names(storage) == ["a/1", "a/2", "a/3"]


def test_no_connection_is_open_while_a_process_forks(storage: LocalStorage) -> None:
    store(storage, KEY)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        links = [link for link in Path("/proc/self/fd").iterdir() if link.exists()]
        opened = [str(link.readlink()) for link in links]
        os.write(writer, b"open" if any("index.sqlite3" in path for path in opened) else b"none")
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reader, 10) == b"none"
    os.close(reader)
    os.close(writer)


def test_a_thread_that_ends_takes_its_connection_with_it(
    storage: LocalStorage, tmp_path: Path
) -> None:
    thread = threading.Thread(target=store, args=(storage, KEY))
    thread.start()
    thread.join()

    links = [link for link in Path("/proc/self/fd").iterdir() if link.exists()]
    assert not any(str(link.readlink()).startswith(str(tmp_path / "index")) for link in links)


def test_work_that_the_parents_threads_queued_is_not_done_twice(
    storage: LocalStorage, tmp_path: Path
) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            store(storage, "a/busy")

    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(write)
        children = []
        for number in range(5):
            child = os.fork()
            if child == 0:
                try:
                    store(storage, f"b/{number}")
                finally:
                    os._exit(0)
            children.append(child)
        statuses = [os.waitpid(child, 0)[1] for child in children]
        stop.set()

    assert statuses == [0] * 5
    assert names(storage, "b/") == [f"b/{number}" for number in range(5)]
    assert storage.check() == []
