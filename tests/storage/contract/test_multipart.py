"""Contract: an upload in parts shows nothing until it is completed, and then one whole object."""

import threading
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

import pytest

from softfactory.errors import InvalidInput, InvalidPart, ObjectNotFound, UploadNotFound
from softfactory.storage.base import MIN_PART_SIZE, Storage
from softfactory.storage.keys import Key
from tests.storage.backends import DECLARED, PAGES, STREAMING, SUBSETS, VERSIONS, Backend
from tests.storage.samples import (
    MIB,
    SPECIAL_KEYS,
    WHOLE_PART,
    Cut,
    Killed,
    begin,
    broken_off,
    names,
    payload,
    pieces,
    read,
    send,
    store,
)

KEY = Key("alice/backup.tar")
OTHER = Key("alice/other.tar")
SECOND_PART = payload(MIN_PART_SIZE, seed=2)
TAIL = payload(1000, seed=3)

NO_UPLOADS = ["nope", "../../files", "..", "a/b", "é", "0" * 32, "%2e%2e"]


# --- completing -------------------------------------------------------------------------------


def test_the_parts_make_one_object_in_the_order_of_their_numbers(storage: Storage) -> None:
    upload_id, parts = begin(storage, KEY, WHOLE_PART, SECOND_PART, TAIL)

    info = storage.complete_multipart(KEY, upload_id, parts)

    assert (info.key, info.size) == (KEY, 2 * MIN_PART_SIZE + len(TAIL))
    assert read(storage, KEY) == WHOLE_PART + SECOND_PART + TAIL


def test_completing_returns_what_head_tells(storage: Storage) -> None:
    upload_id, parts = begin(storage, KEY, WHOLE_PART, TAIL)

    info = storage.complete_multipart(KEY, upload_id, parts)

    head = storage.head(KEY)
    assert info.etag
    assert (info.size, info.etag, info.version_id) == (head.size, head.etag, head.version_id)
    assert storage.list_objects().objects[0].etag == head.etag


def test_the_object_has_the_type_and_metadata_of_the_upload(storage: Storage) -> None:
    upload_id = storage.create_multipart(
        KEY, content_type="application/x-tar", metadata={"owner": "alice"}
    )
    part = send(storage, KEY, upload_id, 1, TAIL)

    info = storage.complete_multipart(KEY, upload_id, [part])

    head = storage.head(KEY)
    assert (info.content_type, info.metadata) == ("application/x-tar", {"owner": "alice"})
    assert (head.content_type, head.metadata) == ("application/x-tar", {"owner": "alice"})


def test_the_type_defaults_to_octet_stream(storage: Storage) -> None:
    upload_id, parts = begin(storage, KEY, TAIL)

    storage.complete_multipart(KEY, upload_id, parts)

    assert storage.head(KEY).content_type == "application/octet-stream"


def test_parts_may_arrive_in_any_order(storage: Storage) -> None:
    upload_id = storage.create_multipart(KEY)
    contents = {1: WHOLE_PART, 2: SECOND_PART, 3: TAIL}
    sent = [send(storage, KEY, upload_id, number, contents[number]) for number in (3, 1, 2)]

    storage.complete_multipart(KEY, upload_id, sorted(sent))

    assert read(storage, KEY) == WHOLE_PART + SECOND_PART + TAIL


def test_parts_may_be_named_in_any_order(storage: Storage) -> None:
    upload_id, parts = begin(storage, KEY, WHOLE_PART, SECOND_PART, TAIL)

    storage.complete_multipart(KEY, upload_id, parts[::-1])

    assert read(storage, KEY) == WHOLE_PART + SECOND_PART + TAIL


def test_part_numbers_may_leave_gaps(storage: Storage) -> None:
    upload_id = storage.create_multipart(KEY)
    contents = {2: WHOLE_PART, 7: SECOND_PART, 10_000: TAIL}
    parts = [send(storage, KEY, upload_id, number, data) for number, data in contents.items()]

    storage.complete_multipart(KEY, upload_id, parts)

    assert read(storage, KEY) == WHOLE_PART + SECOND_PART + TAIL


@pytest.mark.needs(SUBSETS)
def test_parts_that_are_not_named_are_left_out(storage: Storage) -> None:
    upload_id, parts = begin(storage, KEY, WHOLE_PART, SECOND_PART, TAIL)

    storage.complete_multipart(KEY, upload_id, [parts[0], parts[2]])

    assert read(storage, KEY) == WHOLE_PART + TAIL


def test_parts_may_differ_in_size(storage: Storage) -> None:
    first, second = payload(MIN_PART_SIZE + 1), payload(6 * MIB + 3)
    upload_id, parts = begin(storage, KEY, first, second, TAIL)

    storage.complete_multipart(KEY, upload_id, parts)

    assert read(storage, KEY) == first + second + TAIL


@pytest.mark.parametrize("size", [1, 17])
def test_the_only_part_may_be_small(storage: Storage, size: int) -> None:
    upload_id, parts = begin(storage, KEY, payload(size))

    storage.complete_multipart(KEY, upload_id, parts)

    assert read(storage, KEY) == payload(size)


def test_completing_replaces_the_object_that_is_there(storage: Storage) -> None:
    storage.put(KEY, [b"old"], content_type="text/plain", metadata={"old": "1"})
    upload_id, parts = begin(storage, KEY, TAIL)

    storage.complete_multipart(KEY, upload_id, parts)

    assert read(storage, KEY) == TAIL
    assert storage.head(KEY).metadata == {}
    assert names(storage) == [KEY]


@pytest.mark.needs(VERSIONS)
def test_a_completed_upload_is_a_version_of_its_key(storage: Storage) -> None:
    old = store(storage, KEY, b"old")
    upload_id, parts = begin(storage, KEY, WHOLE_PART, TAIL)

    info = storage.complete_multipart(KEY, upload_id, parts)

    ids = [version.version_id for version in storage.list_versions(KEY)]
    assert ids == [info.version_id, old.version_id]
    assert read(storage, KEY, version_id=old.version_id) == b"old"


def test_ranges_cross_the_borders_of_parts(storage: Storage) -> None:
    upload_id, parts = begin(storage, KEY, WHOLE_PART, SECOND_PART, TAIL)
    storage.complete_multipart(KEY, upload_id, parts)

    with storage.open(KEY) as stored:
        found = b"".join(stored.chunks(MIN_PART_SIZE - 2, 2 * MIN_PART_SIZE + 2))

    assert found == WHOLE_PART[-2:] + SECOND_PART + TAIL[:2]


def test_different_bytes_in_parts_have_different_etags(storage: Storage) -> None:
    etags = set()
    for contents in [(WHOLE_PART, TAIL), (SECOND_PART, TAIL), (SECOND_PART, TAIL[::-1]), (TAIL,)]:
        upload_id, parts = begin(storage, KEY, *contents)
        etags.add(storage.complete_multipart(KEY, upload_id, parts).etag)

    assert len(etags) == 4


def test_a_completed_upload_leaves_only_its_object(backend: Backend) -> None:
    storage = backend.storage
    before = backend.inventory()
    upload_id, parts = begin(storage, KEY, WHOLE_PART, SECOND_PART, TAIL)
    storage.complete_multipart(KEY, upload_id, parts)

    left = backend.inventory() - before
    storage.purge(KEY)

    assert len(left) == 1
    assert backend.inventory() == before


def test_an_upload_takes_keys_of_every_kind(storage: Storage) -> None:
    keys = [key for key in SPECIAL_KEYS if len(key.encode()) <= 900]  # RGW's own limit
    for key in keys:
        upload_id = storage.create_multipart(key)
        data = key.encode()
        part = storage.put_part(key, upload_id, 1, [data], size=len(data))
        storage.complete_multipart(key, upload_id, [(1, part.etag)])

    found = {key: read(storage, key) for key in keys}

    assert found == {key: key.encode() for key in keys}


# --- before completing ------------------------------------------------------------------------


def test_nothing_shows_until_an_upload_is_completed(storage: Storage) -> None:
    begin(storage, KEY, WHOLE_PART, TAIL)

    assert names(storage) == []
    assert storage.list_versions(KEY) == []
    with pytest.raises(ObjectNotFound):
        storage.head(KEY)


def test_the_old_object_stays_until_an_upload_is_completed(storage: Storage) -> None:
    old = store(storage, KEY, b"old")

    begin(storage, KEY, WHOLE_PART, TAIL)

    assert read(storage, KEY) == b"old"
    assert storage.head(KEY).etag == old.etag


def test_deleting_the_object_does_not_end_its_upload(storage: Storage) -> None:
    store(storage, KEY, b"old")
    upload_id, parts = begin(storage, KEY, TAIL)
    storage.delete(KEY)

    storage.complete_multipart(KEY, upload_id, parts)

    assert read(storage, KEY) == TAIL


def test_two_uploads_of_one_key_do_not_mix(storage: Storage) -> None:
    one, one_parts = begin(storage, KEY, WHOLE_PART, TAIL)
    two, two_parts = begin(storage, KEY, SECOND_PART)

    storage.complete_multipart(KEY, one, one_parts)
    first = read(storage, KEY)
    storage.complete_multipart(KEY, two, two_parts)

    assert one != two
    assert first == WHOLE_PART + TAIL
    assert read(storage, KEY) == SECOND_PART


# --- parts ------------------------------------------------------------------------------------


def test_a_part_tells_its_number_size_and_etag(storage: Storage) -> None:
    upload_id = storage.create_multipart(KEY)

    part = storage.put_part(KEY, upload_id, 4, pieces(TAIL, 7, 0, 100), size=len(TAIL))

    assert (part.part_number, part.size) == (4, len(TAIL))
    assert part.etag
    assert '"' not in part.etag


def test_arrived_parts_are_listed_by_number(storage: Storage) -> None:
    upload_id = storage.create_multipart(KEY)
    sent = [
        storage.put_part(KEY, upload_id, number, [TAIL[:size]], size=size)
        for number, size in ((10_000, 7), (2, 1000), (11, 1))
    ]

    parts = storage.list_parts(KEY, upload_id)

    assert parts == sorted(sent, key=lambda part: part.part_number)


def test_no_parts_are_listed_before_one_arrived(storage: Storage) -> None:
    upload_id = storage.create_multipart(KEY)

    assert storage.list_parts(KEY, upload_id) == []


@pytest.mark.needs(PAGES)
def test_more_than_a_thousand_parts_are_listed(storage: Storage) -> None:
    """S3 lists 1000 parts a page."""
    upload_id = storage.create_multipart(KEY)
    for number in range(1, 1004):
        storage.put_part(KEY, upload_id, number, [b"x"], size=1)

    parts = storage.list_parts(KEY, upload_id)

    assert [part.part_number for part in parts] == list(range(1, 1004))


def test_a_part_sent_twice_replaces_itself(storage: Storage) -> None:
    upload_id, parts = begin(storage, KEY, SECOND_PART, TAIL)
    again = send(storage, KEY, upload_id, 1, WHOLE_PART)

    listed = storage.list_parts(KEY, upload_id)
    storage.complete_multipart(KEY, upload_id, [again, parts[1]])

    assert [(part.part_number, part.etag) for part in listed] == [again, parts[1]]
    assert read(storage, KEY) == WHOLE_PART + TAIL


def test_a_part_sent_twice_may_change_its_size(storage: Storage) -> None:
    upload_id, _ = begin(storage, KEY, WHOLE_PART)
    again = send(storage, KEY, upload_id, 1, TAIL)

    storage.complete_multipart(KEY, upload_id, [again])

    assert read(storage, KEY) == TAIL


def test_a_part_may_be_larger_than_what_memory_should_hold_at_once(storage: Storage) -> None:
    data = payload(20 * MIB + 1)
    upload_id = storage.create_multipart(KEY)
    part = storage.put_part(KEY, upload_id, 1, pieces(data, MIB), size=len(data))

    storage.complete_multipart(KEY, upload_id, [(1, part.etag)])

    assert read(storage, KEY) == data


@pytest.mark.needs(STREAMING)
def test_memory_does_not_grow_with_the_part(storage: Storage) -> None:
    block = payload(MIB)
    upload_id = storage.create_multipart(KEY)

    tracemalloc.start()
    part = storage.put_part(KEY, upload_id, 1, (block for _ in range(96)), size=96 * MIB)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert part.size == 96 * MIB
    assert peak < 48 * MIB


@pytest.mark.parametrize("number", [0, -1, 10_001])
def test_part_numbers_run_from_1_to_10000(storage: Storage, number: int) -> None:
    upload_id = storage.create_multipart(KEY)

    with pytest.raises(InvalidInput):
        send(storage, KEY, upload_id, number, TAIL)

    assert storage.list_parts(KEY, upload_id) == []


CUT_OFF: list[tuple[type[BaseException], Callable[[], Iterable[bytes]]]] = [
    (Cut, lambda: broken_off(b"", Cut())),
    (Cut, lambda: broken_off(SECOND_PART[:-1], Cut())),
    (Cut, lambda: broken_off(SECOND_PART, Cut())),
    (Killed, lambda: broken_off(SECOND_PART[:-1], Killed())),
    (InvalidInput, list),
    (InvalidInput, lambda: pieces(SECOND_PART[:-1], 100_000)),
    (InvalidInput, lambda: [SECOND_PART, b"x"]),
    (InvalidInput, lambda: [SECOND_PART + b"x"]),
]
CUT_OFF_IDS = ["at once", "near the end", "at the end", "killed", "none", "few", "many", "more"]


@pytest.mark.parametrize(("error", "chunks"), CUT_OFF, ids=CUT_OFF_IDS)
def test_a_part_cut_off_leaves_nothing(
    backend: Backend, error: type[BaseException], chunks: Callable[[], Iterable[bytes]]
) -> None:
    storage = backend.storage
    upload_id = storage.create_multipart(KEY)
    before = backend.inventory()

    with pytest.raises(error):
        storage.put_part(KEY, upload_id, 1, chunks(), size=MIN_PART_SIZE)

    assert storage.list_parts(KEY, upload_id) == []
    assert backend.inventory() == before


@pytest.mark.parametrize(("error", "chunks"), CUT_OFF, ids=CUT_OFF_IDS)
@pytest.mark.parametrize("declared", [False, True])
def test_a_part_cut_off_leaves_the_one_that_was_there(
    storage: Storage,
    error: type[BaseException],
    chunks: Callable[[], Iterable[bytes]],
    declared: bool,
) -> None:
    upload_id = storage.create_multipart(
        KEY,
        part_size=MIN_PART_SIZE if declared else None,
        size=MIN_PART_SIZE + 1000 if declared else None,
    )
    parts = [send(storage, KEY, upload_id, 1, WHOLE_PART), send(storage, KEY, upload_id, 2, TAIL)]

    with pytest.raises(error):
        storage.put_part(KEY, upload_id, 1, chunks(), size=MIN_PART_SIZE)
    listed = storage.list_parts(KEY, upload_id)
    storage.complete_multipart(KEY, upload_id, parts)

    assert [(part.part_number, part.etag) for part in listed] == parts
    assert read(storage, KEY) == WHOLE_PART + TAIL


def test_a_part_cut_off_can_be_sent_again(storage: Storage) -> None:
    upload_id = storage.create_multipart(KEY)
    with pytest.raises(Cut):
        storage.put_part(KEY, upload_id, 1, broken_off(TAIL[:10], Cut()), size=len(TAIL))

    part = send(storage, KEY, upload_id, 1, TAIL)
    storage.complete_multipart(KEY, upload_id, [part])

    assert read(storage, KEY) == TAIL


def test_parts_may_be_sent_at_the_same_time(storage: Storage) -> None:
    contents = {number: payload(MIN_PART_SIZE, number) for number in range(1, 5)}
    upload_id = storage.create_multipart(KEY)
    sent: list[tuple[int, str]] = []

    threads = [
        threading.Thread(target=_send_into, args=(sent, storage, upload_id, n, data))
        for n, data in contents.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    storage.complete_multipart(KEY, upload_id, sorted(sent))

    assert read(storage, KEY) == b"".join(contents.values())


def test_the_last_of_one_part_sent_many_times_is_whole(storage: Storage) -> None:
    contents = [payload(MIN_PART_SIZE, seed) for seed in range(4)]
    upload_id = storage.create_multipart(KEY)
    sent: list[tuple[int, str]] = []

    threads = [
        threading.Thread(target=_send_into, args=(sent, storage, upload_id, 1, data))
        for data in contents
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [part] = storage.list_parts(KEY, upload_id)
    storage.complete_multipart(KEY, upload_id, [(1, part.etag)])

    assert len(sent) == 4
    assert read(storage, KEY) in contents


# --- declared sizes ---------------------------------------------------------------------------


def declared(storage: Storage, *, size: int) -> str:
    """Begin an upload that says beforehand how large it and its parts will be."""
    return storage.create_multipart(KEY, part_size=MIN_PART_SIZE, size=size)


def test_declared_parts_arrive_in_any_order(storage: Storage) -> None:
    upload_id = declared(storage, size=2 * MIN_PART_SIZE + len(TAIL))
    contents = {2: SECOND_PART, 3: TAIL, 1: WHOLE_PART}
    parts = [send(storage, KEY, upload_id, number, data) for number, data in contents.items()]

    info = storage.complete_multipart(KEY, upload_id, sorted(parts))

    assert info.size == 2 * MIN_PART_SIZE + len(TAIL)
    assert read(storage, KEY) == WHOLE_PART + SECOND_PART + TAIL


def test_declared_sizes_may_come_out_even(storage: Storage) -> None:
    upload_id = declared(storage, size=2 * MIN_PART_SIZE)
    parts = [
        send(storage, KEY, upload_id, n, d) for n, d in enumerate((WHOLE_PART, SECOND_PART), 1)
    ]

    storage.complete_multipart(KEY, upload_id, parts)

    assert read(storage, KEY) == WHOLE_PART + SECOND_PART


@pytest.mark.parametrize("size", [1, 1000])
def test_a_declared_part_size_may_exceed_the_size(storage: Storage, size: int) -> None:
    upload_id = declared(storage, size=size)
    part = send(storage, KEY, upload_id, 1, TAIL[:size])

    storage.complete_multipart(KEY, upload_id, [part])

    assert read(storage, KEY) == TAIL[:size]


def test_a_declared_part_sent_twice_replaces_itself(storage: Storage) -> None:
    upload_id = declared(storage, size=MIN_PART_SIZE + len(TAIL))
    old = send(storage, KEY, upload_id, 1, SECOND_PART)
    tail = send(storage, KEY, upload_id, 2, TAIL)

    new = send(storage, KEY, upload_id, 1, WHOLE_PART)
    with pytest.raises(InvalidPart):
        storage.complete_multipart(KEY, upload_id, [old, tail])
    storage.complete_multipart(KEY, upload_id, [new, tail])

    assert read(storage, KEY) == WHOLE_PART + TAIL


@pytest.mark.parametrize(
    ("part_size", "size"), [(MIN_PART_SIZE, None), (None, MIN_PART_SIZE + 1000)]
)
def test_one_declared_size_alone_is_fine(
    storage: Storage, part_size: int | None, size: int | None
) -> None:
    upload_id = storage.create_multipart(KEY, part_size=part_size, size=size)
    parts = [send(storage, KEY, upload_id, 1, WHOLE_PART), send(storage, KEY, upload_id, 2, TAIL)]

    storage.complete_multipart(KEY, upload_id, parts)

    assert read(storage, KEY) == WHOLE_PART + TAIL


@pytest.mark.needs(DECLARED)
@pytest.mark.parametrize(
    ("number", "size"),
    [
        pytest.param(1, MIN_PART_SIZE + 1, id="whole part too large"),
        pytest.param(1, MIN_PART_SIZE - 1, id="whole part too small"),
        pytest.param(2, 999, id="last part too small"),
        pytest.param(2, 1001, id="last part too large"),
        pytest.param(3, 1000, id="one part more"),
    ],
)
def test_a_part_other_than_declared_is_refused(storage: Storage, number: int, size: int) -> None:
    upload_id = declared(storage, size=MIN_PART_SIZE + 1000)

    with pytest.raises(InvalidInput):
        send(storage, KEY, upload_id, number, payload(size))

    assert storage.list_parts(KEY, upload_id) == []


# --- parts that do not make an object ---------------------------------------------------------


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda parts: [], id="none"),
        pytest.param(lambda parts: [*parts, (4, parts[0][1])], id="one that did not arrive"),
        pytest.param(lambda parts: [(1, parts[1][1]), *parts[1:]], id="another part's etag"),
        pytest.param(lambda parts: [(1, "nope"), *parts[1:]], id="an etag that never was"),
        pytest.param(lambda parts: [*parts[:2], (3, "")], id="an empty etag"),
        pytest.param(lambda parts: [(1, 'é"<&>'), *parts[1:]], id="an etag that is no etag"),
        pytest.param(lambda parts: [parts[0], *parts], id="one twice"),
        pytest.param(lambda parts: [parts[0], (1, "nope"), *parts[1:]], id="one with two etags"),
        pytest.param(lambda parts: [*parts, (0, parts[0][1])], id="number 0"),
        pytest.param(lambda parts: [*parts, (10_001, parts[0][1])], id="number 10001"),
    ],
)
def test_parts_that_do_not_match_leave_the_upload_open(
    storage: Storage, spoil: Callable[[list[tuple[int, str]]], list[tuple[int, str]]]
) -> None:
    upload_id, parts = begin(storage, KEY, WHOLE_PART, SECOND_PART, TAIL)

    with pytest.raises(InvalidPart):
        storage.complete_multipart(KEY, upload_id, spoil(parts))

    assert names(storage) == []
    assert [(part.part_number, part.etag) for part in storage.list_parts(KEY, upload_id)] == parts
    storage.complete_multipart(KEY, upload_id, parts)
    assert read(storage, KEY) == WHOLE_PART + SECOND_PART + TAIL


@pytest.mark.parametrize("size", [1, MIN_PART_SIZE - 1])
def test_a_part_under_5_mib_that_is_not_the_last_leaves_the_upload_open(
    storage: Storage, size: int
) -> None:
    upload_id, parts = begin(storage, KEY, WHOLE_PART, payload(size), TAIL)

    with pytest.raises(InvalidPart):
        storage.complete_multipart(KEY, upload_id, parts)

    assert names(storage) == []
    parts[1] = send(storage, KEY, upload_id, 2, SECOND_PART)
    storage.complete_multipart(KEY, upload_id, parts)
    assert read(storage, KEY) == WHOLE_PART + SECOND_PART + TAIL


def test_the_etag_of_a_part_that_was_replaced_does_not_match(storage: Storage) -> None:
    upload_id, parts = begin(storage, KEY, SECOND_PART, TAIL)
    send(storage, KEY, upload_id, 1, WHOLE_PART)

    with pytest.raises(InvalidPart):
        storage.complete_multipart(KEY, upload_id, parts)

    assert names(storage) == []


def test_a_refused_completion_leaves_the_old_object(storage: Storage) -> None:
    store(storage, KEY, b"old")
    upload_id, parts = begin(storage, KEY, TAIL, WHOLE_PART)

    with pytest.raises(InvalidPart):
        storage.complete_multipart(KEY, upload_id, parts)

    assert read(storage, KEY) == b"old"


# --- uploads that are not there ---------------------------------------------------------------


def reaches(parts: list[tuple[int, str]]) -> list[Callable[[Storage, Key, str], object]]:
    """Return every verb that needs an open upload."""
    return [
        lambda storage, key, upload_id: send(storage, key, upload_id, 1, TAIL),
        lambda storage, key, upload_id: storage.list_parts(key, upload_id),
        lambda storage, key, upload_id: storage.complete_multipart(key, upload_id, parts),
    ]


@pytest.mark.parametrize("upload_id", NO_UPLOADS)
def test_an_upload_that_never_was_is_not_found(storage: Storage, upload_id: str) -> None:
    for reach in reaches([(1, "0" * 32)]):
        with pytest.raises(UploadNotFound):
            reach(storage, KEY, upload_id)


def test_an_upload_of_another_key_is_not_found(storage: Storage) -> None:
    upload_id, parts = begin(storage, KEY, TAIL)

    for reach in reaches(parts):
        with pytest.raises(UploadNotFound):
            reach(storage, OTHER, upload_id)

    assert names(storage) == []
    storage.complete_multipart(KEY, upload_id, parts)
    assert read(storage, KEY) == TAIL


def test_an_aborted_upload_is_not_found(storage: Storage) -> None:
    upload_id, parts = begin(storage, KEY, TAIL)
    storage.abort_multipart(KEY, upload_id)

    for reach in reaches(parts):
        with pytest.raises(UploadNotFound):
            reach(storage, KEY, upload_id)

    assert names(storage) == []


def test_a_completed_upload_is_not_found(storage: Storage) -> None:
    upload_id, parts = begin(storage, KEY, WHOLE_PART, TAIL)
    storage.complete_multipart(KEY, upload_id, parts)

    for reach in reaches(parts):
        with pytest.raises(UploadNotFound):
            reach(storage, KEY, upload_id)

    assert read(storage, KEY) == WHOLE_PART + TAIL


# --- aborting ---------------------------------------------------------------------------------


def test_an_aborted_upload_leaves_nothing(backend: Backend) -> None:
    before = backend.inventory()
    upload_id, _ = begin(backend.storage, KEY, WHOLE_PART, TAIL)

    backend.storage.abort_multipart(KEY, upload_id)

    assert list(backend.storage.list_multiparts()) == []
    assert backend.inventory() == before


def test_an_aborted_declared_upload_leaves_nothing(backend: Backend) -> None:
    before = backend.inventory()
    upload_id = declared(backend.storage, size=MIN_PART_SIZE + 5)
    send(backend.storage, KEY, upload_id, 1, WHOLE_PART)

    backend.storage.abort_multipart(KEY, upload_id)

    assert backend.inventory() == before


def test_aborting_leaves_the_object_of_that_key(storage: Storage) -> None:
    store(storage, KEY, b"old")
    upload_id, _ = begin(storage, KEY, TAIL)

    storage.abort_multipart(KEY, upload_id)

    assert read(storage, KEY) == b"old"


@pytest.mark.parametrize("upload_id", NO_UPLOADS)
def test_aborting_an_upload_that_never_was_is_no_error(backend: Backend, upload_id: str) -> None:
    store(backend.storage, KEY)
    begin(backend.storage, OTHER, TAIL)
    before = backend.inventory()

    backend.storage.abort_multipart(KEY, upload_id)

    assert backend.inventory() == before
    assert read(backend.storage, KEY) == b"content"


def test_aborting_twice_is_no_error(storage: Storage) -> None:
    upload_id, _ = begin(storage, KEY, TAIL)
    storage.abort_multipart(KEY, upload_id)

    storage.abort_multipart(KEY, upload_id)

    assert list(storage.list_multiparts()) == []


def test_aborting_a_completed_upload_leaves_its_object(storage: Storage) -> None:
    upload_id, parts = begin(storage, KEY, WHOLE_PART, TAIL)
    storage.complete_multipart(KEY, upload_id, parts)

    storage.abort_multipart(KEY, upload_id)

    assert read(storage, KEY) == WHOLE_PART + TAIL


def test_aborting_under_another_key_leaves_the_upload_open(storage: Storage) -> None:
    upload_id, parts = begin(storage, KEY, TAIL)

    storage.abort_multipart(OTHER, upload_id)

    storage.complete_multipart(KEY, upload_id, parts)
    assert read(storage, KEY) == TAIL


# --- listing uploads --------------------------------------------------------------------------


def test_open_uploads_are_listed(storage: Storage) -> None:
    opened = {(key, storage.create_multipart(Key(key))) for key in ("a", "a/b", "a/b", "b")}

    listed = list(storage.list_multiparts())

    assert len(listed) == 4
    assert {(upload.key, upload.upload_id) for upload in listed} == opened


def test_open_uploads_are_listed_below_a_prefix(storage: Storage) -> None:
    for key in ("a", "a/b", "a_b", "ab", "b/a/"):
        storage.create_multipart(Key(key.rstrip("/")))

    listed = storage.list_multiparts("a/")

    assert [upload.key for upload in listed] == ["a/b"]


def test_uploads_that_ended_are_not_listed(storage: Storage) -> None:
    completed, parts = begin(storage, KEY, TAIL)
    aborted, _ = begin(storage, OTHER, TAIL)
    storage.complete_multipart(KEY, completed, parts)
    storage.abort_multipart(OTHER, aborted)

    assert list(storage.list_multiparts()) == []


def test_an_upload_tells_when_it_was_last_active(backend: Backend) -> None:
    begin(backend.storage, KEY, TAIL)

    [upload] = backend.storage.list_multiparts()

    assert upload.last_activity.utcoffset() == timedelta(0)
    assert abs(upload.last_activity - backend.clock()) < timedelta(minutes=1)


@pytest.mark.needs(PAGES)
def test_more_than_a_thousand_uploads_are_listed(storage: Storage) -> None:
    """S3 lists 1000 uploads a page."""
    opened = {storage.create_multipart(Key(f"n/{number % 600:04}")) for number in range(1003)}

    listed = [upload.upload_id for upload in storage.list_multiparts("n/")]

    assert len(listed) == 1003
    assert set(listed) == opened


# --- two at once ------------------------------------------------------------------------------


def test_two_completions_at_once_make_one_object(backend: Backend) -> None:
    storage = backend.storage
    upload_id, parts = begin(storage, KEY, WHOLE_PART, TAIL)
    outcomes: list[object] = []
    together = threading.Barrier(2)

    def complete() -> None:
        together.wait()
        try:
            outcomes.append(storage.complete_multipart(KEY, upload_id, parts).etag)
        except BaseException as error:  # noqa: BLE001 (a thread hands it on)
            outcomes.append(type(error))

    threads = [threading.Thread(target=complete) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    etag = storage.head(KEY).etag
    assert etag in outcomes
    assert set(outcomes) <= {etag, *backend.lost_race}
    assert read(storage, KEY) == WHOLE_PART + TAIL


def test_completing_and_aborting_at_once_ends_in_one_of_the_two(backend: Backend) -> None:
    storage = backend.storage
    before = backend.inventory()
    upload_id, parts = begin(storage, KEY, WHOLE_PART, TAIL)
    together = threading.Barrier(2)
    outcomes: list[object] = []

    def complete() -> None:
        storage.complete_multipart(KEY, upload_id, parts)

    def end(verb: Callable[[], object]) -> None:
        together.wait()
        try:
            outcomes.append(verb())
        except backend.lost_race:
            outcomes.append(None)
        except BaseException as error:  # noqa: BLE001 (a thread hands it on)
            outcomes.append(error)

    verbs: Iterator[Callable[[], object]] = iter(
        (
            complete,
            lambda: storage.abort_multipart(KEY, upload_id),
        )
    )
    threads = [threading.Thread(target=end, args=(verb,)) for verb in verbs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes == [None, None]
    assert list(storage.list_multiparts()) == []
    if names(storage):
        assert read(storage, KEY) == WHOLE_PART + TAIL
    else:
        assert backend.inventory() == before


def _send_into(
    sent: list[tuple[int, str]], storage: Storage, upload_id: str, number: int, data: bytes
) -> None:
    sent.append(send(storage, KEY, upload_id, number, data))
