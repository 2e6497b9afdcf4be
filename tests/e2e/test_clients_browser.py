"""A browser on another origin: preflights, forms as FormData sends them, and parts in parallel."""

import random
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests import samples
from tests.e2e.clients import embedded_and_scaled, johndoe
from tests.e2e.person import PASSWORD
from tests.e2e.server import ROOT, Server

pytestmark = embedded_and_scaled

ORIGIN = "https://browser.example.com"
PART_SIZE = 5 * 1024 * 1024


class Browser:
    """Does with a URL what fetch() does for a page of ``ORIGIN``, and sees what it may see."""

    def __init__(self) -> None:
        self.token = ""

    def fetch(self, method: str, url: str, **options: Any) -> requests.Response:
        """Send a request after its preflight; leave of the headers what CORS exposes."""
        headers = {"Origin": ORIGIN, **options.pop("headers", {})}
        asked = [name.lower() for name in headers if name != "Origin"]
        if "json" in options:
            asked.append("content-type")
        if method not in ("GET", "POST") or asked:
            preflight = requests.options(
                url,
                headers={
                    "Origin": ORIGIN,
                    "Access-Control-Request-Method": method,
                    "Access-Control-Request-Headers": ",".join(sorted(asked)),
                },
                timeout=60,
            )
            assert preflight.ok, preflight.text
            assert preflight.headers["Access-Control-Allow-Origin"] in (ORIGIN, "*")
            assert method in preflight.headers["Access-Control-Allow-Methods"]
            allowed = preflight.headers.get("Access-Control-Allow-Headers", "").lower()
            assert all(name in allowed or allowed == "*" for name in asked)
        response = requests.request(method, url, headers=headers, timeout=60, **options)
        assert response.headers["Access-Control-Allow-Origin"] in (ORIGIN, "*")
        exposed = response.headers.get("Access-Control-Expose-Headers", "").lower()
        for name in list(response.headers):
            if name.lower() not in exposed and name.lower() != "content-type":
                del response.headers[name]
        return response

    def call(self, method: str, url: str, **options: Any) -> Any:
        """Call the API with the token of the login; return the JSON of its success."""
        options["headers"] = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        response = self.fetch(method, url, **options)
        assert response.ok, response.text
        return response.json()


@pytest.fixture
def url(
    make_server: Callable[..., Server], storage_environment: dict[str, str], tmp_path: Path
) -> str:
    """A server that lets the browser's origin in, and so does its bucket where it has one."""
    if storage_environment["UPLOAD_STORAGE_HANDLER"] == "s3":
        subprocess.run(
            [sys.executable, "scripts/create_bucket.py"],
            cwd=ROOT,
            env={**storage_environment, "APP_ENV": "testing", "CORS_ORIGINS": ORIGIN},
            check=True,
            timeout=60,
        )
    return johndoe(make_server, tmp_path / "mail", CORS_ORIGINS=ORIGIN).url


@pytest.fixture
def browser(url: str) -> Browser:
    """A browser whose page has logged in, as browser-api.md shows it."""
    browser = Browser()
    credentials = {"username": "johndoe", "password": PASSWORD}
    browser.token = browser.call("POST", f"{url}/api/auth/login", json=credentials)["access_token"]
    return browser


def test_parts_go_up_in_parallel_out_of_order_and_twice(url: str, browser: Browser) -> None:
    body = random.Random(3).randbytes(3 * PART_SIZE + 1234)
    begun = browser.call(
        "POST",
        f"{url}/v1/files/uploads/",
        json={
            "file_name": "large-video.mp4",
            "file_size": len(body),
            "file_content_type": "video/mp4",
            "num_parts": 4,
            "part_size": PART_SIZE,
        },
    )

    def send(number: int, content: bytes) -> str:
        part = begun["presigned_urls"][number - 1]
        headers = {"Content-Type": "application/octet-stream"}
        answer = browser.fetch(part["method"], part["url"], data=content, headers=headers)
        assert answer.ok, answer.text
        return answer.headers["ETag"]  # exposed across origins

    send(2, bytes(PART_SIZE))  # what the second try replaces
    numbers = [4, 2, 1, 3]
    contents = [body[(n - 1) * PART_SIZE : n * PART_SIZE] for n in numbers]
    with ThreadPoolExecutor(4) as pool:
        etags = dict(zip(numbers, pool.map(send, numbers, contents), strict=True))
    file_url = f"{url}/v1/files/uploads/{begun['file_obj']['id']}"
    parts = [{"part_number": number, "etag": etags[number]} for number in numbers]
    completed = browser.call("POST", f"{file_url}/complete/", json={"parts": parts})

    wanted = {"file_id": int(completed["id"])}
    link = browser.call("POST", f"{url}/api/files/presigned-url", json=wanted)
    assert completed["file_size"] == len(body)
    assert browser.fetch("GET", link["presigned_url"]).content == body


def test_a_form_goes_up_with_the_file_before_its_key(url: str, browser: Browser) -> None:
    key = browser.call("GET", f"{url}/api/s3/user-prefix")["prefix"] + "file.txt"
    form = [("file", ("file.txt", b"A line of text.\n", "text/plain")), ("key", (None, key))]

    uploaded = browser.call("POST", f"{url}/api/s3/upload", files=form)

    listed = browser.call("GET", f"{url}/api/s3/objects")["objects"]
    link = browser.call("POST", f"{url}/api/s3/download", json={"key": key})
    assert uploaded["key"] == key
    assert [entry["key"] for entry in listed] == [key]
    assert browser.fetch("GET", link["url"]).content == b"A line of text.\n"


def test_an_image_goes_up_and_the_answer_has_its_cdn_url(url: str, browser: Browser) -> None:
    form = {"file": ("screenshot.png", samples.png(), "image/png")}

    uploaded = browser.call("POST", f"{url}/api/files/upload", files=form)

    assert uploaded["cdn_url"].endswith("_screenshot.png")
    assert isinstance(uploaded["file_id"], int)


def test_a_form_of_dropzone_goes_up_with_headers_of_its_own(url: str, browser: Browser) -> None:
    headers = {
        "Authorization": f"Bearer {browser.token}",
        "Cache-Control": "no-cache",
        "X-Requested-With": "XMLHttpRequest",
    }
    form = {"file": ("screenshot.png", samples.png(), "image/png")}

    uploaded = browser.fetch("POST", f"{url}/api/files/upload", headers=headers, files=form)

    assert uploaded.status_code == 201


def test_a_range_is_read_with_the_headers_of_tracing_and_its_extent_is_seen(
    url: str, browser: Browser
) -> None:
    form = {"file": ("screenshot.png", samples.png(), "image/png")}
    uploaded = browser.call("POST", f"{url}/api/files/upload", files=form)
    wanted = {"file_id": uploaded["file_id"]}
    link = browser.call("POST", f"{url}/api/files/presigned-url", json=wanted)
    headers = {"Range": "bytes=0-3", "traceparent": "00-1-1-01", "X-Trace": "1"}

    part = browser.fetch("GET", link["presigned_url"], headers=headers)

    assert part.status_code == 206
    assert part.headers["Content-Range"] == f"bytes 0-3/{len(samples.png())}"
    assert part.headers["Content-Length"] == "4"
    assert part.headers["Accept-Ranges"] == "bytes"
