"""Contract: what storage gets wrong is a StorageError, and leaves everything as it was."""

import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from softfactory.errors import ObjectNotFound, StorageError
from softfactory.storage.base import Storage, StorageClass
from softfactory.storage.keys import Key
from softfactory.storage.local import LocalStorage
from softfactory.storage.s3 import S3Storage
from softfactory.storage.signing import UrlSigner
from tests.storage.backends import DISK, Backend, LocalBackend
from tests.storage.samples import MIB, begin, names, payload, pieces, read, store

KEY = Key("alice/report.pdf")
OTHER = Key("alice/other.pdf")
SECRET = "do-not-show-this"


@pytest.fixture(params=["local", "s3"])
def broken(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Storage]:
    """Open a storage that cannot work: a damaged disk, a server that is not there."""
    if request.param == "s3":
        monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between retries
        return lambda: S3Storage(
            bucket="bucket",
            endpoint_url="http://127.0.0.1:9",  # the discard port: nobody listens
            access_key_id="testing",
            secret_access_key=SECRET,
        )

    def damaged() -> Storage:
        return LocalStorage(tmp_path / SECRET, signer=UrlSigner("s" * 40, "http://files.test"))

    store(damaged(), KEY)
    for path in (tmp_path / SECRET).rglob("*"):
        if path.is_file():
            path.unlink()  # whoever still has it open keeps the old bytes to themselves
            if not path.name.endswith(("-wal", "-shm", "-journal")):
                path.write_bytes(b"damaged " * 1000)
    return damaged


VERBS: dict[str, Callable[[Storage], object]] = {
    "put": lambda s: store(s, KEY),
    "large put": lambda s: s.put(KEY, pieces(payload(17 * MIB), MIB)),
    "copy": lambda s: s.copy(KEY, OTHER),
    "rename": lambda s: s.rename(KEY, OTHER),
    "delete": lambda s: s.delete(KEY),
    "delete a version": lambda s: s.delete(KEY, version_id="1"),
    "purge": lambda s: s.purge(KEY),
    "head": lambda s: s.head(KEY),
    "open": lambda s: read(s, KEY),
    "list_objects": lambda s: s.list_objects(),
    "list_versions": lambda s: s.list_versions(KEY),
    "set_storage_class": lambda s: s.set_storage_class(KEY, StorageClass.GLACIER),
    "restore": lambda s: s.restore(KEY, days=1),
    "create_multipart": lambda s: s.create_multipart(KEY),
    "put_part": lambda s: s.put_part(KEY, "1", 1, [b"x"], size=1),
    "list_parts": lambda s: s.list_parts(KEY, "1"),
    "complete_multipart": lambda s: s.complete_multipart(KEY, "1", [(1, "x")]),
    "abort_multipart": lambda s: s.abort_multipart(KEY, "1"),
    "list_multiparts": lambda s: list(s.list_multiparts()),
    "sweep_noncurrent": lambda s: s.sweep_noncurrent(datetime.now(UTC)),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_storage_that_cannot_work_raises_a_storage_error(
    broken: Callable[[], Storage], verb: str
) -> None:
    with pytest.raises(StorageError) as raised:
        VERBS[verb](broken())

    assert SECRET not in raised.value.message
    assert "127.0.0.1" not in raised.value.message


def test_a_batch_that_cannot_be_deleted_is_reported_key_by_key_or_raises(
    broken: Callable[[], Storage],
) -> None:
    try:
        failed = [failure.key for failure in broken().delete_many([KEY, OTHER])]
    except StorageError:
        failed = [KEY, OTHER]

    assert failed == [KEY, OTHER]


def test_a_storage_that_cannot_work_says_so_when_checked(broken: Callable[[], Storage]) -> None:
    try:
        said = broken().check()
    except StorageError as error:  # it could not even be opened
        said = [error.message]

    assert said
    assert all(sentence.endswith(".") for sentence in said)
    assert not any(SECRET in sentence for sentence in said if "127.0.0.1" in sentence)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let this process write no file beyond ``size`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.needs(DISK)
def test_a_put_that_the_disk_does_not_take_leaves_everything_as_it_was(backend: Backend) -> None:
    storage = backend.storage
    store(storage, KEY, b"old")
    before = backend.inventory()

    with largest_file(MIB), pytest.raises(StorageError):
        storage.put(KEY, pieces(payload(3 * MIB), 100_000))

    assert read(storage, KEY) == b"old"
    assert backend.inventory() == before


@pytest.mark.needs(DISK)
def test_a_part_that_the_disk_does_not_take_leaves_everything_as_it_was(backend: Backend) -> None:
    storage = backend.storage
    upload_id, _ = begin(storage, KEY, b"part")
    before = backend.inventory()
    parts = storage.list_parts(KEY, upload_id)

    with largest_file(MIB), pytest.raises(StorageError):
        storage.put_part(KEY, upload_id, 1, pieces(payload(3 * MIB), 100_000), size=3 * MIB)

    assert storage.list_parts(KEY, upload_id) == parts
    assert backend.inventory() == before


@pytest.mark.needs(DISK)
def test_bytes_that_are_gone_from_the_disk_are_not_found(backend: Backend) -> None:
    assert isinstance(backend, LocalBackend)
    store(backend.storage, KEY)
    for directory in (d for d in backend.root.iterdir() if d.is_dir()):
        shutil.rmtree(directory)

    with pytest.raises(ObjectNotFound):
        read(backend.storage, KEY)

    assert names(backend.storage) == [KEY]
