"""Local disk: how bytes become files, and how files go away again."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from softfactory.errors import ObjectNotFound, StorageError, StorageFull
from softfactory.storage.base import StorageClass
from softfactory.storage.keys import Key
from softfactory.storage.local import LocalStorage, writing
from softfactory.storage.local.files import FileStore
from softfactory.storage.signing import UrlSigner
from tests.storage.samples import broken_off, names, payload, pieces, read, store

KEY = Key("alice/report.pdf")
OTHER = Key("alice/other.pdf")
BODY = payload(300_000)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory that is not there yet."""
    return tmp_path / "deep" / "media"


@pytest.fixture(params=["nameless", "named"])
def storage(
    request: pytest.FixtureRequest, root: Path, monkeypatch: pytest.MonkeyPatch
) -> LocalStorage:
    """A storage on a file system with, and on one without, nameless files."""
    if request.param == "named":
        monkeypatch.setattr(os, "open", without_tmpfile(os.open))
    return LocalStorage(root, signer=UrlSigner("s" * 40, "http://files.test"), versioning=False)


def without_tmpfile(really_open: Callable[..., int]) -> Callable[..., int]:
    def refusing(path: str, flags: int, *args: int, **kwargs: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "no such thing here")
        return really_open(path, flags, *args, **kwargs)

    return refusing


def files(root: Path) -> list[Path]:
    return [path for path in (root / "files").rglob("*") if path.is_file()]


def failing(name: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system call of that name fail."""

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(code, os.strerror(code), "/a/path/not/to/be/shown")

    monkeypatch.setattr(os, name, fail)


def test_bytes_lie_in_a_shard_named_by_the_beginning_of_the_file(
    storage: LocalStorage, root: Path
) -> None:
    store(storage, KEY, BODY)

    (file,) = files(root)
    assert file == root / "files" / file.name[:2] / file.name[2:4] / file.name
    assert file.read_bytes() == BODY


def test_no_key_decides_a_path(storage: LocalStorage, root: Path) -> None:
    for key in ("a", "A", "a/b", "index.sqlite3", "files/x", "con", "a" * 1024):
        store(storage, key, key.encode())

    assert names(storage) == sorted(
        ["a", "A", "a/b", "index.sqlite3", "files/x", "con", "a" * 1024]
    )
    assert all(len(file.name) == 32 for file in files(root))


def test_files_are_not_readable_for_all_users(storage: LocalStorage, root: Path) -> None:
    store(storage, KEY)

    assert stat.S_IMODE(files(root)[0].stat().st_mode) & 0o137 == 0


def test_nothing_has_a_final_name_while_it_is_written(storage: LocalStorage, root: Path) -> None:
    seen: list[str] = []

    def watched() -> object:
        yield BODY
        seen.extend(path.name for path in files(root) if len(path.name) == 32)
        yield BODY

    storage.put(KEY, watched())  # type: ignore[arg-type]

    assert seen == []
    assert len(files(root)) == 1


def test_a_body_that_breaks_off_leaves_no_file(storage: LocalStorage, root: Path) -> None:
    with pytest.raises(ConnectionResetError):
        storage.put(KEY, broken_off(BODY, ConnectionResetError()))

    assert files(root) == []


def test_a_worker_stopped_in_the_middle_of_a_body_leaves_no_file(
    storage: LocalStorage, root: Path
) -> None:
    with pytest.raises(SystemExit):
        storage.put(KEY, broken_off(BODY, SystemExit()))

    assert files(root) == []


def test_a_reused_buffer_is_stored_as_it_was_when_it_came(storage: LocalStorage) -> None:
    buffer = bytearray(10)

    def reusing() -> object:
        for value in range(5):
            buffer[:] = bytes([value]) * 10
            yield memoryview(buffer)

    storage.put(KEY, reusing())  # type: ignore[arg-type]

    assert read(storage, KEY) == b"".join(bytes([value]) * 10 for value in range(5))


@pytest.mark.parametrize("size", [1, 7, 65_535, 65_536, 65_537, 200_000])
def test_chunks_of_any_size_make_the_same_object(storage: LocalStorage, size: int) -> None:
    whole = store(storage, OTHER, BODY)

    info = storage.put(KEY, pieces(BODY[: 20 * size], size) if size < 10 else pieces(BODY, size))

    if size >= 10:
        assert info.etag == whole.etag
    assert read(storage, KEY) == (BODY[: 20 * size] if size < 10 else BODY)


def test_short_writes_are_continued(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    really_write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: really_write(fd, data[:1000], at))
    store(storage, KEY, BODY)

    assert read(storage, KEY) == BODY


@pytest.mark.parametrize("call", ["pwrite", "fdatasync", "fsync"])
@pytest.mark.parametrize(
    ("code", "error"),
    [(errno.ENOSPC, StorageFull), (errno.EDQUOT, StorageFull), (errno.EIO, StorageError)],
)
def test_a_disk_that_fails_leaves_all_as_it_was(
    storage: LocalStorage,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    code: int,
    error: type[StorageError],
) -> None:
    store(storage, KEY, b"before")

    with monkeypatch.context() as patched:
        failing(call, code, patched)
        with pytest.raises(StorageError) as raised:
            store(storage, KEY, BODY)

    assert type(raised.value) is error
    assert "/" not in raised.value.message
    assert read(storage, KEY) == b"before"
    assert len(files(root)) == 1


def test_a_file_goes_with_its_last_reference(storage: LocalStorage, root: Path) -> None:
    store(storage, KEY, BODY)
    storage.copy(KEY, OTHER)
    storage.delete(KEY)
    shared = len(files(root))
    storage.delete(OTHER)

    assert (shared, files(root)) == (1, [])


def test_a_copy_and_a_rename_move_no_bytes(storage: LocalStorage, root: Path) -> None:
    store(storage, KEY, BODY)
    before = files(root)
    storage.copy(KEY, OTHER)
    storage.rename(OTHER, Key("bob/third.pdf"))

    assert files(root) == before


def test_a_copy_onto_itself_keeps_its_bytes(storage: LocalStorage) -> None:
    store(storage, KEY, BODY)
    storage.copy(KEY, KEY)
    storage.rename(KEY, KEY)

    assert read(storage, KEY) == BODY


def test_a_file_that_was_replaced_since_the_index_was_read_is_looked_up_again(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(storage, KEY, b"old")
    really_open = FileStore.open

    def replaced_meanwhile(self: FileStore, name: str, size: int) -> object:
        monkeypatch.setattr(FileStore, "open", really_open)
        store(storage, KEY, b"new")
        return really_open(self, name, size)

    monkeypatch.setattr(FileStore, "open", replaced_meanwhile)

    assert read(storage, KEY) == b"new"


def test_an_object_deleted_since_the_index_was_read_is_not_found(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(storage, KEY)
    really_open = FileStore.open

    def deleted_meanwhile(self: FileStore, name: str, size: int) -> object:
        storage.delete(KEY)
        return really_open(self, name, size)

    monkeypatch.setattr(FileStore, "open", deleted_meanwhile)

    with pytest.raises(ObjectNotFound):
        storage.open(KEY)


@pytest.mark.parametrize(
    "verb",
    [
        lambda storage: storage.open(KEY),
        lambda storage: storage.head(KEY),
        lambda storage: storage.copy(KEY, Key("copy")),
        lambda storage: storage.rename(KEY, Key("renamed")),
        lambda storage: storage.set_storage_class(KEY, StorageClass.GLACIER),
    ],
    ids=["open", "head", "copy", "rename", "set_storage_class"],
)
def test_a_file_that_is_lost_is_not_found(
    storage: LocalStorage, root: Path, verb: Callable[[LocalStorage], object]
) -> None:
    store(storage, KEY)
    files(root)[0].unlink()

    with pytest.raises(ObjectNotFound):
        verb(storage)
    assert [found.key for found in storage.list_objects().objects] == [KEY]
    assert [*storage.lost_objects()] == [KEY]


def test_a_file_that_ends_too_early_is_never_taken_for_whole(
    storage: LocalStorage, root: Path
) -> None:
    store(storage, KEY, BODY)
    os.truncate(files(root)[0], 100_000)

    with pytest.raises(ObjectNotFound):
        storage.open(KEY)


def test_a_file_cut_off_while_it_is_read_is_never_taken_for_whole(
    storage: LocalStorage, root: Path
) -> None:
    store(storage, KEY, BODY)
    with storage.open(KEY) as stored:
        os.truncate(files(root)[0], 100_000)

        with pytest.raises(StorageError):
            list(stored.chunks())


def test_the_open_file_is_the_objects_own(storage: LocalStorage) -> None:
    store(storage, KEY, BODY)
    with storage.open(KEY) as stored:
        file = stored.file()
        assert file is not None
        assert os.fstat(file.fileno()).st_size == len(BODY)
    assert file.closed


def test_a_name_that_cannot_be_made_durable_is_withdrawn(
    storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(storage, OTHER)  # makes the shard, so that the next fsync is that of the new name

    with monkeypatch.context() as patched:
        failing("fsync", errno.EIO, patched)
        with pytest.raises(StorageError):
            store(storage, KEY)

    assert names(storage) == [OTHER]
    assert len(files(root)) == 1


def test_without_proc_files_are_named_while_they_are_written(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_DESCRIPTORS", root / "no" / "proc")
    storage = LocalStorage(root, signer=UrlSigner("s" * 40, "http://files.test"))
    store(storage, KEY, BODY)

    assert read(storage, KEY) == BODY


def test_a_large_file_is_given_to_the_disk_while_it_comes(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    mib = 1024 * 1024
    begun: list[tuple[int, int]] = []
    seen_by_chunk: list[int] = []

    def fadvise(_fd: int, start: int, length: int, _advice: int) -> None:
        begun.append((start, length))

    def chunks() -> Iterator[bytes]:
        for _ in range(10):
            seen_by_chunk.append(len(begun))
            yield bytes(mib)

    monkeypatch.setattr(os, "posix_fadvise", fadvise)
    storage.put(KEY, chunks())

    assert begun == [(0, 4 * mib), (4 * mib, 4 * mib)]
    assert seen_by_chunk == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
