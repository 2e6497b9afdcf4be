"""Upload URLs on a server that obeys unsigned headers (Ceph's gateway), as an operator meets it."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests import samples
from tests.e2e.person import PASSWORD, Person
from tests.e2e.server import Server, free_port
from tests.servers.s3_buckets import ENDPOINT_URL, needs_server, role_for

pytestmark = [
    needs_server,
    pytest.mark.parametrize(
        ("database_url", "storage_environment"), [("sqlite", "s3-rgw")], indirect=True
    ),
]

MakeServer = Callable[..., Server]


@pytest.fixture
def role_arn(storage_environment: dict[str, str]) -> Iterator[str]:
    """A role that may do anything with the bucket."""
    with role_for(storage_environment["AWS_S3_BUCKET"]) as arn:
        yield arn


def signed_in(server: Server, name: str) -> Person:
    made = server.flask("users", "create", name, f"{name}@x.example.com", "--password", PASSWORD)
    assert made.returncode == 0, made.stderr
    person = Person(server.url, Path(), name)
    person.log_in()
    return person


def begin(person: Person, size: int) -> dict[str, Any]:
    body = {"file_name": "a.txt", "file_size": size}
    ticket: dict[str, Any] = person.call("POST", "/api/files/upload", json=body).json()
    return ticket


def part_url(person: Person, size: int) -> tuple[str, str]:
    """Begin an upload in one part; return its id and the part's URL."""
    body = {
        "file_name": "b.txt",
        "file_size": size,
        "file_content_type": "text/plain",
        "num_parts": 1,
        "part_size": 5 * 1024 * 1024,
    }
    answer = person.call("POST", "/v1/files/uploads/", json=body).json()
    return answer["file_obj"]["id"], answer["presigned_urls"][0]["url"]


def send(url: str, body: bytes, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.put(url, data=body, headers=named, timeout=10).status_code


def test_production_refuses_a_server_whose_upload_urls_copy_other_users_files(
    make_server: MakeServer,
) -> None:
    with pytest.raises(RuntimeError) as raised:
        make_server(APP_ENV="production")

    said = str(raised.value)
    assert "This S3 server obeys headers that its upload URLs do not sign" in said
    assert "x-amz-copy-source" in said
    assert "Set AWS_ROLE_ARN" in said


def test_storage_check_refuses_it_too(make_server: MakeServer) -> None:
    checked = make_server().flask("storage", "check")

    assert checked.returncode == 1
    assert checked.stdout.startswith("This S3 server obeys headers that its upload URLs do not")


def test_with_a_role_production_serves_and_the_attack_fails_at_every_url(
    make_server: MakeServer, storage_environment: dict[str, str], role_arn: str
) -> None:
    server = make_server(APP_ENV="production", AWS_ROLE_ARN=role_arn)
    check = server.flask("storage", "check")
    bob, alice = signed_in(server, "bob"), signed_in(server, "alice")
    secret = begin(bob, 6)
    assert send(secret["presigned_url"], b"secret") == 200
    confirmed = bob.call("POST", "/api/files/confirm_upload", json={"s3_key": secret["s3_key"]})
    source = f"/{storage_environment['AWS_S3_BUCKET']}/{secret['s3_key']}"

    ticket, (upload, part) = begin(alice, 0), part_url(alice, 6)
    statuses = [
        send(ticket["presigned_url"], b"", x_amz_copy_source=source),
        send(part, b"", x_amz_copy_source=source),
        send(part, b"secret", x_amz_copy_source=source),
        send(ticket["presigned_url"], b"", x_amz_acl="public-read"),
        send(ticket["presigned_url"], b"longer"),
        send(part, b"longer than it"),
    ]

    assert (check.returncode, check.stdout) == (0, "The s3 storage works.\n"), check.stdout
    assert confirmed.status_code == 200
    assert statuses == [403] * 6
    key = {"s3_key": ticket["s3_key"]}
    assert alice.call("POST", "/api/files/confirm_upload", json=key).status_code == 404
    assert alice.call("GET", f"/v1/files/uploads/{upload}/").json()["parts"] == []
    assert send(part, b"my own") == 200


def test_without_a_role_urls_of_the_service_itself_are_fit(
    make_server: MakeServer, storage_environment: dict[str, str]
) -> None:
    server = make_server(APP_ENV="production", UPLOAD_URLS="service")
    alice = signed_in(server, "alice")
    ticket, (upload, part) = begin(alice, 5), part_url(alice, 6)
    source = f"/{storage_environment['AWS_S3_BUCKET']}/alice/a.txt"

    other = [send(ticket["presigned_url"], b"longer"), send(part, b"short")]
    sent = [
        send(ticket["presigned_url"], b"bytes", x_amz_copy_source=source, x_amz_acl="public-read"),
        send(part, b"in one"),
    ]

    assert ticket["presigned_url"].startswith(f"{server.url}/media/")
    assert (other, sent) == ([400, 400], [200, 200])
    key = {"s3_key": ticket["s3_key"]}
    assert alice.call("POST", "/api/files/confirm_upload", json=key).status_code == 200
    arrived = alice.call("GET", f"/v1/files/uploads/{upload}/").json()["parts"]
    assert [(each["part_number"], each["size"]) for each in arrived] == [(1, 6)]
    body = {"parts": [{"part_number": 1, "etag": arrived[0]["etag"]}]}
    done = alice.call("POST", f"/v1/files/uploads/{upload}/complete/", json=body)
    assert done.json()["upload_status"] == "completed"
    assert alice.call("GET", "/api/files/alice/a.txt/download_file/").content == b"bytes"


def test_production_starts_while_s3_is_away_and_readyz_tells(
    make_server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setattr(Server, "ready", "/healthz")

    server = make_server(APP_ENV="production", AWS_S3_ENDPOINT_URL=nowhere)

    assert requests.get(f"{server.url}/readyz", timeout=60).status_code == 503


def test_an_earlier_end_of_a_file_ends_the_urls_that_are_out(
    make_server: MakeServer, role_arn: str
) -> None:
    server = make_server(AWS_ROLE_ARN=role_arn)
    alice = signed_in(server, "alice")
    form = {"file": ("a.pdf", samples.pdf(), "application/pdf")}
    file_id = alice.call("POST", "/api/files/upload", files=form).json()["file_id"]
    body = {"file_id": file_id, "expiration_hours": 168}
    url = alice.call("POST", "/api/files/presigned-url", json=body).json()["presigned_url"]
    assert url.startswith(ENDPOINT_URL)
    assert requests.get(url, timeout=10).content == samples.pdf()

    ends = datetime.now(UTC) + timedelta(seconds=3)
    change = {"expires_at": ends.isoformat().replace("+00:00", "Z")}
    assert alice.call("PATCH", f"/v1/files/{file_id}/", json=change).status_code == 200
    before = requests.get(url, timeout=10).status_code
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and requests.get(url, timeout=10).status_code == 200:
        time.sleep(0.1)
    ended = datetime.now(UTC)

    assert before == 200
    assert requests.get(url, timeout=10).status_code == 404
    assert timedelta(0) <= ended - ends < timedelta(seconds=5)
