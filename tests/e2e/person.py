"""A person with an HTTP client: registers, reads their mail, and uses the API."""

import re
from pathlib import Path
from typing import Any

import requests

PASSWORD = "SecurePass123"


class Person:
    """One user of a running server."""

    def __init__(self, url: str, mail: Path, name: str = "johndoe") -> None:
        self.url, self.name = url, name
        self._mail = mail
        self.session = requests.Session()

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send one request to the API."""
        return self.session.request(method, f"{self.url}{path}", timeout=60, **options)

    def register(self) -> None:
        """Register and confirm, with the code from the mail."""
        account = {"username": self.name, "email": f"{self.name}@example.com", "password": PASSWORD}
        assert self.call("POST", "/api/auth/register", json=account).status_code == 200
        confirmation = {"username": self.name, "code": self.newest_code()}
        assert self.call("POST", "/api/auth/confirm", json=confirmation).status_code == 200

    def log_in(self) -> dict[str, Any]:
        """Log in; the session sends the access token from now on."""
        credentials = {"username": self.name, "password": PASSWORD}
        response = self.call("POST", "/api/auth/login", json=credentials)
        assert response.status_code == 200, response.text
        tokens: dict[str, Any] = response.json()
        self.session.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        return tokens

    def newest_code(self) -> str:
        """Return the code of the newest mail."""
        newest = max(self._mail.iterdir(), key=lambda path: path.name)
        found = re.search(r"\b\d{6}\b", newest.read_text())
        assert found is not None
        return found[0]
