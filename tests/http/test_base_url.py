"""What URLs begin with: PUBLIC_BASE_URL, or the address that the request came to."""

import socket
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from softfactory.http.base_url import base_url
from tests.stacks import one_stack

pytestmark = one_stack


def reached(app: Flask, address: tuple[Any, ...], host: str, scheme: str = "http") -> str:
    """Return what URLs begin with in a request that came to ``address``."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    connection = SimpleNamespace(family=family, getsockname=lambda: address)
    overrides = {"gunicorn.socket": connection, "wsgi.url_scheme": scheme}
    with app.test_request_context("/", headers={"Host": host}, environ_overrides=overrides):
        return base_url()


def test_what_is_said_counts_whatever_the_request_came_to(make_app: Any) -> None:
    app = make_app(public_base_url="https://files.example.com/files")

    assert reached(app, ("10.0.0.5", 80), "localhost") == "https://files.example.com/files"


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (("192.168.1.5", 8000), "http://192.168.1.5:8000"),
        (("::ffff:192.168.1.5", 8000, 0, 0), "http://192.168.1.5:8000"),
        (("fd00::5", 8000, 0, 0), "http://[fd00::5]:8000"),
        (("fe80::5%eth0", 8000, 0, 2), "http://[fe80::5]:8000"),
    ],
)
def test_another_machine_gets_the_address_that_it_reached(
    app: Flask, address: tuple[Any, ...], url: str
) -> None:
    assert reached(app, address, "files.lan:8000") == url


@pytest.mark.parametrize(
    "host", ["localhost:8055", "127.0.0.1:8055", "[::1]:8055", "localhost", "LOCALHOST:9000"]
)
def test_a_name_of_the_machine_itself_stays_with_the_port_of_its_tunnel(
    app: Flask, host: str
) -> None:
    assert reached(app, ("172.17.0.2", 8000), host) == f"http://{host.lower()}"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "localhost.evil.example", "localhost@evil.example", "127.0.0.1.evil.example",
        "localhost:8000/evil", "203.0.113.9:80", "localhost:evil", "", "evil.example:8000#localhost",
    ],
)  # fmt: skip
def test_no_other_host_header_comes_into_a_url(app: Flask, host: str) -> None:
    assert reached(app, ("127.0.0.1", 8055), host) == "http://127.0.0.1:8055"


def test_a_connection_by_tls_makes_https_urls(app: Flask) -> None:
    assert reached(app, ("192.168.1.5", 8443), "x", "https") == "https://192.168.1.5:8443"
