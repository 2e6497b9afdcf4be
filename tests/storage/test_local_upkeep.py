"""Local disk: what the sweeps remove and leave, and what a check tells an operator."""

import errno
import fcntl
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from softfactory.storage.base import MIN_PART_SIZE
from softfactory.storage.keys import Key
from softfactory.storage.local import LocalStorage
from softfactory.storage.signing import UrlSigner
from tests.storage.samples import names, read, send, store

KEY = Key("alice/report.pdf")
HOUR = timedelta(hours=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory that is not there yet."""
    return tmp_path / "media"


@pytest.fixture
def storage(root: Path) -> Iterator[LocalStorage]:
    """An empty storage."""
    storage = LocalStorage(root, signer=UrlSigner("s" * 40, "http://files.test"))
    yield storage
    storage.close()


def later() -> datetime:
    return datetime.now(UTC) + HOUR


def leftover(root: Path, name: str = "ab" * 16) -> Path:
    """Put a file where a crashed writer would have left it."""
    path = root / "files" / name[:2] / name[2:4] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"left over")
    return path


@pytest.mark.parametrize("name", ["ab" * 16, "ab" * 16 + ".partial"])
def test_a_file_that_nothing_refers_to_is_removed(
    storage: LocalStorage, root: Path, name: str
) -> None:
    path = leftover(root, name)

    assert storage.sweep_orphans(later()) == 1
    assert not path.exists()


def test_a_dry_run_counts_and_removes_nothing(storage: LocalStorage, root: Path) -> None:
    path = leftover(root)

    assert storage.sweep_orphans(later(), dry_run=True) == 1
    assert path.exists()


def test_a_leftover_younger_than_asked_for_stays(storage: LocalStorage, root: Path) -> None:
    path = leftover(root)

    assert storage.sweep_orphans(datetime.now(UTC) - HOUR) == 0
    assert path.exists()


def test_a_file_whose_writer_lives_stays(storage: LocalStorage, root: Path) -> None:
    path = leftover(root)
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)

        assert storage.sweep_orphans(later()) == 0
    assert path.exists()


def test_a_put_that_is_between_its_file_and_its_commit_is_not_swept(
    storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_write = storage._index.write
    other = LocalStorage(root, signer=UrlSigner("s" * 40, "http://files.test"))
    swept: list[int] = []

    def sweep_first(work: object) -> object:
        swept.append(other.sweep_orphans(later()))
        return really_write(work)  # type: ignore[arg-type]

    monkeypatch.setattr(storage._index, "write", sweep_first)
    store(storage, KEY)
    upload_id = storage.create_multipart(KEY, part_size=MIN_PART_SIZE, size=9)
    storage.complete_multipart(KEY, upload_id, [send(storage, KEY, upload_id, 1, b"completed")])
    upload_id = storage.create_multipart(KEY)
    storage.complete_multipart(KEY, upload_id, [send(storage, KEY, upload_id, 1, b"joined")])
    other.close()

    assert sum(swept) == 0
    assert read(storage, KEY) == b"joined"
    assert [version.size for version in storage.list_versions(KEY)] == [6, 9, 7]


def test_what_an_operator_put_there_stays(storage: LocalStorage, root: Path) -> None:
    path = leftover(root)
    strange = path.rename(path.with_name("README"))

    assert storage.sweep_orphans(later()) == 0
    assert strange.exists()


def test_every_version_keeps_its_file(storage: LocalStorage) -> None:
    store(storage, KEY, b"old")
    store(storage, KEY, b"new")
    storage.delete(KEY)

    assert storage.sweep_orphans(later()) == 0
    old = storage.list_versions(KEY)[-1]
    assert read(storage, KEY, version_id=old.version_id) == b"old"


def test_parts_of_an_open_upload_stay(storage: LocalStorage) -> None:
    declared = storage.create_multipart(KEY, part_size=MIN_PART_SIZE, size=5)
    other = storage.create_multipart(KEY)
    parts = [send(storage, KEY, upload_id, 1, b"bytes") for upload_id in (declared, other)]

    assert storage.sweep_orphans(later()) == 0
    for upload_id, part in zip((declared, other), parts, strict=True):
        storage.complete_multipart(KEY, upload_id, [part])
        assert read(storage, KEY) == b"bytes"


def test_a_part_that_was_never_recorded_is_removed(storage: LocalStorage, root: Path) -> None:
    upload_id = storage.create_multipart(KEY)
    stray = root / "temp_uploads" / upload_id / "00001-stray"
    stray.write_bytes(b"left over")

    assert storage.sweep_orphans(later()) == 1
    assert [info.upload_id for info in storage.list_multiparts()] == [upload_id]
    assert not stray.exists()


def test_a_directory_of_no_upload_is_removed(storage: LocalStorage, root: Path) -> None:
    directory = root / "temp_uploads" / ("ab" * 16)
    directory.mkdir(parents=True)
    (directory / "whole").write_bytes(b"left over")

    assert storage.sweep_orphans(later()) == 1
    assert not directory.exists()


def test_an_empty_storage_has_nothing_to_sweep(storage: LocalStorage) -> None:
    assert storage.sweep_orphans(later()) == 0
    assert storage.sweep_noncurrent(later()) == 0


def test_many_old_versions_are_removed_with_their_files(storage: LocalStorage, root: Path) -> None:
    for number in range(120):
        store(storage, KEY, b"%d" % (number % 3))
    storage.copy(KEY, Key("alice/copy"), version_id=storage.list_versions(KEY)[-1].version_id)

    assert storage.sweep_noncurrent(later()) == 119
    assert read(storage, "alice/copy") == b"0"
    assert sum(path.is_file() for path in (root / "files").rglob("*")) == 2


def test_a_healthy_storage_passes_its_check_and_shows_no_trace_of_it(
    storage: LocalStorage, root: Path
) -> None:
    said = storage.check()

    assert said == []
    assert names(storage) == []
    assert not any(path.is_file() for path in (root / "files").rglob("*"))


def test_a_root_that_cannot_be_made_is_reported(storage: LocalStorage, root: Path) -> None:
    root.write_text("in the way")

    (said,) = storage.check()
    assert said.startswith("MEDIA_ROOT is not there")


def test_a_root_that_cannot_be_written_is_reported(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    (said,) = storage.check()
    assert said.startswith("MEDIA_ROOT is not writable")


def test_a_full_disk_is_reported(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    full = SimpleNamespace(f_bavail=10, f_frsize=4096)
    monkeypatch.setattr(os, "statvfs", lambda path: full)

    (said,) = storage.check()
    assert said.startswith("MEDIA_ROOT has less than 64 MiB free")


def test_a_damaged_index_is_reported(storage: LocalStorage, root: Path) -> None:
    for number in range(300):
        store(storage, f"alice/{number}")
    storage.close()
    index = root / "index.sqlite3"
    with index.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096 * 4)

    (said,) = storage.check()
    assert said.startswith("The index in MEDIA_ROOT")
    assert str(root) not in said


def test_a_disk_that_fails_to_write_is_reported(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> int:
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(os, "pwrite", fail)

    (said,) = storage.check()
    assert said.startswith("A probe object could not be")
