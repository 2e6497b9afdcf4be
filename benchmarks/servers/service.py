"""The service under gunicorn, in its embedded form where no settings say otherwise.

The embedded form: SQLite, local disk, fsync on, tokens checked.
"""

import json
import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.client.wire import Connection, expect, head
from tests.e2e.server import Server, inside

NAME = "service"
USERNAME = "bench"
_PASSWORD = "SecurePass123"  # noqa: S105  # of an account that lives as long as the bench
_MAX_FILE_SIZE = 64 * 1024**3
"""10,000 parts of the least size are 49 GiB."""


class Service:
    """One service with one account, logged in."""

    name = NAME

    def __init__(self, room: Path, settings: Mapping[str, str] | None = None) -> None:
        """Make its schema and account; ``start`` starts it.

        Args:
            room: where its log lies and, where ``settings`` name no other place, all else.
            settings: variables of config.py.
        """
        room.mkdir(parents=True, exist_ok=True)
        self.database, self.media = room / "service.db", room / "media"
        self._server = Server(
            settings={
                "APP_ENV": "production",
                "SECRET_KEY": secrets.token_urlsafe(48),
                "JWT_SECRET_KEY": secrets.token_urlsafe(48),
                "DATABASE_URL": f"sqlite:///{self.database}",
                "MEDIA_ROOT": str(self.media),
                "MAX_FILE_UPLOAD_SIZE": str(_MAX_FILE_SIZE),
                "RATELIMIT_ENABLED": "false",
                **(settings or {}),
            },
            log=room / "service.log",
        )
        self._flask("db", "upgrade")
        self._flask("users", "create", USERNAME, "bench@example.com", "--password", _PASSWORD)
        self.token = ""

    def start(self) -> None:
        """Start it and log in."""
        self._server.start()
        self.log_in()

    def log_in(self) -> None:
        """Log in anew; a token lives for an hour."""
        credentials = {"username": USERNAME, "password": _PASSWORD}
        self.token = self.call("POST", "/api/auth/login", credentials)["access_token"]

    def inside(self) -> AbstractContextManager[None]:
        """Return an application context on its database and storage."""
        return inside(self._server)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    @property
    def pid(self) -> int:
        """Its first process."""
        if self._server.process is None:
            raise RuntimeError("the service is not running")
        return self._server.process.pid

    def stop(self) -> None:
        """End it."""
        self._server.stop()

    def head(self, method: str, path: str, length: int | None = None, **headers: str) -> bytes:
        """Return a request of the account's, up to its body."""
        return head(method, path, length, Authorization=f"Bearer {self.token}", **headers)

    def json_request(self, method: str, path: str, body: object = None) -> bytes:
        """Return a whole request of the account's with a JSON body, or with none."""
        if body is None:
            return self.head(method, path)
        content = json.dumps(body).encode()
        return self.head(method, path, len(content), Content_Type="application/json") + content

    def call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401  # JSON
        """Send one request on a connection of its own; return the JSON of the answer."""
        with Connection(self.port) as connection:
            answer = connection.ask(self.json_request(method, path, body))
        expect(answer, 200, 201, 204)
        return json.loads(answer.body) if answer.body else None

    def _flask(self, *arguments: str) -> None:
        done = self._server.flask(*arguments)
        if done.returncode:
            raise RuntimeError(f"flask {' '.join(arguments)}:\n{done.stdout}{done.stderr}")


def target(url: str) -> str:
    """Return the path and query of a URL that the service made."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
