"""A running server, spoken to as Flask's test client speaks to an application.

So the doors of ``tests/contracts/doors.py`` open here too, over real sockets.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, cast

import requests
from flask.testing import FlaskClient

from softfactory.http.account_services import accounts
from tests.conftest import PASSWORD, Caller
from tests.e2e.server import Server, inside

Watch = Callable[[str, int, float], object]
"""Told the route, the status and the seconds of every answer; status 0 where none came."""

SECONDS = 60
"""How long an answer may take before it counts as none."""


class Answer:
    """An answer with the names that Flask's test responses have."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self.status_code, self.headers = response.status_code, response.headers

    def get_json(self) -> Any:
        return self._response.json()

    def get_data(self, *, as_text: bool = False) -> str | bytes:
        return self._response.text if as_text else self._response.content

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()


class RemoteClient:
    """The part of Flask's test client that callers and doors use; one for each thread."""

    def __init__(self, url: str, watch: Watch = lambda *_: None) -> None:
        self._url, self._watch = url, watch
        self._session = requests.Session()

    def open(
        self,
        path: str,
        *,
        method: str = "GET",
        query_string: Any = None,
        content_type: str | None = None,
        headers: dict[str, str] | None = None,
        **body: Any,
    ) -> Answer:
        headers = {**(headers or {}), **({"Content-Type": content_type} if content_type else {})}
        url, route, started = f"{self._url}{path}", route_of(method, path), time.perf_counter()
        try:
            response = self._session.request(
                method, url, params=query_string, headers=headers, timeout=SECONDS, **body
            )
        except requests.RequestException:
            self._watch(route, 0, time.perf_counter() - started)
            raise
        self._watch(route, response.status_code, time.perf_counter() - started)
        return Answer(response)

    def close(self) -> None:
        self._session.close()

    def get(self, path: str, **options: Any) -> Answer:
        return self.open(path, **options)

    def post(self, path: str, **options: Any) -> Answer:
        return self.open(path, method="POST", **options)

    def patch(self, path: str, **options: Any) -> Answer:
        return self.open(path, method="PATCH", **options)


def route_of(method: str, path: str) -> str:
    """Return the method and the path without what stands for one file in it."""
    path = path.partition("?")[0].rstrip("/")
    path = re.sub(r"^/api/files/.+/(\w+)$", r"/api/files/<file>/\1", path)
    path = re.sub(r"^/s3/(download|delete)/.*", r"/s3/\1/<key>", path)
    path = re.sub(r"^/(media|api/media)/.*", r"/\1/<key>", path)
    return f"{method} {re.sub(r'/[0-9]+(?=/|$)', '/<id>', path)}"


@dataclass(frozen=True)
class Account:
    """A user that was made on a server's database."""

    name: str
    user_id: int
    uuid: str

    def sign_in(self, url: str, watch: Watch = lambda *_: None) -> Caller:
        """Return the user, logged in on a running server, with a connection of their own."""
        client = RemoteClient(url, watch)
        login = client.post("/api/auth/login", json={"username": self.name, "password": PASSWORD})
        assert login.status_code == 200, login.get_data()
        return self.with_token(client, login.get_json()["access_token"])

    def with_token(self, client: RemoteClient, token: str) -> Caller:
        """Return the user with a token that they got before."""
        return Caller(cast(FlaskClient, client), self.name, self.user_id, self.uuid, token)


def make_accounts(server: Server, count: int) -> list[Account]:
    """Make that many users on the database of ``server``, which need not run."""
    with inside(server):
        users = [
            accounts().create_confirmed(
                f"user{n}", f"user{n}@example.com", PASSWORD, is_admin=False
            )
            for n in range(count)
        ]
        return [Account(user.username, user.id, user.uuid) for user in users]
