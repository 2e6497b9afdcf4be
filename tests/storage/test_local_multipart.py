"""Local disk: parts in their slots, parts that come late, and what completing moves."""

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from softfactory.errors import InvalidInput, InvalidPart, StorageError, UploadNotFound
from softfactory.storage.base import MIN_PART_SIZE
from softfactory.storage.keys import Key
from softfactory.storage.local import LocalStorage
from softfactory.storage.local.failures import OutcomeUnknown
from softfactory.storage.signing import UrlSigner
from tests.storage.samples import Killed, broken_off, names, payload, read, send

KEY = Key("alice/backup.tar")
FIRST, SECOND, LAST = payload(MIN_PART_SIZE, 1), payload(MIN_PART_SIZE, 2), payload(1000, 3)
WHOLE = FIRST + SECOND + LAST


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[LocalStorage]:
    """An empty storage."""
    storage = LocalStorage(tmp_path, signer=UrlSigner("s" * 40, "http://files.test"))
    yield storage
    storage.close()


@pytest.fixture
def upload_id(storage: LocalStorage) -> str:
    """An upload of declared size, of which nothing has arrived."""
    return storage.create_multipart(KEY, part_size=MIN_PART_SIZE, size=len(WHOLE))


def send_all(storage: LocalStorage, upload_id: str) -> list[tuple[int, str]]:
    parts = {3: LAST, 1: FIRST, 2: SECOND}
    return [send(storage, KEY, upload_id, number, data) for number, data in parts.items()]


def waiting(data: bytes, arrived: threading.Event, may_go_on: threading.Event) -> Iterator[bytes]:
    """Yield the first half of ``data``, and the rest when the test says so."""
    yield data[: len(data) // 2]
    arrived.set()
    assert may_go_on.wait(20)
    yield data[len(data) // 2 :]


def no_copying(*args: object) -> int:
    raise AssertionError("bytes were moved")


def test_completing_moves_no_bytes(
    storage: LocalStorage, upload_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = send_all(storage, upload_id)
    slots = (tmp_path / "temp_uploads" / upload_id / "whole").stat().st_ino
    for call in ("copy_file_range", "pwrite", "write", "pread"):
        monkeypatch.setattr(os, call, no_copying)
    storage.complete_multipart(KEY, upload_id, parts)
    monkeypatch.undo()

    (file,) = [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    assert file.stat().st_ino == slots
    assert read(storage, KEY) == WHOLE


def test_an_upload_takes_no_room_before_its_parts_arrive(
    storage: LocalStorage, upload_id: str, tmp_path: Path
) -> None:
    slots = (tmp_path / "temp_uploads" / upload_id / "whole").stat()

    assert (slots.st_size, slots.st_blocks) == (len(WHOLE), 0)


@pytest.mark.parametrize("end", ["completed", "aborted"])
def test_the_directory_of_an_ended_upload_is_gone(
    storage: LocalStorage, upload_id: str, tmp_path: Path, end: str
) -> None:
    parts = send_all(storage, upload_id)
    if end == "completed":
        storage.complete_multipart(KEY, upload_id, parts)
    else:
        storage.abort_multipart(KEY, upload_id)

    assert list((tmp_path / "temp_uploads").iterdir()) == []


def test_a_part_sent_again_replaces_itself(storage: LocalStorage, upload_id: str) -> None:
    send(storage, KEY, upload_id, 2, FIRST)
    send(storage, KEY, upload_id, 2, LAST * 5242 + LAST[:880])
    parts = send_all(storage, upload_id)
    storage.complete_multipart(KEY, upload_id, parts)

    assert read(storage, KEY) == WHOLE


@pytest.mark.parametrize("error", [ConnectionResetError(), Killed()])
def test_a_repeat_cut_off_half_way_leaves_the_part_that_arrived(
    storage: LocalStorage, upload_id: str, error: BaseException
) -> None:
    parts = send_all(storage, upload_id)
    with pytest.raises(type(error)):
        storage.put_part(
            KEY, upload_id, 1, broken_off(SECOND[:3_000_000], error), size=MIN_PART_SIZE
        )
    storage.complete_multipart(KEY, upload_id, parts)

    assert read(storage, KEY) == WHOLE


def test_a_part_cut_off_half_way_leaves_its_slot_to_the_next(
    storage: LocalStorage, upload_id: str, tmp_path: Path
) -> None:
    with pytest.raises(ConnectionResetError):
        storage.put_part(
            KEY, upload_id, 1, broken_off(SECOND[:99], ConnectionResetError()), size=MIN_PART_SIZE
        )
    send_all(storage, upload_id)

    directory = tmp_path / "temp_uploads" / upload_id
    assert [path.name for path in directory.iterdir()] == ["whole"]


@pytest.mark.parametrize("size", [MIN_PART_SIZE - 1, MIN_PART_SIZE + 1])
def test_a_part_that_lies_about_its_size_leaves_its_neighbours_alone(
    storage: LocalStorage, upload_id: str, size: int
) -> None:
    parts = [send(storage, KEY, upload_id, 2, SECOND), send(storage, KEY, upload_id, 3, LAST)]
    with pytest.raises(InvalidInput):
        storage.put_part(KEY, upload_id, 1, [payload(size, 9)], size=MIN_PART_SIZE)
    parts.append(send(storage, KEY, upload_id, 1, FIRST))
    storage.complete_multipart(KEY, upload_id, parts)

    assert read(storage, KEY) == WHOLE


@pytest.mark.parametrize(("number", "size"), [(1, 1000), (3, MIN_PART_SIZE), (3, 999), (4, 1000)])
def test_a_part_that_fits_no_slot_is_refused_before_its_bytes_are_read(
    storage: LocalStorage, upload_id: str, number: int, size: int
) -> None:
    chunks = iter([payload(size)])

    with pytest.raises(InvalidInput):
        storage.put_part(KEY, upload_id, number, chunks, size=size)
    assert len(list(chunks)) == 1


def test_of_two_senders_of_one_part_the_one_that_ends_last_is_kept(
    storage: LocalStorage, upload_id: str
) -> None:
    arrived, may_go_on = threading.Event(), threading.Event()
    slow = threading.Thread(
        target=storage.put_part,
        args=(KEY, upload_id, 1, waiting(FIRST, arrived, may_go_on)),
        kwargs={"size": MIN_PART_SIZE},
    )
    slow.start()
    arrived.wait(20)
    send(storage, KEY, upload_id, 1, SECOND)
    may_go_on.set()
    slow.join()
    parts = [(part.part_number, part.etag) for part in storage.list_parts(KEY, upload_id)]
    parts += [send(storage, KEY, upload_id, 2, SECOND), send(storage, KEY, upload_id, 3, LAST)]
    storage.complete_multipart(KEY, upload_id, parts)

    assert read(storage, KEY) == WHOLE


def test_a_sender_that_still_writes_cannot_harm_the_completed_object(
    storage: LocalStorage, upload_id: str
) -> None:
    arrived, may_go_on = threading.Event(), threading.Event()
    refused: list[type[BaseException]] = []

    def send_slowly() -> None:
        try:
            chunks = waiting(SECOND, arrived, may_go_on)
            storage.put_part(KEY, upload_id, 1, chunks, size=MIN_PART_SIZE)
        except UploadNotFound as error:
            refused.append(type(error))

    slow = threading.Thread(target=send_slowly)
    slow.start()
    arrived.wait(20)
    storage.complete_multipart(KEY, upload_id, send_all(storage, upload_id))
    with storage.open(KEY) as stored:
        may_go_on.set()
        slow.join()

        assert b"".join(stored.chunks()) == WHOLE
    assert refused == [UploadNotFound]
    assert read(storage, KEY) == WHOLE


def test_a_sender_of_an_aborted_upload_is_told_so(
    storage: LocalStorage, upload_id: str, tmp_path: Path
) -> None:
    arrived, may_go_on = threading.Event(), threading.Event()
    refused: list[str] = []

    def send_slowly(number: int) -> None:
        chunks = waiting(SECOND, arrived, may_go_on)
        with pytest.raises(UploadNotFound):
            storage.put_part(KEY, upload_id, number, chunks, size=MIN_PART_SIZE)
        refused.append("refused")

    senders = [threading.Thread(target=send_slowly, args=(number,)) for number in (1, 1, 2)]
    for sender in senders:
        sender.start()
    arrived.wait(20)
    storage.abort_multipart(KEY, upload_id)
    may_go_on.set()
    for sender in senders:
        sender.join()

    assert refused == ["refused"] * 3
    assert list((tmp_path / "temp_uploads").iterdir()) == []


@pytest.mark.parametrize("code", [errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP])
def test_where_a_file_has_one_name_only_the_parts_are_joined(
    storage: LocalStorage, upload_id: str, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    really_link = os.link

    def refusing(source: str, target: str, **kwargs: Any) -> None:
        if str(source).endswith("whole"):
            raise OSError(code, "no")
        really_link(source, target, **kwargs)

    monkeypatch.setattr(os, "link", refusing)
    storage.complete_multipart(KEY, upload_id, send_all(storage, upload_id))

    assert read(storage, KEY) == WHOLE


@pytest.mark.parametrize("code", [errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP])
def test_where_the_kernel_does_not_copy_parts_are_joined_all_the_same(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*args: int) -> int:
        raise OSError(code, "no")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    upload_id = storage.create_multipart(KEY)
    storage.complete_multipart(KEY, upload_id, send_all(storage, upload_id))

    assert read(storage, KEY) == WHOLE


def test_some_parts_of_a_declared_upload_make_an_object_of_just_these(
    storage: LocalStorage, upload_id: str
) -> None:
    parts = send_all(storage, upload_id)
    info = storage.complete_multipart(KEY, upload_id, [part for part in parts if part[0] != 2])

    assert read(storage, KEY) == FIRST + LAST
    assert info.size == len(FIRST + LAST)


def test_one_part_alone_has_the_etag_of_a_put(storage: LocalStorage) -> None:
    upload_id = storage.create_multipart(KEY, part_size=MIN_PART_SIZE, size=len(LAST))
    info = storage.complete_multipart(KEY, upload_id, [send(storage, KEY, upload_id, 1, LAST)])

    assert info.etag == storage.put(Key("other"), [LAST]).etag


def test_an_upload_of_no_bytes_has_one_empty_part(storage: LocalStorage) -> None:
    upload_id = storage.create_multipart(KEY, part_size=MIN_PART_SIZE, size=0)
    storage.complete_multipart(KEY, upload_id, [send(storage, KEY, upload_id, 1, b"")])

    assert read(storage, KEY) == b""


@pytest.mark.parametrize(("part_size", "size"), [(0, 1), (-1, 1), (5, -1)])
def test_sizes_that_cannot_be_are_refused(storage: LocalStorage, part_size: int, size: int) -> None:
    with pytest.raises(InvalidInput):
        storage.create_multipart(KEY, part_size=part_size, size=size)


@pytest.mark.parametrize("error", [StorageError(), OutcomeUnknown()])
def test_a_completion_whose_commit_fails_can_be_repeated(
    storage: LocalStorage, upload_id: str, monkeypatch: pytest.MonkeyPatch, error: StorageError
) -> None:
    parts = send_all(storage, upload_id)

    def fail(work: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(storage._index, "write", fail)
        with pytest.raises(StorageError):
            storage.complete_multipart(KEY, upload_id, parts)
    before = names(storage)
    storage.complete_multipart(KEY, upload_id, parts)

    assert before == []
    assert read(storage, KEY) == WHOLE


def test_an_upload_that_cannot_be_recorded_leaves_no_directory(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(work: object) -> None:
        raise StorageError

    monkeypatch.setattr(storage._index, "write", fail)
    with pytest.raises(StorageError):
        storage.create_multipart(KEY)

    assert list((tmp_path / "temp_uploads").iterdir()) == []


def test_an_upload_whose_directory_was_removed_by_hand_can_be_aborted(
    storage: LocalStorage, upload_id: str, tmp_path: Path
) -> None:
    directory = tmp_path / "temp_uploads" / upload_id
    (directory / "whole").unlink()
    directory.rmdir()
    storage.abort_multipart(KEY, upload_id)

    assert list(storage.list_multiparts()) == []


@pytest.mark.parametrize("is_declared", [True, False])
@pytest.mark.parametrize("how", ["missing", "wrong size"])
def test_a_part_whose_bytes_are_lost_is_asked_for_again(
    storage: LocalStorage, tmp_path: Path, how: str, is_declared: bool
) -> None:
    part_size, size = (MIN_PART_SIZE, len(WHOLE)) if is_declared else (None, None)
    upload_id = storage.create_multipart(KEY, part_size=part_size, size=size)
    parts = send_all(storage, upload_id)
    # Parts that come a second time have a file of their own in each kind of upload.
    send(storage, KEY, upload_id, 3, LAST)
    (file,) = (tmp_path / "temp_uploads" / upload_id).glob("00003-*")
    if how == "missing":
        file.unlink()
    else:
        os.truncate(file, 10)

    assert [part.part_number for part in storage.list_parts(KEY, upload_id)] == [1, 2]
    with pytest.raises(InvalidPart, match="Part 3 has not arrived"):
        storage.complete_multipart(KEY, upload_id, parts)
    send(storage, KEY, upload_id, 3, LAST)
    storage.complete_multipart(KEY, upload_id, parts)
    assert read(storage, KEY) == WHOLE


def test_slots_that_were_cut_off_are_asked_for_again(
    storage: LocalStorage, upload_id: str, tmp_path: Path
) -> None:
    parts = send_all(storage, upload_id)
    os.truncate(tmp_path / "temp_uploads" / upload_id / "whole", MIN_PART_SIZE + 5)

    assert [part.part_number for part in storage.list_parts(KEY, upload_id)] == [1]
    with pytest.raises(InvalidPart, match="Part 3 has not arrived"):
        storage.complete_multipart(KEY, upload_id, parts)
    send(storage, KEY, upload_id, 2, SECOND)
    send(storage, KEY, upload_id, 3, LAST)
    storage.complete_multipart(KEY, upload_id, parts)
    assert read(storage, KEY) == WHOLE


def test_an_upload_whose_slots_are_gone_is_not_there(
    storage: LocalStorage, upload_id: str, tmp_path: Path
) -> None:
    parts = send_all(storage, upload_id)
    (tmp_path / "temp_uploads" / upload_id / "whole").unlink()

    with pytest.raises(UploadNotFound):
        storage.list_parts(KEY, upload_id)
    with pytest.raises(UploadNotFound):
        storage.complete_multipart(KEY, upload_id, parts)
    storage.abort_multipart(KEY, upload_id)
