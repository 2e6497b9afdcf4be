"""Contract: sweeping takes what nobody can reach any more and nothing else; ``check`` is honest."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from softfactory.storage.base import Storage
from softfactory.storage.keys import Key
from tests.storage.backends import (
    DISK,
    NO_VERSIONS,
    SIGNED_HEADERS,
    VERSIONS,
    Backend,
    LocalBackend,
)
from tests.storage.samples import WHOLE_PART, begin, names, payload, read, send, store

KEY = Key("alice/report.pdf")
OTHER = Key("bob/report.pdf")
HOUR = timedelta(hours=1)

versioned = pytest.mark.needs(VERSIONS)


def version_ids(storage: Storage, key: Key = KEY) -> list[str]:
    """Return the ids of the key's versions, newest first."""
    return [version.version_id for version in storage.list_versions(key)]


# --- versions ---------------------------------------------------------------------------------


@versioned
def test_versions_that_were_replaced_before_are_swept(backend: Backend) -> None:
    storage = backend.storage
    store(storage, KEY, b"1")
    store(storage, KEY, b"2")
    newest = store(storage, KEY, b"3")

    swept = storage.sweep_noncurrent(backend.clock() + HOUR)

    assert swept == 2
    assert version_ids(storage) == [newest.version_id]
    assert read(storage, KEY) == b"3"


@versioned
def test_a_version_counts_from_when_it_was_replaced(backend: Backend) -> None:
    """Written long ago and replaced just now, it is young."""
    storage = backend.storage
    oldest = store(storage, KEY, b"1")
    older = store(storage, KEY, b"2")
    moment = backend.pass_a_moment()
    newest = store(storage, KEY, b"3")

    swept = storage.sweep_noncurrent(moment)

    assert swept == 1
    assert version_ids(storage) == [newest.version_id, older.version_id]
    assert oldest.version_id not in version_ids(storage)


@versioned
def test_a_current_object_is_never_swept(backend: Backend) -> None:
    store(backend.storage, KEY)
    begin(backend.storage, OTHER, b"part")

    swept = backend.storage.sweep_noncurrent(backend.clock() + timedelta(days=365))

    assert swept == 0
    assert read(backend.storage, KEY) == b"content"
    assert len(list(backend.storage.list_multiparts())) == 1


@versioned
def test_nothing_young_is_swept(backend: Backend) -> None:
    store(backend.storage, KEY, b"old")
    store(backend.storage, KEY, b"new")
    store(backend.storage, OTHER)
    backend.storage.delete(OTHER)
    before = backend.inventory()

    swept = backend.storage.sweep_noncurrent(backend.clock() - HOUR)

    assert swept == 0
    assert backend.inventory() == before


@versioned
def test_the_versions_of_a_deleted_object_are_swept_with_its_marker(backend: Backend) -> None:
    before = backend.inventory()
    store(backend.storage, KEY, b"1")
    store(backend.storage, KEY, b"2")
    backend.storage.delete(KEY)

    swept = backend.storage.sweep_noncurrent(backend.clock() + HOUR)

    assert swept == 2
    assert version_ids(backend.storage) == []
    assert backend.inventory() == before


@versioned
def test_an_object_deleted_just_now_keeps_its_last_version(backend: Backend) -> None:
    storage = backend.storage
    store(storage, KEY, b"1")
    last = store(storage, KEY, b"2")
    moment = backend.pass_a_moment()
    storage.delete(KEY)

    swept = storage.sweep_noncurrent(moment)

    assert swept == 1
    assert version_ids(storage) == [last.version_id]
    assert names(storage) == []


@versioned
def test_a_swept_object_that_was_deleted_stays_deleted(backend: Backend) -> None:
    """Its marker goes only when no version behind it could come back to light."""
    storage = backend.storage
    store(storage, KEY, b"1")
    backend.pass_a_moment()
    storage.delete(KEY)
    moment = backend.pass_a_moment()
    store(storage, OTHER, b"1")
    store(storage, KEY, b"2")
    storage.delete(KEY)

    storage.sweep_noncurrent(moment)

    assert names(storage) == [OTHER]
    assert len(version_ids(storage)) == 1


@versioned
def test_a_dry_run_counts_and_sweeps_nothing(backend: Backend) -> None:
    store(backend.storage, KEY, b"1")
    store(backend.storage, KEY, b"2")
    store(backend.storage, OTHER)
    backend.storage.delete(OTHER)
    before = backend.inventory()
    later = backend.clock() + HOUR

    counted = backend.storage.sweep_noncurrent(later, dry_run=True)

    assert backend.inventory() == before
    assert len(version_ids(backend.storage)) == 2
    assert counted == backend.storage.sweep_noncurrent(later) == 2


@versioned
def test_sweeping_touches_no_neighbour(backend: Backend) -> None:
    storage = backend.storage
    for key in ("a", "a/b", "a/b/c", "a/bb"):
        store(storage, key, key.encode())
    store(storage, "a/b", b"new")

    swept = storage.sweep_noncurrent(backend.clock() + HOUR)

    assert swept == 1
    assert {key: read(storage, key) for key in names(storage)} == {
        "a": b"a",
        "a/b": b"new",
        "a/b/c": b"a/b/c",
        "a/bb": b"a/bb",
    }


@pytest.mark.needs(NO_VERSIONS)
def test_without_versions_there_is_nothing_to_sweep(backend: Backend) -> None:
    store(backend.storage, KEY, b"1")
    store(backend.storage, KEY, b"2")
    backend.storage.delete(OTHER)

    swept = backend.storage.sweep_noncurrent(backend.clock() + HOUR)

    assert swept == 0
    assert read(backend.storage, KEY) == b"2"


# --- orphans ----------------------------------------------------------------------------------

CRASH = """
import os, sys
from datetime import timedelta
from pathlib import Path
from softfactory.storage.keys import Key
from softfactory.storage.local import LocalStorage
from softfactory.storage.signing import UrlSigner

def killed_half_way():
    yield b"x" * 3_000_000
    os._exit(9)

storage = LocalStorage(
    Path(sys.argv[1]), signer=UrlSigner("s" * 40, "http://files.test"), versioning=sys.argv[2] == "1"
)
storage.put(Key("alice/killed"), killed_half_way())
"""


def crash_while_writing(backend: Backend) -> None:
    """Kill a process of its own in the middle of a put."""
    assert isinstance(backend, LocalBackend)
    versioning = "1" if backend.versioning else "0"
    project = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", CRASH, str(backend.root), versioning],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 9, done.stderr.decode()


def test_where_nothing_crashed_there_are_no_orphans(backend: Backend) -> None:
    storage = backend.storage
    storage.put(KEY, [payload(100_000)])
    store(storage, KEY, b"new")
    storage.delete(KEY)
    upload_id, parts = begin(storage, OTHER, WHOLE_PART, b"tail")
    before = backend.inventory()

    swept = storage.sweep_orphans(datetime.now(UTC) + 24 * HOUR)

    assert swept == 0
    assert backend.inventory() == before
    storage.complete_multipart(OTHER, upload_id, parts)
    assert read(storage, OTHER) == WHOLE_PART + b"tail"


def test_declared_uploads_are_no_orphans(backend: Backend) -> None:
    storage = backend.storage
    size = len(WHOLE_PART) + 4
    upload_id = storage.create_multipart(OTHER, part_size=len(WHOLE_PART), size=size)
    part = send(storage, OTHER, upload_id, 1, WHOLE_PART)

    swept = storage.sweep_orphans(datetime.now(UTC) + 24 * HOUR)

    assert swept == 0
    tail = send(storage, OTHER, upload_id, 2, b"tail")
    storage.complete_multipart(OTHER, upload_id, [part, tail])
    assert read(storage, OTHER) == WHOLE_PART + b"tail"


@pytest.mark.needs(DISK)
def test_what_a_killed_process_leaves_is_swept(backend: Backend) -> None:
    store(backend.storage, KEY)
    before = backend.inventory()
    crash_while_writing(backend)
    left = backend.inventory() - before

    swept = backend.storage.sweep_orphans(datetime.now(UTC) + HOUR)

    assert swept == len(left)
    assert names(backend.storage) == [KEY]
    assert backend.inventory() == before


@pytest.mark.needs(DISK)
def test_what_was_written_a_moment_ago_is_not_swept(backend: Backend) -> None:
    """It may be a put that is still running."""
    crash_while_writing(backend)
    before = backend.inventory()

    swept = backend.storage.sweep_orphans(datetime.now(UTC) - HOUR)

    assert swept == 0
    assert backend.inventory() == before


@pytest.mark.needs(DISK)
def test_a_dry_run_counts_orphans_and_leaves_them(backend: Backend) -> None:
    crash_while_writing(backend)
    before = backend.inventory()
    later = datetime.now(UTC) + HOUR

    counted = backend.storage.sweep_orphans(later, dry_run=True)

    assert backend.inventory() == before
    assert counted == backend.storage.sweep_orphans(later)


# --- check ------------------------------------------------------------------------------------


@pytest.mark.needs(SIGNED_HEADERS)
def test_a_working_storage_has_nothing_to_say(storage: Storage) -> None:
    assert storage.check() == []


def test_checking_leaves_no_trace(backend: Backend) -> None:
    store(backend.storage, KEY)
    before = backend.inventory()

    backend.storage.check()
    backend.storage.check()

    assert names(backend.storage) == [KEY]
    assert backend.inventory() == before
