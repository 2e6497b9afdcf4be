"""Threads are shared out: so many for uploads, so many for one holder, and the rest for others."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from softfactory.http.addresses import network_of
from softfactory.http.server.admission import BUSY_RATE, Admission
from softfactory.http.server.forwarded import forwarded_by
from softfactory.http.server.signals import MustWait

pytestmark = pytest.mark.light

THREADS = 8
UPLOADS = 6
SHARE = 2
"""Of one holder's uploads."""


@pytest.fixture
def admission() -> Admission:
    return Admission(THREADS)


def connection(
    address: str = "", *, is_upload: bool = True, pace: float = math.inf, is_awaited: bool = True
) -> Any:
    """Return a connection, as far as it is looked at here."""
    return SimpleNamespace(
        address=address,
        is_upload=is_upload,
        pace=pace,
        is_awaited=is_awaited,
        waits_for="",
        holders=[],
    )


def admitted(admission: Admission, count: int, make: Callable[[int], Any]) -> list[Any]:
    """Return those of so many connections that got a thread."""
    made = [make(number) for number in range(count)]
    return [one for one in made if admission.admit(one)]


def test_one_address_gets_a_share_of_the_places_for_uploads(admission: Admission) -> None:
    assert len(admitted(admission, THREADS, lambda _: connection("a"))) == SHARE
    assert admission.admit(connection("b"))


def test_uploads_of_many_addresses_leave_threads_to_others(admission: Admission) -> None:
    assert len(admitted(admission, 2 * THREADS, lambda n: connection(f"{n}"))) == UPLOADS
    assert admission.admit(connection("0", is_upload=False))


def test_clients_whose_address_nobody_knows_are_not_counted_as_one(admission: Admission) -> None:
    assert len(admitted(admission, THREADS, lambda _: connection())) == UPLOADS


def test_whoever_has_a_share_waits_until_one_of_their_own_has_ended(admission: Admission) -> None:
    first, *_ = admitted(admission, SHARE, lambda _: connection("a"))
    late = connection("a")
    admission.admit(late)
    before = admission.admit_next()

    admission.release(first)

    assert (before, admission.admit_next(), admission.admit_next()) == (None, late, None)


def test_of_those_that_wait_the_one_with_the_least_comes_first(admission: Admission) -> None:
    busy = admitted(admission, UPLOADS, lambda n: connection(f"{n // SHARE}"))
    second, newcomer = connection("0"), connection("new")
    admission.admit(second)
    admission.admit(newcomer)

    admission.release(busy[0])

    assert admission.admit_next() is newcomer


def test_a_user_or_a_url_has_no_more_than_a_share_whatever_the_address(
    admission: Admission,
) -> None:
    uploads = admitted(admission, SHARE + 1, lambda n: connection(f"{n}"))
    for upload in uploads[:SHARE]:
        admission.claim(upload, "user 1")

    with pytest.raises(MustWait):
        admission.claim(uploads[SHARE], "user 1")
    admission.release(uploads[SHARE])
    again = [admission.admit(uploads[SHARE])]
    admission.release(uploads[0])
    again.append(admission.admit_next() is uploads[SHARE])
    admission.claim(uploads[SHARE], "user 1")

    assert again == [False, True]


def test_what_was_counted_is_counted_out(admission: Admission) -> None:
    for _ in range(3):
        for upload in admitted(admission, SHARE, lambda _: connection("a")):
            admission.claim(upload, "user 1")
            admission.release(upload)

    assert len(admitted(admission, THREADS, lambda _: connection("a"))) == SHARE


def test_who_gives_up_is_not_admitted(admission: Admission) -> None:
    first, *_ = admitted(admission, SHARE, lambda _: connection("a"))
    late = connection("a")
    admission.admit(late)

    admission.give_up(late)
    admission.release(first)

    assert (admission.admit_next(), admission.is_short) == (None, False)


def test_the_slowest_uploads_go_where_others_wait_for_their_places(admission: Admission) -> None:
    slow, slower = (connection("a", pace=pace) for pace in (BUSY_RATE / 2, 1300))
    elsewhere = connection("b", pace=1)
    active = [slow, slower, elsewhere]
    for one in active:
        admission.admit(one)
    before = admission.overdue(active)

    admission.admit(connection("a"))

    assert (before, admission.overdue(active)) == ([], [slower])


def test_who_is_fast_or_waits_for_the_server_keeps_the_place(admission: Admission) -> None:
    active = [connection("a", pace=BUSY_RATE), connection("a", pace=1, is_awaited=False)]
    for one in active:
        admission.admit(one)

    admission.admit(connection("a"))

    assert admission.overdue(active) == []


@pytest.mark.parametrize(
    ("address", "other", "are_one"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:0:0:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "64:ff9b::c000:201", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_ipv6_addresses_are_counted_by_their_64(address: str, other: str, are_one: bool) -> None:
    assert (network_of(address) == network_of(other)) is are_one
    assert network_of(address)


def test_where_no_address_is_known_none_is_counted() -> None:
    assert network_of("") == ""


@pytest.mark.parametrize(
    ("values", "hops", "expected"),
    [
        ([b"192.0.2.9, 192.0.2.1"], 1, "192.0.2.1"),
        ([b"192.0.2.9", b"192.0.2.1"], 2, "192.0.2.9"),
        ([b"192.0.2.1"], 2, ""),
        ([], 1, ""),
    ],
)
def test_the_address_is_that_which_the_trusted_proxies_name(
    values: list[bytes], hops: int, expected: str
) -> None:
    assert forwarded_by(values, hops) == expected
