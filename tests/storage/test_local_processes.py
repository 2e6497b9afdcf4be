"""Local disk: several processes at once, and processes that are killed half-way."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from softfactory.errors import ObjectNotFound, UploadNotFound
from softfactory.storage.base import MIN_PART_SIZE
from softfactory.storage.keys import Key
from softfactory.storage.local import LocalStorage, writing
from softfactory.storage.signing import UrlSigner
from tests.storage.samples import names, payload, read, send, store

KEY = Key("alice/report.pdf")
FIRST, LAST = payload(MIN_PART_SIZE, 1), payload(1000, 2)

_SPAWN = multiprocessing.get_context("fork")


def new(root: Path, *, versioning: bool = False) -> LocalStorage:
    return LocalStorage(
        root, signer=UrlSigner("s" * 40, "http://files.test"), versioning=versioning
    )


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[LocalStorage]:
    """An empty storage."""
    storage = new(tmp_path)
    yield storage
    storage.close()


def files(root: Path) -> list[str]:
    found = [*(root / "files").rglob("*"), *(root / "temp_uploads").rglob("*")]
    return sorted(str(path.relative_to(root)) for path in found if path.is_file())


def at_once(*works: Callable[[], object]) -> list[int | None]:
    """Run each of ``works`` in a process of its own; return their exit codes."""
    processes = [_SPAWN.Process(target=work) for work in works]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]


def killed_in(work: Callable[[Callable[[], None]], object]) -> None:
    """Run ``work`` in a process that is killed, with no chance to tidy up, where it says so."""

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    process = _SPAWN.Process(target=work, args=(die,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def ready_to_complete(storage: LocalStorage, key: Key) -> tuple[str, Callable[[], None]]:
    """Return an upload of which all parts have arrived, and what completes it, or exits with 3."""
    upload_id = storage.create_multipart(key, part_size=MIN_PART_SIZE, size=len(FIRST + LAST))
    parts = [send(storage, key, upload_id, 1, FIRST), send(storage, key, upload_id, 2, LAST)]

    def complete() -> None:
        try:
            storage.complete_multipart(key, upload_id, parts)
        except UploadNotFound:
            os._exit(3)

    return upload_id, complete


def sweep_later(storage: LocalStorage) -> int:
    """Sweep as if all this had been a while ago."""
    return storage.sweep_orphans(datetime.now(UTC) + timedelta(hours=1))


@pytest.mark.parametrize("versioning", [True, False])
def test_puts_of_many_processes_to_one_key_are_all_whole(tmp_path: Path, versioning: bool) -> None:
    bodies = [payload(50_000, seed) for seed in range(4)]

    def putting(body: bytes) -> Callable[[], None]:
        def put() -> None:
            storage = new(tmp_path, versioning=versioning)
            for _ in range(15):
                storage.put(KEY, [body[:20_000], body[20_000:]])
                assert read(storage, KEY) in bodies

        return put

    codes = at_once(*[putting(body) for body in bodies])

    storage = new(tmp_path, versioning=versioning)
    assert codes == [0] * 4
    assert read(storage, KEY) in bodies
    assert len(storage.list_versions(KEY)) == (60 if versioning else 1)
    assert len(files(tmp_path)) == (60 if versioning else 1)


def test_puts_deletes_renames_reads_and_lists_at_once_stay_in_order(
    storage: LocalStorage, tmp_path: Path
) -> None:
    bodies = {payload(9_000, seed) for seed in range(3)}
    other = Key("alice/other.pdf")

    def put() -> None:
        for body in list(bodies) * 10:
            storage.put(KEY, [body])

    def move_and_delete() -> None:
        for _ in range(30):
            with suppress(ObjectNotFound):
                storage.rename(KEY, other)
                storage.copy(other, KEY)
                storage.delete(other)

    def look() -> None:
        for _ in range(60):
            storage.list_objects("alice/")
            with suppress(ObjectNotFound):
                assert read(storage, KEY) in bodies

    def sweep() -> None:
        for _ in range(20):
            assert sweep_later(storage) == 0

    codes = at_once(put, move_and_delete, look, sweep)

    assert codes == [0] * 4
    assert all(read(storage, key) in bodies for key in names(storage))
    assert storage.check() == []
    assert sweep_later(storage) == 0


def test_of_two_processes_that_complete_at_once_one_wins(
    storage: LocalStorage, tmp_path: Path
) -> None:
    for round_ in range(5):
        key = Key(f"alice/{round_}")
        _, complete = ready_to_complete(storage, key)

        assert sorted(str(code) for code in at_once(complete, complete)) == ["0", "3"]
        assert read(storage, key) == FIRST + LAST
    assert len(files(tmp_path)) == 5


@pytest.mark.parametrize("is_nameless", [True, False])
def test_a_process_killed_in_the_middle_of_a_put_leaves_nothing_to_see(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_nameless: bool
) -> None:
    store(storage, KEY, b"before")
    if not is_nameless:
        monkeypatch.setattr(writing, "_open_nameless", lambda directory: None)

    def put(die: Callable[[], None]) -> None:
        def chunks() -> Iterator[bytes]:
            yield payload(200_000)
            die()

        storage.put(KEY, chunks())

    killed_in(put)

    assert names(storage) == [KEY]
    assert read(storage, KEY) == b"before"
    assert sweep_later(storage) == (0 if is_nameless else 1)
    assert len(files(tmp_path)) == 1


def test_a_process_killed_before_its_commit_leaves_a_file_that_the_sweep_removes(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(storage, KEY, b"before")

    def put(die: Callable[[], None]) -> None:
        monkeypatch.setattr(storage._index, "write", lambda work: die())
        store(storage, KEY, b"after")

    killed_in(put)
    left = len(files(tmp_path))

    assert read(storage, KEY) == b"before"
    assert (left, sweep_later(storage), len(files(tmp_path))) == (2, 1, 1)


def test_a_process_killed_in_the_middle_of_a_commit_leaves_a_sound_index(
    storage: LocalStorage, tmp_path: Path
) -> None:
    def put(die: Callable[[], None]) -> None:
        for number in range(1000):
            store(storage, f"alice/{number}")

    for _ in range(3):
        process = _SPAWN.Process(target=put, args=(None,))
        process.start()
        while not (tmp_path / "files").exists():
            time.sleep(0.01)
        time.sleep(0.1)
        process.kill()
        process.join(60)

    assert storage.check() == []
    assert all(read(storage, key) == b"content" for key in names(storage))
    sweep_later(storage)
    assert len(files(tmp_path)) == len(names(storage))


def test_a_process_killed_while_completing_leaves_the_upload_open(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = storage.create_multipart(KEY, part_size=MIN_PART_SIZE, size=len(FIRST + LAST))
    parts = [send(storage, KEY, upload_id, 1, FIRST), send(storage, KEY, upload_id, 2, LAST)]

    def complete(die: Callable[[], None]) -> None:
        monkeypatch.setattr(storage._index, "write", lambda work: die())
        storage.complete_multipart(KEY, upload_id, parts)

    killed_in(complete)
    before = names(storage)
    swept = sweep_later(storage)
    storage.complete_multipart(KEY, upload_id, parts)

    assert (before, swept) == ([], 1)
    assert read(storage, KEY) == FIRST + LAST
    assert len(files(tmp_path)) == 1


def test_a_process_killed_after_the_commit_of_a_completion_leaves_parts_to_sweep(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = storage.create_multipart(KEY)
    parts = [send(storage, KEY, upload_id, 1, FIRST), send(storage, KEY, upload_id, 2, LAST)]

    def complete(die: Callable[[], None]) -> None:
        monkeypatch.setattr(storage._directories, "remove", lambda upload: die())
        storage.complete_multipart(KEY, upload_id, parts)

    killed_in(complete)

    assert read(storage, KEY) == FIRST + LAST
    assert sweep_later(storage) == 1
    assert len(files(tmp_path)) == 1


def test_a_process_killed_in_the_middle_of_a_part_leaves_the_part_to_others(
    storage: LocalStorage,
) -> None:
    upload_id = storage.create_multipart(KEY, part_size=MIN_PART_SIZE, size=len(FIRST + LAST))

    def put_part(die: Callable[[], None]) -> None:
        def chunks() -> Iterator[bytes]:
            yield LAST * 2000
            die()

        storage.put_part(KEY, upload_id, 1, chunks(), size=MIN_PART_SIZE)

    killed_in(put_part)
    arrived = storage.list_parts(KEY, upload_id)
    parts = [send(storage, KEY, upload_id, 1, FIRST), send(storage, KEY, upload_id, 2, LAST)]
    storage.complete_multipart(KEY, upload_id, parts)

    assert arrived == []
    assert read(storage, KEY) == FIRST + LAST


def test_completing_among_senders_and_aborters_ends_in_one_whole_way(
    storage: LocalStorage, tmp_path: Path
) -> None:
    for round_ in range(6):
        key = Key(f"alice/{round_}")
        upload_id, complete = ready_to_complete(storage, key)

        def resend(key: Key = key, upload_id: str = upload_id) -> None:
            try:
                for _ in range(3):
                    send(storage, key, upload_id, 1, FIRST)
            except UploadNotFound:
                os._exit(0)

        def abort(key: Key = key, upload_id: str = upload_id) -> None:
            storage.abort_multipart(key, upload_id)

        codes = at_once(complete, resend, *([abort] if round_ % 2 else []))

        assert codes[1:] == [0] * (len(codes) - 1)
        assert codes[0] in ((0, 3) if round_ % 2 else (0,))
        if codes[0] == 0:
            assert read(storage, key) == FIRST + LAST
        else:
            assert key not in names(storage)
    assert len(files(tmp_path)) == len(names(storage))
