"""No cookie holds a session: each request says by its token who it is from."""

from flask import Flask, Request
from flask.sessions import SessionInterface


class NoSessions(SessionInterface):
    """Spares each request the signer of a cookie that nobody sets."""

    def open_session(self, app: Flask, request: Request) -> None:  # Flask's signature
        """Return nothing; Flask then has a session that cannot be written to."""
        return
