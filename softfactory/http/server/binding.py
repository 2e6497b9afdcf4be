"""Can the server listen where it was told to? Asked before gunicorn is, for a sentence's sake."""

import errno
import socket
import time
from typing import Any

from gunicorn.systemd import listen_fds  # type: ignore[import-untyped]

MAX_PORT = 65_535

PATIENCE_SECONDS = 2.0
"""A server that is being restarted may still be closing its socket."""


def refuse_unusable_addresses(server: Any) -> None:  # noqa: ANN401  # gunicorn's arbiter
    """Stop the start where an address cannot be listened on.

    Raises:
        SystemExit: with a sentence that says why, and where to choose another.
    """
    # Sockets that a master before, systemd or SO_REUSEPORT shares are no obstacle.
    if server.master_pid or server.cfg.reuse_port or listen_fds(unset_environment=False):
        return
    for address in server.cfg.address:
        if isinstance(address, tuple) and (problem := _problem(*address[:2])):
            raise SystemExit(f"{problem}: make run BIND=127.0.0.1:8001, or gunicorn --bind.")


def _problem(host: str, port: int) -> str | None:
    if not 0 <= port <= MAX_PORT:
        return f"BIND: {port} is no port. Choose one from 1 to {MAX_PORT}"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            _bind(host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            return _sentence(host, port, error)
        return None


def _bind(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As gunicorn does: connections that are only fading away take nothing.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"BIND: port {port} of {host} is taken; another server listens there. "
            "Stop that one, or choose another port"
        )
    if error.errno == errno.EACCES:
        return f"BIND: only root may listen on port {port}. Choose a port from 1024 up"
    return f"BIND: {host} is no address of this machine ({error.strerror}). Choose one that is"
