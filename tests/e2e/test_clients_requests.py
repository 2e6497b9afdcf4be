"""Python's requests, with the samples of the documents as they are printed."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.e2e.clients import DOCUMENTED, embedded_and_scaled, johndoe
from tests.e2e.server import Server

pytestmark = embedded_and_scaled

BROWSER = """
import requests

# Login
response = requests.post(
    "http://localhost:8000/api/auth/login",
    json={"username": "johndoe", "password": "SecurePass123"}
)
tokens = response.json()
access_token = tokens["access_token"]

# List objects
headers = {"Authorization": f"Bearer {access_token}"}
response = requests.get(
    "http://localhost:8000/api/s3/objects",
    headers=headers,
    params={"prefix": "users/user-uuid/", "max_keys": 50}
)
objects = response.json()
"""

SIMPLE = """
import requests

# Upload a file
with open('test.txt', 'rb') as f:
    response = requests.post('http://localhost:8000/s3/upload/', files={'file': f})
    print(response.json())

# List files
response = requests.get('http://localhost:8000/s3/list/')
print(response.json())

# Download a file
file_key = 'abc123_test.txt'
response = requests.get(f'http://localhost:8000/s3/download/{file_key}/')
with open('downloaded_file.txt', 'wb') as f:
    f.write(response.content)

# Delete a file
response = requests.delete(f'http://localhost:8000/s3/delete/{file_key}/')
print(response.json())
"""


def printed(script: str, folder: Path) -> list[str]:
    """Run a sample in a folder; return the lines that it prints."""
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def test_the_sample_of_browser_api(make_server: Callable[..., Server], tmp_path: Path) -> None:
    john = johndoe(make_server, tmp_path / "mail")
    prefix = john.call("GET", "/api/s3/user-prefix").json()["prefix"]
    form = {"file": ("a.txt", b"a"), "key": (None, f"{prefix}a.txt")}
    assert john.call("POST", "/api/s3/upload", files=form).status_code == 200
    script = BROWSER.replace(DOCUMENTED, john.url).replace("users/user-uuid/", prefix)

    lines = printed(f"{script}\nprint([o['key'] for o in objects['objects']])", tmp_path)

    assert lines == [str([f"{prefix}a.txt"])]


def test_the_sample_of_simple_s3_api(make_server: Callable[..., Server], tmp_path: Path) -> None:
    server = make_server(RATELIMIT_ENABLED="false")
    (tmp_path / "test.txt").write_bytes(b"What is in the file.")
    # The sample's key is made up: the one that was just given stands for it.
    known = "file_key = 'abc123_test.txt'"
    script = SIMPLE.replace(known, "file_key = response.json()['files'][0]['key']")

    uploaded, listed, deleted = printed(script.replace(DOCUMENTED, server.url), tmp_path)

    assert "'message': 'File uploaded successfully'" in uploaded
    assert "'count': 1" in listed
    assert (tmp_path / "downloaded_file.txt").read_bytes() == b"What is in the file."
    assert "'message': 'File deleted successfully'" in deleted
