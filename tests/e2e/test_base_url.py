"""A server that is told no address of its own hands out URLs that lead back to it."""

import re
from collections.abc import Callable

import pytest
import requests

from tests.e2e.server import Server


@pytest.mark.light
@pytest.mark.parametrize("storage_environment", ["local"], indirect=True)
def test_every_url_of_a_server_on_another_port_leads_to_that_port(
    make_server: Callable[..., Server],
) -> None:
    server = make_server(PUBLIC_BASE_URL="")
    declared = {"file_name": "a.txt", "file_size": 3, "file_content_type": "text/plain"}
    person = {"username": "alice", "password": "Secure1Pass"}
    server.flask("users", "create", "alice", "a@example.com", "--password", "Secure1Pass")

    login = requests.post(f"{server.url}/api/auth/login", json=person, timeout=10).json()
    headers = {"Authorization": f"Bearer {login['access_token']}", "Host": "evil.example"}
    begun = requests.post(
        f"{server.url}/v1/files/uploads",
        json={**declared, "num_parts": 1, "part_size": 5 * 1024 * 1024},
        headers=headers,
        timeout=10,
    )
    drive = requests.post(
        f"{server.url}/api/files/upload",
        json={"files": [{"file_name": "b.txt", "file_size": 3, "content_type": "text/plain"}]},
        headers=headers,
        timeout=10,
    )

    found = [set(re.findall("https?://([^/]+)/", answer.text)) for answer in (begun, drive)]
    assert found == [{f"127.0.0.1:{server.port}"}] * 2
