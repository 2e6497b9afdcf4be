"""What the server refuses before any view sees it has the one body, and is read by its client."""

import threading
from collections.abc import Iterator
from importlib.util import find_spec

import pytest
import requests

from tests.e2e.edge import Edge, edge
from tests.e2e.raw_http import Answer, Raw


@pytest.fixture(
    scope="module",
    params=[
        "python",
        pytest.param(
            "fast",
            marks=pytest.mark.skipif(
                not find_spec("gunicorn_h1c"),
                reason="gunicorn's C parser; see requirements-fast.in",
            ),
        ),
    ],
)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sqlite_template: bytes
) -> Iterator[Edge]:
    """A server of one worker, with each of gunicorn's parsers."""
    arguments = ("--http-parser", request.param)
    with edge(tmp_path_factory.mktemp("edge"), sqlite_template, *arguments) as running:
        yield running


def answer(server: Edge, sent: bytes) -> Answer:
    """Return what a connection of its own is answered."""
    with Raw(server.url) as raw:
        raw.send(sent)
        return raw.answer()


def refused(answer: Answer) -> tuple[int, str]:
    """Return status and code, once it is certain that it is the one body."""
    assert set(answer.json) - {"success"} == {"error", "detail", "code"}
    assert answer.json["error"] == answer.json["detail"]
    assert answer.json["error"].endswith(".")
    return answer.status, answer.json["code"]


BAD = (400, "VALIDATION_ERROR")
GET = b"GET / HTTP/1.1\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
LARGE = (431, "REQUEST_HEADER_FIELDS_TOO_LARGE")
NO_HTTP: dict[str, tuple[bytes, tuple[int, str]]] = {
    "no request line": (b"hello\r\n\r\n", BAD),
    "another version": (b"GET / HTTP/9.9\r\n\r\n", BAD),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", BAD),
    "a field without a colon": (b"GET / HTTP/1.1\r\nHost: x\r\nHost\r\n\r\n", BAD),
    "a field's name with a space": (b"GET / HTTP/1.1\r\nHost: x\r\nHo st: x\r\n\r\n", BAD),
    "a NUL in a field": (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n", BAD),
    "a length that is none": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n", BAD),
    "two lengths": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        BAD,
    ),
    "a length and chunks": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        BAD,
    ),
    "fields that end in LF": (GET + b"Host: x\nA: b\r\n\r\n", BAD),
    "nothing but LF": (b"GET / HTTP/1.1\nHost: x\n\n", BAD),
    "a head that ends in LF": (GET + b"Host: x\r\n\n", BAD),
    "a bare CR": (GET + b"Host: x\rA: b\r\n\r\n", BAD),
    "a folded field": (GET + b"Host: x\r\nA: b\r\n c\r\n\r\n", BAD),
    "a folded first field": (GET + b" Host: x\r\n\r\n", BAD),
    "no host": (GET + b"A: b\r\n\r\n", BAD),
    "no field at all": (GET + b"\r\n", BAD),
    "two hosts": (GET + b"Host: x\r\nHost: x\r\n\r\n", BAD),
    "a host that is none": (GET + b"Host: x y/z\r\n\r\n", BAD),
    "white space before the colon": (GET + b"Host: x\r\nA : b\r\n\r\n", BAD),
    "LF in the target": (b"GET /\n HTTP/1.1\r\nHost: x\r\n\r\n", BAD),
    "a control character in the target": (b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n", BAD),
    "a version between": (b"GET / HTTP/1.2\r\nHost: x\r\n\r\n", BAD),
    "the same length twice": (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na", BAD),
    "a list of lengths": (POST + b"Content-Length: 1, 1\r\n\r\na", BAD),
    "a length and another coding": (
        POST + b"Content-Length: 1\r\nTransfer-Encoding: identity\r\n\r\na",
        BAD,
    ),
    "two codings": (
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        BAD,
    ),
    "chunks in HTTP/1.0": (
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        BAD,
    ),
    "a coding that nobody decodes": (
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        (501, "NOT_IMPLEMENTED"),
    ),
    "a line that is too long": (
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        (414, "REQUEST_URI_TOO_LONG"),
    ),
    "a field that is too long": (
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 9000 + b"\r\n\r\n",
        LARGE,
    ),
    "too many fields": (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 70 + b"\r\n", LARGE),
    "another expectation": (
        b"POST / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n",
        (417, "EXPECTATION_FAILED"),
    ),
}


@pytest.mark.parametrize("name", NO_HTTP)
def test_what_is_no_http_is_refused_with_the_one_body(server: Edge, name: str) -> None:
    sent, expected = NO_HTTP[name]

    refusal = answer(server, sent)

    assert refused(refusal) == expected
    assert refusal.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("piece", [b"A: b\r\n", b"x"], ids=["fields", "one line"])
def test_a_head_without_end_is_refused(server: Edge, piece: bytes) -> None:
    sent = b"GET / HTTP/1.1\r\nHost: x\r\n" + piece * (70_000 // len(piece))

    assert refused(answer(server, sent)) == LARGE


@pytest.mark.parametrize(
    "chunks",
    [b"zz\r\n", b"-1\r\n", b"5\r\nab", b"1" * 5000, b"1\r\naX\r\n", b"0\r\nA: b\0\r\n\r\n"],
    ids=lambda chunks: repr(chunks[:12]),
)
def test_a_body_chunked_wrongly_is_refused(server: Edge, chunks: bytes) -> None:
    head = server.request(
        "POST /api/auth/login", "Content-Type: application/json", "Transfer-Encoding: chunked"
    )
    with Raw(server.url) as raw:
        raw.send(head + chunks)
        raw.hang_up_sending()

        assert refused(raw.answer())[0] == 400


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"5;", b"a=b;" * 16384),
        (b"5", b" " * 65536),
        (b"", b"0" * 65536),
        (b"0\r\n", b"A: b\r\n" * 10922),
        (b"0\r\nA: ", b"b" * 65536),
        (b"", (b"1;" + b"a" * 40 + b"\r\n \r\n") * 1000),
        (b"", b"0" * 15 + b"1;" + b"a" * 20 + b"\r\n \r\n"),
    ],
    ids=["extensions", "spaces", "zeros", "trailers", "a trailer", "small ones", "one by one"],
)
def test_chunks_of_endless_framing_are_refused(server: Edge, begin: bytes, piece: bytes) -> None:
    head = server.request(
        "POST /api/auth/login", "Content-Type: application/json", "Transfer-Encoding: chunked"
    )

    with Raw(server.url) as raw:
        raw.send(head + begin)
        is_answered = threading.Event()
        flood = threading.Thread(target=raw.trickle, args=(piece, 0, is_answered))
        flood.start()
        answer = raw.answer()
        is_answered.set()
        flood.join()

    assert refused(answer)[0] == 400


@pytest.mark.parametrize("trailer", [b"Host: y", b"Content-Length: 5", b"A\nB: c", b" A: b", b"A"])
def test_a_trailer_that_is_none_is_refused(server: Edge, trailer: bytes) -> None:
    fields = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    head = server.request("POST /api/auth/login", *fields)

    refusal = answer(server, head + b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n\r\n")

    assert refused(refusal)[0] == 400


def test_a_json_body_without_end_is_refused(server: Edge) -> None:
    head = server.request(
        "POST /api/auth/login", "Content-Type: application/json", "Transfer-Encoding: chunked"
    )

    with Raw(server.url) as raw:
        raw.send(head)
        is_answered = threading.Event()
        flood = threading.Thread(
            target=raw.trickle, args=(b"10000\r\n" + b" " * 65536 + b"\r\n", 0, is_answered)
        )
        flood.start()
        answer = raw.answer()
        is_answered.set()
        flood.join()

    assert refused(answer) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/api/auth/login", 413),
        ("POST", "/s3/upload", 415),
        ("PUT", "/media/a/b", 403),
        ("PUT", "/v1/files/uploads/1/parts/1", 404),
        ("POST", "/nothing", 404),
    ],
)
def test_a_client_that_sends_30_mb_reads_why_they_are_refused(
    server: Edge, method: str, path: str, status: int
) -> None:
    body, headers = bytes(30 * 1024 * 1024), {"Content-Type": "application/json"}

    refusal = requests.request(
        method, server.url + path, data=body, headers={**server.bearer, **headers}, timeout=30
    )

    assert (refusal.status_code, refusal.headers["Content-Type"]) == (status, "application/json")


def test_a_client_that_never_hangs_up_does_not_stop_the_others(server: Edge) -> None:
    lingering = [Raw(server.url) for _ in range(40)]
    for raw in lingering:
        raw.send(b"hello\r\n\r\n")
        raw.answer()

    assert requests.get(f"{server.url}/healthz", timeout=1).ok
    for raw in lingering:
        raw.__exit__(None, None, None)


def test_a_slash_s3_refusal_says_that_nothing_succeeded(server: Edge) -> None:
    refusal = answer(
        server, b"POST /s3/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    )

    assert refusal.json["success"] is False
