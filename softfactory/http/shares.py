"""For whom a request is: told to the server, which gives nobody more than a share of its threads."""

from flask import request

from softfactory.http.server.signals import CLAIM


def count_for_user(user_id: int) -> None:
    """Count this request against its user, whose token was good; call it before reading the body.

    A server that shares out its threads may stop the request here, and begin it again when there
    is room (``MustWait``).
    """
    _count(f"user {user_id}")


def count_for_url(token: str) -> None:
    """Count this request against the signed URL whose ``token`` was good; else as above."""
    _count(f"url {token}")


def _count(holder: str) -> None:
    if (claim := request.environ.get(CLAIM)) is not None:
        claim(holder)
