"""Uploads in parts under gunicorn, over every storage: parallel, killed, resumed, expired."""

import hashlib
import random
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.e2e.clients import each_server
from tests.e2e.person import Person
from tests.e2e.server import Server

pytestmark = each_server

PART_SIZE = 5 * 1024 * 1024
BODY = random.Random(7).randbytes(4 * PART_SIZE + 12_345)
NUMBERS = range(1, 6)


def part_of(number: int) -> bytes:
    return BODY[(number - 1) * PART_SIZE : number * PART_SIZE]


def signed_in(server: Server, mail: Path) -> Person:
    john = Person(server.url, mail)
    john.register()
    john.log_in()
    return john


def begin(john: Person) -> dict[str, Any]:
    declaration = {
        "file_name": "large-video.mp4",
        "file_size": len(BODY),
        "file_content_type": "video/mp4",
        "num_parts": 5,
        "part_size": PART_SIZE,
    }
    response = john.call("POST", "/v1/files/uploads/", json=declaration)
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


def send(part: dict[str, Any]) -> dict[str, Any]:
    """Send one part to its URL; return what completing names."""
    response = requests.put(part["url"], data=part_of(part["part_number"]), timeout=60)
    assert response.status_code == 200, response.text
    return {"part_number": part["part_number"], "etag": response.headers["ETag"]}


def send_half(part: dict[str, Any]) -> socket.socket:
    """Begin to send a part, and leave it half-way with the connection open."""
    url = urlsplit(part["url"])
    body = part_of(part["part_number"])
    connection = socket.create_connection((url.hostname, url.port), timeout=20)
    head = (
        f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: {len(body)}"
    )
    connection.sendall(f"{head}\r\n\r\n".encode() + body[: len(body) // 2])
    return connection


def complete(john: Person, begun: dict[str, Any], parts: list[dict[str, Any]]) -> requests.Response:
    path = f"/v1/files/uploads/{begun['file_obj']['id']}/complete/"
    return john.call("POST", path, json={"parts": parts})


def downloaded(john: Person, file_id: str) -> requests.Response:
    body = {"file_id": int(file_id)}
    link = john.call("POST", "/api/files/presigned-url", json=body).json()["presigned_url"]
    return requests.get(link, timeout=60)


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def test_parts_in_parallel_make_the_file_and_two_completions_get_one_answer(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    john = signed_in(make_server(), tmp_path / "mail")
    begun = begin(john)

    with ThreadPoolExecutor(5) as pool:
        parts = list(pool.map(send, random.Random(1).sample(begun["presigned_urls"], 5)))
        answers = list(pool.map(lambda _: complete(john, begun, parts), range(2)))

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    response = downloaded(john, begun["file_obj"]["id"])
    assert sha256(response.content) == sha256(BODY)
    assert response.headers["Content-Type"] == "video/mp4"


def test_a_server_killed_in_the_middle_of_a_part_resumes(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = make_server()
    john = signed_in(server, tmp_path / "mail")
    begun = begin(john)
    urls = begun["presigned_urls"]
    done = [send(urls[4]), send(urls[0])]
    connection = send_half(urls[2])
    time.sleep(0.3)

    server.kill()
    connection.close()
    server.start()
    resumed = john.call("GET", f"/v1/files/uploads/{begun['file_obj']['id']}/").json()
    done += [send(part) for part in resumed["presigned_urls"]]
    completed = complete(john, begun, done)

    assert [part["part_number"] for part in resumed["parts"]] == [1, 5]
    assert completed.status_code == 200, completed.text
    response = downloaded(john, begun["file_obj"]["id"])
    assert sha256(response.content) == sha256(BODY)


def test_urls_that_expired_take_nothing_and_resuming_gives_new_ones(
    make_server: Callable[..., Server], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if "s3-moto" in request.node.name:
        pytest.skip("moto checks no signature")
    john = signed_in(make_server(SIGNED_URL_SECONDS="2"), tmp_path / "mail")
    begun = begin(john)
    time.sleep(3)

    refused = requests.put(begun["presigned_urls"][0]["url"], data=part_of(1), timeout=60)
    resumed = john.call("GET", f"/v1/files/uploads/{begun['file_obj']['id']}/").json()
    part = send(resumed["presigned_urls"][0])

    assert (refused.status_code, begun["expires_in"]) == (403, 2)
    assert part["part_number"] == 1


def test_the_browsers_parts_go_up_and_make_the_object(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    john = signed_in(make_server(), tmp_path / "mail")
    uuid = john.call("GET", "/api/auth/me").json()["id"]
    key = {"key": f"users/{uuid}/ünïcode + name.mp4"}
    reference = key | john.call("POST", "/api/s3/multipart/initiate", json=key).json()

    def send_number(number: int) -> dict[str, Any]:
        body = reference | {"part_number": number}
        answer = john.call("POST", "/api/s3/multipart/part-url", json=body).json()
        return send(answer)

    parts = [send_number(number) for number in reversed(NUMBERS)]
    arrived = john.call("GET", "/api/s3/multipart/parts", params=reference).json()["parts"]
    answer = john.call("POST", "/api/s3/multipart/complete", json=reference | {"parts": parts})

    assert [part["part_number"] for part in arrived] == [*NUMBERS]
    assert answer.status_code == 200, answer.text
    listed = john.call("GET", "/v1/files/").json()["results"]
    assert answer.json()["key"] == key["key"]
    assert sha256(downloaded(john, listed[0]["id"]).content) == sha256(BODY)
