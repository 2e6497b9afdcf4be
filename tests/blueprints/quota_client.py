"""What the tests of quotas share: what a user holds, and quotas set for one user."""

from typing import Any

from flask import Flask
from sqlalchemy import select

from softfactory.http.extensions import db
from softfactory.http.services import user_quotas
from softfactory.models import UserStorage
from softfactory.services.user_quotas import Choice
from tests.conftest import Caller


def limit(app: Flask, caller: Caller, choice: Choice) -> None:
    """Give one user a quota."""
    with app.app_context():
        service = user_quotas()
        service.set(service.find(caller.username), choice)


def held(caller: Caller) -> dict[str, Any]:
    """Return what ``/api/auth/me`` tells of the user's storage."""
    answer: dict[str, Any] = caller.get("/api/auth/me").get_json()["storage"]
    return answer


def used(caller: Caller) -> int:
    """Return the bytes used."""
    return int(held(caller)["used"])


def reserved(caller: Caller) -> int:
    """Return the bytes reserved."""
    return int(held(caller)["reserved"])


def open_uploads(app: Flask, caller: Caller) -> int:
    """Return how many of the user's uploads count as open."""
    with app.app_context():
        query = select(UserStorage.open_uploads).where(UserStorage.user_id == caller.user_id)
        return db.session.scalar(query) or 0


def refusal(response: Any) -> tuple[int, str]:
    """Return status and code of an answer."""
    return response.status_code, response.get_json()["code"]


PAST = (413, "QUOTA_EXCEEDED")
"""How every door refuses what is past the quota."""
