"""What clients reach this service by: PUBLIC_BASE_URL, or else the address that they reached.

The Host header is the client's to write. A URL made of it would lead whoever is given that URL to a
host of the client's choice, so nothing of it counts but a name of the machine that both run on.
"""

import ipaddress
import re
import socket

from flask import g, has_request_context, request

from softfactory.http.runtime import runtime

DEFAULT_BASE_URL = "http://localhost:8000"
"""Where there is no connection to go by: on the command line, and on a unix socket."""

_LOCAL_HOST = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?")


def base_url() -> str:
    """Return what the URLs of this service begin with, without a slash at the end."""
    said = runtime().config.public_base_url
    if said is not None:
        return said
    if not has_request_context():
        return DEFAULT_BASE_URL
    if "base_url" not in g:  # a list asks a thousand times
        g.base_url = _reached()
    return str(g.base_url)


def _reached() -> str:
    connection = request.environ.get("gunicorn.socket")
    if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return DEFAULT_BASE_URL
    address, port = connection.getsockname()[:2]
    host = request.environ.get("HTTP_HOST", "").lower()
    # As it was sent: behind a tunnel or a container's port, its port differs from ours.
    if not _LOCAL_HOST.fullmatch(host):
        host = f"{_bare(address)}:{port}"
    return f"{request.environ['wsgi.url_scheme']}://{host}"


def _bare(address: str) -> str:
    """Return an address as URLs write it; IPv4 that came in by an IPv6 socket as IPv4."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or f"[{parsed}]")
