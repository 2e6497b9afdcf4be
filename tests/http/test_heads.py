"""What the main loop sees in a request: when enough of it is there, and whether it is none."""

import time

import pytest

from softfactory.http.server.heads import FIRST_PART, MAX_CHUNK_LINE, is_malformed, read_head

pytestmark = pytest.mark.light

PUT = b"PUT /a HTTP/1.1\r\nHost: x\r\n"
LARGE = 10 * FIRST_PART


def seen(received: bytes) -> tuple[bool, bool]:
    """Return whether a thread may have it, and whether that may have to wait for its client."""
    head = read_head(received)
    assert head is not None
    return head.is_enough(received), head.is_large


CHUNKED = PUT + b"Transfer-Encoding: chunked\r\n\r\n"
SENT: dict[str, tuple[bytes, tuple[bool, bool]]] = {
    "no body": (PUT + b"\r\n", (True, False)),
    "an empty body": (PUT + b"Content-Length: 0\r\n\r\n", (True, False)),
    "a part of a small body": (PUT + b"Content-Length: 5\r\n\r\nabcd", (False, False)),
    "a small body": (PUT + b"Content-Length: 5\r\n\r\nabcde", (True, False)),
    "leading zeros": (PUT + b"content-length:\t0000005 \r\n\r\nabcd", (False, False)),
    "the head of a large body": (PUT + b"Content-Length: %d\r\n\r\n" % LARGE, (False, True)),
    "too little of a large body": (
        PUT + b"Content-Length: %d\r\n\r\n" % LARGE + bytes(FIRST_PART - 1),
        (False, True),
    ),
    "the first part of a large body": (
        PUT + b"Content-Length: %d\r\n\r\n" % LARGE + bytes(FIRST_PART),
        (True, True),
    ),
    "no chunk": (CHUNKED, (False, True)),
    "a part of a chunk": (CHUNKED + b"5\r\nabc", (False, True)),
    "a chunk": (CHUNKED + b"5\r\nabcde\r\n", (False, True)),
    "a chunk that looks like the last": (CHUNKED + b"5\r\n0\r\n\r\n", (False, True)),
    "all chunks": (CHUNKED + b"5\r\nabcde\r\n0\r\n\r\n", (True, False)),
    "all chunks, and extensions": (CHUNKED + b"5;a=b\r\nabcde\r\n00 ;c\r\n\r\n", (True, False)),
    "all chunks, and a part of the trailer": (
        CHUNKED + b"5\r\nabcde\r\n0\r\nA: b\r\n",
        (False, True),
    ),
    "all chunks, and a trailer": (CHUNKED + b"5\r\nabcde\r\n0\r\nA: b\r\n\r\n", (True, False)),
    "all chunks, and the next request": (CHUNKED + b"0\r\n\r\n" + PUT, (True, False)),
    "the first part of large chunks": (
        CHUNKED + b"ffffff\r\n" + bytes(FIRST_PART),
        (True, True),
    ),
    "no hexadecimal size": (CHUNKED + b"xyz\r\n", (True, True)),
    "a size without end": (CHUNKED + b"0" * (MAX_CHUNK_LINE + 1), (True, True)),
    # The parser refuses these; they count as uploads all the same.
    "two lengths": (PUT + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", (True, True)),
    "a length and chunks": (
        PUT + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        (True, True),
    ),
    "another coding": (PUT + b"Transfer-Encoding: gzip\r\n\r\n", (True, True)),
    "another expectation": (PUT + b"Expect: tea\r\nContent-Length: 5\r\n\r\n", (True, True)),
}


@pytest.mark.parametrize("name", SENT)
def test_a_request_is_worth_a_thread_once_enough_of_it_is_there(name: str) -> None:
    received, expected = SENT[name]

    assert seen(received) == expected


@pytest.mark.parametrize("name", SENT)
def test_how_it_is_cut_into_pieces_changes_nothing(name: str) -> None:
    received, expected = SENT[name]
    head = read_head(received)
    assert head is not None
    start = max(head.size, len(received) - 200)

    is_enough = [head.is_enough(received[:end]) for end in range(start, len(received) + 1)]

    assert (is_enough[-1], head.is_large) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"Content-Length: 5\r\nExpect: 100-Continue\r\n", True),
        (b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n", True),
        (b"Content-Length: 0\r\nExpect: 100-continue\r\n", False),
        (b"Content-Length: 5\r\n", False),
        (b"Expect: 100-continue\r\n", False),
    ],
)
def test_a_client_that_sends_its_body_once_it_is_told_to_is_known(
    fields: bytes, expected: bool
) -> None:
    head = read_head(PUT + fields + b"\r\n")

    assert head is not None
    assert head.wants_continue is expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"GET /healthz HTTP/1.1", True),
        (b"HEAD /readyz/ HTTP/1.0", True),
        (b"GET /readyz?a=b HTTP/1.1", True),
        (b"GET /healthzz HTTP/1.1", False),
        (b"POST /healthz HTTP/1.1", False),
        (b"GET /files?/healthz HTTP/1.1", False),
    ],
)
def test_a_question_for_health_is_known(line: bytes, expected: bool) -> None:
    head = read_head(line + b"\r\nHost: x\r\n\r\n")

    assert head is not None
    assert head.is_probe is expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"GET / HTTP/1.1\r\nA: b\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nA: b\r", False),
        (b"GET / HTTP/1.1\nA: b\n\n", True),
        (b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nA: b\r\n\n", True),
    ],
)
def test_a_line_ends_in_cr_lf_and_nothing_else(data: bytes, expected: bool) -> None:
    assert is_malformed(data) is expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"A: b\r\n c\r\n", True),
        (b"\tA: b\r\n", True),
        (b"Expect: 100-continue\r\n \r\n", True),
        (b"A: b\r\nC:\r\n", False),
    ],
)
def test_a_line_that_goes_on_in_the_next_is_seen(fields: bytes, expected: bool) -> None:
    head = read_head(PUT + fields + b"\r\n")

    assert head is not None
    assert head.is_folded is expected


def test_a_field_of_spaces_takes_no_more_time_than_others() -> None:
    received = PUT + b"X-Forwarded-For: a" + b" " * 60_000 + b"x\r\n\r\n"
    began = time.monotonic()

    head = read_head(received)

    assert head is not None
    assert (head.forwarded, time.monotonic() - began < 0.5) == ([b"a" + b" " * 60_000 + b"x"], True)
