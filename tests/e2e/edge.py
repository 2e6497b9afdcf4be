"""A server whose edge is tried: one for all tests of a file, because what they do harms nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config import Config
from softfactory.factory import create_app
from softfactory.http.account_services import accounts
from softfactory.http.extensions import db
from softfactory.http.tokens import issue_tokens
from tests.conftest import PASSWORD
from tests.e2e.server import Server

SECRET = "e2e-secret-of-more-than-thirty-two-characters"


@dataclass(frozen=True)
class Edge:
    """A running server, and an access token of its one user."""

    server: Server
    token: str

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.server.url

    @property
    def bearer(self) -> dict[str, str]:
        """The header that says who is calling."""
        return {"Authorization": f"Bearer {self.token}"}

    def request(self, line: str, *fields: str, body: bytes = b"") -> bytes:
        """Return a request of the user, with further header fields, as its bytes."""
        head = [f"{line} HTTP/1.1", "Host: files.example", f"Authorization: Bearer {self.token}"]
        return "\r\n".join([*head, *fields, "", ""]).encode() + body


@contextmanager
def edge(
    room: Path, template: bytes, *arguments: str, database_url: str = "", **settings: str
) -> Iterator[Edge]:
    """Run a server on local disk, by default on a new SQLite database made from ``template``."""
    (room / "files.db").write_bytes(template)
    database_url = database_url or f"sqlite:///{room / 'files.db'}"
    environment = {
        "APP_ENV": "development",
        "SECRET_KEY": SECRET,
        "JWT_SECRET_KEY": SECRET,
        "DATABASE_URL": database_url,
        "MEDIA_ROOT": str(room / "media"),
        "MAIL_FILE_PATH": str(room / "mail"),
        "RATELIMIT_ENABLED": "false",
        **settings,
    }
    token = _token(Config.from_env({**environment, "REDIS_URL": ""}, dotenv=None))
    server = Server(settings=environment, log=room / "server.log", arguments=arguments)
    server.start()
    try:
        yield Edge(server, token)
    finally:
        server.kill()


def _token(config: Config) -> str:
    """Make the user and log them in, without the time that a process of its own takes."""
    app = create_app(config)
    with app.app_context():
        user = accounts().create_confirmed("johndoe", "john@example.com", PASSWORD)
        token = issue_tokens(accounts().login("johndoe", PASSWORD), user).access_token
        db.session.remove()
        db.engine.dispose()
    return token
