"""A statement that fails is logged without the values that it was given."""

from pathlib import Path

from flask import Flask
from sqlalchemy import insert

from softfactory.http.extensions import db
from softfactory.http.request_log import configure_logging
from softfactory.models import User
from tests.conftest import Caller
from tests.stacks import both_databases

pytestmark = both_databases


def test_neither_the_statement_nor_the_database_shows_a_value(
    app: Flask, alice: Caller, tmp_path: Path
) -> None:
    row = {"username": "hush-user", "email": "hush@hush.example", "password_hash": "hush-hush"}

    def fail() -> str:
        db.session.execute(insert(User).values(id=alice.user_id, **row))
        return "it did not fail"

    fail.is_public = True  # type: ignore[attr-defined]  # as http.identity marks it
    app.view_functions["health.alive"] = fail
    app.config["PROPAGATE_EXCEPTIONS"] = False
    with (tmp_path / "log").open("w") as stream:
        configure_logging(as_json=True, stream=stream)
        answer = app.test_client().get("/healthz")
    configure_logging(as_json=False)

    logged = (tmp_path / "log").read_text()
    assert answer.status_code == 500
    assert "INSERT INTO users" in logged
    assert "hush" not in logged
    assert "already exists" not in logged
