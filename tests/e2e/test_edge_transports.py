"""TLS and unix sockets serve as TCP does: transfers, kept connections, interim answers, a stop."""

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGTERM

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import select

from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.http.server.heads import FIRST_PART
from softfactory.models import FileUpload
from tests import samples
from tests.e2e.edge import Edge, edge
from tests.e2e.raw_http import Raw
from tests.e2e.server import inside
from tests.e2e.waiting import wait_for

MIB = 1024 * 1024
BODY = samples.pdf(size=5 * MIB)
FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
FORM += BODY + b"\r\n--b--\r\n"
FIELDS = ("Content-Type: multipart/form-data; boundary=b", f"Content-Length: {len(FORM)}")
ME = "GET /api/auth/me"


@dataclass(frozen=True)
class Stand:
    """A server, and how it is reached."""

    edge: Edge
    certificate: Path
    unix: Path | None

    def connect(self) -> Raw:
        """Return a new connection."""
        if self.unix is not None:
            connected = socket.socket(socket.AF_UNIX)
            connected.connect(str(self.unix))
        else:
            connected = socket.create_connection(("127.0.0.1", self.edge.server.port))
            if self.edge.url.startswith("https:"):
                trusting = ssl.create_default_context(cafile=str(self.certificate))
                connected = trusting.wrap_socket(connected, server_hostname="127.0.0.1")
        return Raw(self.edge.url, connected=connected)

    def upload(self, *fields: str, body: bytes = b"") -> bytes:
        """Return an upload's head with the first of its body."""
        return self.edge.request("POST /s3/upload", *FIELDS, *fields, body=body)

    def stored(self) -> tuple[list[str], list[int]]:
        """Return what storage and database have of files."""
        with inside(self.edge.server):
            keys = [found.key for found in runtime().storage.list_objects().objects]
            return keys, [*db.session.scalars(select(FileUpload.id))]


def make_certificate(room: Path) -> Path:
    """Write a certificate of 127.0.0.1 that signs itself, and its key into the same file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = room / "certificate.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@contextmanager
def stand(room: Path, template: bytes, transport: str) -> Iterator[Stand]:
    """Run a server that is reached by ``transport``: tcp, tls or unix."""
    certificate, unix = make_certificate(room), room / "socket"
    arguments = {
        "tcp": [],
        "tls": ["--certfile", str(certificate), "--keyfile", str(certificate)],
        "unix": ["--bind", f"unix:{unix}"],
    }[transport]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(certificate))  # for the wait until it is ready
        with edge(room, template, *arguments) as running:
            yield Stand(running, certificate, unix if transport == "unix" else None)


@pytest.fixture(scope="module", params=["tcp", "tls", "unix"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sqlite_template: bytes
) -> Iterator[Stand]:
    """A server for all tests of a transport."""
    with stand(tmp_path_factory.mktemp("edge"), sqlite_template, request.param) as running:
        yield running


def test_a_client_that_hangs_up_in_the_middle_of_a_body_leaves_nothing(server: Stand) -> None:
    before = server.stored()

    with server.connect() as client:
        client.send(server.upload(body=FORM[: 3 * MIB]))

    log = server.edge.server.log
    wait_for(lambda: "path=/s3/upload" in log.read_text())
    assert server.stored() == before


def test_a_file_goes_up_and_a_range_of_it_comes_down(server: Stand) -> None:
    with server.connect() as client:
        client.send(server.upload(body=FORM))
        sent = client.answer()
    path = f"/s3/download/{sent.json['file_key']}"
    with server.connect() as client:
        client.send(server.edge.request(f"GET {path}", "Range: bytes=4000000-"))
        ranged = client.answer()

    assert (sent.status, ranged.status) == (201, 206)
    assert ranged.body == BODY[4_000_000:]


@pytest.mark.parametrize("fields", [b"Host: x\nA: b", b"Host: x\r\nA: b\r\n c", b"A: b"])
def test_a_head_that_others_may_read_otherwise_is_refused(server: Stand, fields: bytes) -> None:
    with server.connect() as client:
        client.send(b"GET /healthz HTTP/1.1\r\n" + fields + b"\r\n\r\n")

        assert client.answer().status == 400


def test_an_operator_hears_that_tls_here_waits_for_slow_clients(server: Stand) -> None:
    is_tls = server.edge.url.startswith("https:")

    assert ("Let a proxy in front do TLS" in server.edge.server.log.read_text()) is is_tls


def test_a_kept_connection_serves_one_request_after_the_other(server: Stand) -> None:
    with server.connect() as client:
        client.send(server.edge.request(ME))
        first = client.answer()
        client.send(server.upload(body=FORM))
        second = client.answer()
        client.send(server.edge.request(ME))

        assert [first.status, second.status, client.answer().status] == [200, 201, 200]


def test_a_client_that_waits_for_100_continue_gets_it_and_then_its_answer(server: Stand) -> None:
    with server.connect() as client:
        client.send(server.upload("Expect: 100-continue"))
        interim = client.answer()
        client.send(FORM)

        assert (interim.status, client.answer().status) == (100, 201)


def test_a_client_that_waits_for_100_continue_reads_its_refusal(server: Stand) -> None:
    head = "\r\n".join(
        ["POST /s3/upload HTTP/1.1", "Host: x", *FIELDS, "Expect: 100-continue", "", ""]
    )
    with server.connect() as client:
        client.send(head.replace("/s3/upload", "/nothing").encode())
        answer = client.answer()
        if answer.status == 100:  # before any view has seen the head
            client.send(FORM[:FIRST_PART])
            answer = client.answer()

    assert (answer.status, answer.json["code"]) == (404, "RESOURCE_NOT_FOUND")


def test_an_answer_before_the_end_of_a_large_body_says_that_the_connection_ends(
    server: Stand,
) -> None:
    with server.connect() as client:
        client.send(server.edge.request("POST /nothing", *FIELDS, body=FORM[:FIRST_PART]))
        refused = client.answer()

    assert (refused.status, refused.headers["connection"]) == (404, "close")


@pytest.mark.parametrize("transport", ["tls", "unix"])
def test_a_transfer_in_flight_ends_before_the_server_does(
    tmp_path: Path, sqlite_template: bytes, transport: str
) -> None:
    with stand(tmp_path, sqlite_template, transport) as server:
        log, process = server.edge.server.log, server.edge.server.process
        assert process is not None
        for _ in range(3):  # as a balancer does that only looks whether anybody listens
            socket.create_connection(("127.0.0.1", server.edge.server.port)).close()
        with server.connect() as client:
            client.send(server.upload("Expect: 100-continue"))
            assert client.answer().status == 100
            process.send_signal(SIGTERM)
            wait_for(lambda: "Handling signal: term" in log.read_text())
            client.send(FORM)
            sent = client.answer()

        assert sent.status == 201
        assert process.wait(timeout=10) == 0
