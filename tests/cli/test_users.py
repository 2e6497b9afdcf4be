"""``flask users create``."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from softfactory.http.account_services import accounts

PASSWORD = "SecurePass123"


@pytest.fixture
def storage_settings(tmp_path: Path) -> dict[str, Any]:
    """Accounts know no storage: any one will do."""
    return {"upload_storage_handler": "local", "media_root": tmp_path / "media"}


def run(app: Flask, *arguments: str, typed: str | None = None) -> tuple[int, str, str]:
    """Run ``flask users create``; return its exit status, output and errors."""
    result = app.test_cli_runner().invoke(args=["users", "create", *arguments], input=typed)
    return result.exit_code, result.stdout, result.stderr


def is_admin(app: Flask, name: str) -> bool:
    """Log in, and return whether that is an administrator."""
    with app.app_context():
        service = accounts()
        return service.owner(service.login(name, PASSWORD)).is_admin


def test_an_account_is_made_that_can_log_in_at_once(app: Flask) -> None:
    status, output, errors = run(app, "johndoe", "john@example.com", "--password", PASSWORD)

    assert (status, errors) == (0, "")
    assert "johndoe" in output
    assert not is_admin(app, "johndoe")
    assert app.extensions["mailman"].outbox == []


def test_an_administrator_is_made_on_demand(app: Flask) -> None:
    run(app, "johndoe", "john@example.com", "--password", PASSWORD, "--admin")

    assert is_admin(app, "johndoe")


def test_a_password_that_is_not_given_is_asked_for_twice_and_not_shown(app: Flask) -> None:
    typed = f"{PASSWORD}\n{PASSWORD}\n"
    status, output, _ = run(app, "johndoe", "john@example.com", typed=typed)

    assert status == 0
    assert PASSWORD not in output
    assert not is_admin(app, "johndoe")


@pytest.mark.parametrize(
    ("name", "email", "password", "sentence"),
    [
        ("johndoe", "other@example.com", PASSWORD, "Username already exists"),
        ("other", "john@example.com", PASSWORD, "Email already exists"),
        ("users", "other@example.com", PASSWORD, "reserved"),
        ("other", "no address", PASSWORD, "Not a valid email address"),
        ("other", "other@example.com", "short", "too short"),
    ],
)
def test_what_is_refused_is_told_in_a_sentence_on_standard_error(
    app: Flask, name: str, email: str, password: str, sentence: str
) -> None:
    run(app, "johndoe", "john@example.com", "--password", PASSWORD)

    status, output, errors = run(app, name, email, "--password", password)

    assert (status, output) == (1, "")
    assert sentence in errors
    assert "Traceback" not in errors
