"""What the tests of ``/api/auth`` share: a browser that goes through its routes."""

import re
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

PASSWORD = "SecurePass123"
NEW_PASSWORD = "NewSecurePass456"

PUBLIC_ROUTES = {
    "register": {"username": "johndoe", "email": "john@example.com", "password": PASSWORD},
    "confirm": {"username": "johndoe", "code": "123456"},
    "resend-code": {"username": "johndoe"},
    "login": {"username": "johndoe", "password": PASSWORD},
    "refresh": {"refresh_token": "no token"},
    "forgot-password": {"username": "johndoe"},
    "reset-password": {"username": "johndoe", "code": "123456", "new_password": NEW_PASSWORD},
}
"""A readable body for each route that makes or renews a login."""

PRIVATE_ROUTES = {
    ("POST", "logout"): None,
    ("GET", "me"): None,
    ("POST", "change-password"): {"old_password": PASSWORD, "new_password": NEW_PASSWORD},
}
"""A readable body for each route that needs a login."""


@dataclass
class Browser:
    """A client of one application, and the mail that its users got."""

    app: Flask
    client: FlaskClient

    def post(self, route: str, body: Any = None, token: str | None = None) -> Any:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.client.post(f"/api/auth/{route}", json=body, headers=headers)

    def me(self, token: str) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        return self.client.get("/api/auth/me", headers=headers)

    @property
    def mails(self) -> list[Any]:
        mails: list[Any] = self.app.extensions["mailman"].outbox
        return mails

    @property
    def code(self) -> str:
        """The code in the newest mail."""
        found = re.search(r"\b\d{6}\b", self.mails[-1].body)
        assert found is not None
        return found[0]

    def register(self, username: str = "johndoe") -> Any:
        email = f"{username}@example.com"
        return self.post("register", {"username": username, "email": email, "password": PASSWORD})

    def join(self, username: str = "johndoe") -> None:
        """Register and confirm."""
        self.register(username)
        confirmed = self.post("confirm", {"username": username, "code": self.code})
        assert confirmed.status_code == 200

    def login(self, username: str = "johndoe", password: str = PASSWORD) -> dict[str, Any]:
        """Log in, and return the tokens."""
        response = self.post("login", {"username": username, "password": password})
        assert response.status_code == 200, response.json
        tokens: dict[str, Any] = response.json
        return tokens

    def is_live(self, tokens: dict[str, Any]) -> list[bool]:
        """Whether the access token, and the refresh token, are good."""
        renewed = self.post("refresh", {"refresh_token": tokens["refresh_token"]})
        return [self.me(tokens["access_token"]).status_code == 200, renewed.status_code == 200]


def refusal(response: Any) -> tuple[int, str]:
    """Return status and code of a failure, which has the one body."""
    body = response.json
    assert body["error"] == body["detail"]
    return response.status_code, body["code"]
