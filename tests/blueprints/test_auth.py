"""``/api/auth``: every row of the contract."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.blueprints.auth_client import (
    NEW_PASSWORD,
    PASSWORD,
    PRIVATE_ROUTES,
    PUBLIC_ROUTES,
    Browser,
    refusal,
)
from tests.doubles import FakeClock


@pytest.fixture
def storage_settings(tmp_path: Path) -> dict[str, Any]:
    """Accounts know no storage: any one will do."""
    return {"upload_storage_handler": "local", "media_root": tmp_path / "media"}


@pytest.fixture
def browser(app: Flask, client: FlaskClient) -> Browser:
    return Browser(app, client)


# --- the contract's examples ----------------------------------------------------------------------


def test_registering_answers_as_the_contract_shows(browser: Browser) -> None:
    response = browser.register()

    assert response.status_code == 200
    assert response.json == {
        "message": ("User registered successfully. Please check your email for verification code.")
    }
    assert [mail.to for mail in browser.mails] == [["johndoe@example.com"]]


def test_confirming_answers_as_the_contract_shows(browser: Browser) -> None:
    browser.register()

    response = browser.post("confirm", {"username": "johndoe", "code": browser.code})

    assert response.status_code == 200
    assert response.json == {"message": "Email verified successfully"}


def test_resending_answers_as_the_contract_shows(browser: Browser) -> None:
    browser.register()

    response = browser.post("resend-code", {"username": "johndoe"})

    assert response.status_code == 200
    assert response.json == {"message": "Confirmation code sent"}
    assert len(browser.mails) == 2


def test_logging_in_answers_as_the_contract_shows(browser: Browser) -> None:
    browser.join()

    tokens = browser.login()

    assert list(tokens) == [
        "access_token",
        "id_token",
        "refresh_token",
        "token_type",
        "expires_in",
    ]
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 3600)
    assert len({tokens["access_token"], tokens["id_token"], tokens["refresh_token"]}) == 3


def test_refreshing_answers_as_the_contract_shows(browser: Browser) -> None:
    browser.join()
    tokens = browser.login()

    response = browser.post("refresh", {"refresh_token": tokens["refresh_token"]})

    assert response.status_code == 200
    assert list(response.json) == ["access_token", "id_token"]
    assert browser.me(response.json["access_token"]).status_code == 200


def test_logging_out_answers_as_the_contract_shows(browser: Browser) -> None:
    browser.join()

    response = browser.post("logout", token=browser.login()["access_token"])

    assert response.status_code == 200
    assert response.json == {"message": "Logged out successfully"}


def test_me_answers_as_the_contract_shows(browser: Browser) -> None:
    browser.join()
    tokens = browser.login()

    response = browser.me(tokens["access_token"])

    assert response.status_code == 200
    assert response.json == {
        "id": claims(tokens["access_token"])["sub"],
        "username": "johndoe",
        "email": "johndoe@example.com",
        "attributes": {},
        "storage": {"used": 0, "reserved": 0, "quota": None},
    }
    assert len(response.json["id"]) == 36


def test_forgetting_answers_as_the_contract_shows(browser: Browser) -> None:
    browser.join()

    response = browser.post("forgot-password", {"username": "johndoe"})

    assert response.status_code == 200
    assert response.json == {"message": "Password reset code sent to your email"}
    assert len(browser.mails) == 2


def test_resetting_answers_as_the_contract_shows(browser: Browser) -> None:
    browser.join()
    browser.post("forgot-password", {"username": "johndoe"})

    response = browser.post(
        "reset-password",
        {"username": "johndoe", "code": browser.code, "new_password": NEW_PASSWORD},
    )

    assert response.status_code == 200
    assert response.json == {"message": "Password reset successfully"}
    assert browser.login(password=NEW_PASSWORD)


def test_changing_answers_as_the_contract_shows(browser: Browser) -> None:
    browser.join()

    response = browser.post(
        "change-password",
        {"old_password": PASSWORD, "new_password": NEW_PASSWORD},
        token=browser.login()["access_token"],
    )

    assert response.status_code == 200
    assert response.json == {"message": "Password changed successfully"}
    assert browser.login(password=NEW_PASSWORD)


# --- what is refused ------------------------------------------------------------------------------


def test_a_name_and_an_address_that_are_taken_are_told(browser: Browser) -> None:
    browser.register()

    response = browser.register()

    assert refusal(response) == (400, "VALIDATION_ERROR")
    assert "Username already exists" in response.json["error"]
    assert "Email already exists" in response.json["error"]
    assert sorted(response.json["errors"]) == ["email", "username"]


def test_every_field_of_a_registration_is_checked(browser: Browser) -> None:
    response = browser.post("register", {"username": "", "email": "", "password": ""})

    assert refusal(response) == (400, "VALIDATION_ERROR")
    assert sorted(response.json["errors"]) == ["email", "password", "username"]
    assert len(response.json["errors"]["password"]) == 4


@pytest.mark.parametrize("username", ["johndoe", "nobody"])
@pytest.mark.parametrize("route", ["confirm", "reset-password"])
def test_a_wrong_code_and_an_unknown_user_are_the_same(
    browser: Browser, route: str, username: str
) -> None:
    browser.join()
    browser.post("forgot-password", {"username": "johndoe"})
    body = {"username": username, "code": "no code", "new_password": NEW_PASSWORD}

    for _ in range(6):
        response = browser.post(route, body)

        assert refusal(response) == (400, "INVALID_CODE")


def test_wrong_passwords_in_a_row_are_told_how_long_to_wait(browser: Browser) -> None:
    browser.join()
    tokens = browser.login()
    for _ in range(5):
        browser.post("login", {"username": "johndoe", "password": NEW_PASSWORD})

    response = browser.post("login", {"username": "johndoe", "password": PASSWORD})

    assert refusal(response) == (429, "RATE_LIMIT_EXCEEDED")
    assert response.headers["Retry-After"] == "30"
    assert response.json["error"] == (
        "Too many wrong passwords in a row for this account. Try again in 30 seconds."
    )
    assert browser.is_live(tokens) == [True, True]


@pytest.mark.parametrize("username", ["nobody", "nobody@example.com", "public"])
@pytest.mark.parametrize("route", ["resend-code", "forgot-password"])
def test_who_exists_is_never_told(browser: Browser, route: str, username: str) -> None:
    browser.register()
    known = browser.post(route, {"username": "johndoe"})
    mails = len(browser.mails)

    unknown = browser.post(route, {"username": username})

    assert (unknown.status_code, unknown.json) == (known.status_code, known.json)
    assert len(browser.mails) == mails


@pytest.mark.parametrize(
    ("username", "password"), [("johndoe", NEW_PASSWORD), ("nobody", PASSWORD)]
)
def test_a_login_that_does_not_match_is_401(browser: Browser, username: str, password: str) -> None:
    browser.join()

    response = browser.post("login", {"username": username, "password": password})

    assert refusal(response) == (401, "INVALID_CREDENTIALS")
    assert "Incorrect username or password" in response.json["detail"]


def test_a_login_before_confirming_is_401(browser: Browser) -> None:
    browser.register()

    response = browser.post("login", {"username": "johndoe", "password": PASSWORD})

    assert refusal(response) == (401, "EMAIL_NOT_VERIFIED")
    assert "User email not verified" in response.json["detail"]


def test_a_wrong_old_password_is_400(browser: Browser) -> None:
    browser.join()
    tokens = browser.login()

    response = browser.post(
        "change-password",
        {"old_password": NEW_PASSWORD, "new_password": NEW_PASSWORD},
        token=tokens["access_token"],
    )

    assert refusal(response) == (400, "INVALID_CREDENTIALS")
    assert browser.is_live(tokens) == [True, True]


@pytest.mark.parametrize(
    ("route", "field"),
    [(route, field) for route, body in PUBLIC_ROUTES.items() for field in body],
)
@pytest.mark.parametrize("value", [None, 123456, True, ["johndoe"], {"a": 1}, "x" * 10_000])
def test_a_field_that_is_no_string_of_sensible_length_is_named(
    browser: Browser, route: str, field: str, value: Any
) -> None:
    response = browser.post(route, {**PUBLIC_ROUTES[route], field: value})

    assert refusal(response) == (400, "VALIDATION_ERROR")
    assert list(response.json["errors"]) == [field]


@pytest.mark.parametrize(
    ("route", "field"),
    [(route, field) for route, body in PUBLIC_ROUTES.items() for field in body],
)
def test_a_field_that_is_missing_is_named(browser: Browser, route: str, field: str) -> None:
    body = {name: value for name, value in PUBLIC_ROUTES[route].items() if name != field}

    response = browser.post(route, body)

    assert refusal(response) == (400, "VALIDATION_ERROR")
    assert list(response.json["errors"]) == [field]


@pytest.mark.parametrize("route", PUBLIC_ROUTES)
def test_a_body_that_is_not_json_is_refused(browser: Browser, route: str) -> None:
    path = f"/api/auth/{route}"

    malformed = browser.client.post(path, data="{", content_type="application/json")
    a_list = browser.client.post(path, json=[])
    form = browser.client.post(path, data=PUBLIC_ROUTES[route])

    assert refusal(malformed) == (400, "VALIDATION_ERROR")
    assert refusal(a_list) == (400, "VALIDATION_ERROR")
    assert refusal(form) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("text", ["john\x00doe", "\ud800"])
@pytest.mark.parametrize("route", PUBLIC_ROUTES)
def test_text_that_no_database_keeps_is_refused(browser: Browser, route: str, text: str) -> None:
    body = json.dumps(dict.fromkeys(PUBLIC_ROUTES[route], text))

    response = browser.client.post(f"/api/auth/{route}", data=body, content_type="application/json")

    assert response.status_code == 400


def test_fields_that_nobody_knows_are_ignored(browser: Browser) -> None:
    response = browser.post("register", {**PUBLIC_ROUTES["register"], "is_admin": True})

    assert response.status_code == 200


@pytest.mark.parametrize("route", PUBLIC_ROUTES)
def test_a_public_route_answers_with_a_trailing_slash_too(browser: Browser, route: str) -> None:
    without = browser.post(route, {})
    with_slash = browser.post(f"{route}/", {})

    assert (with_slash.status_code, with_slash.json) == (without.status_code, without.json)
    assert without.status_code == 400


@pytest.mark.parametrize(("method", "route"), PRIVATE_ROUTES)
def test_a_private_route_answers_with_a_trailing_slash_too(
    browser: Browser, method: str, route: str
) -> None:
    browser.join()

    statuses = [
        browser.client.open(
            f"/api/auth/{route}{slash}",
            method=method,
            json=PRIVATE_ROUTES[method, route] and {},
            headers={"Authorization": f"Bearer {browser.login()['access_token']}"},
        ).status_code
        for slash in ("", "/")
    ]

    assert statuses == ([400, 400] if PRIVATE_ROUTES[method, route] else [200, 200])


@pytest.mark.parametrize("route", PUBLIC_ROUTES)
def test_another_method_is_405(browser: Browser, route: str) -> None:
    assert browser.client.get(f"/api/auth/{route}").status_code == 405


# --- tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "route"), PRIVATE_ROUTES)
@pytest.mark.parametrize("kind", ["id_token", "refresh_token"])
def test_an_id_token_or_a_refresh_token_is_no_access_token(
    browser: Browser, method: str, route: str, kind: str
) -> None:
    browser.join()
    tokens = browser.login()

    response = browser.client.open(
        f"/api/auth/{route}",
        method=method,
        json=PRIVATE_ROUTES[method, route],
        headers={"Authorization": f"Bearer {tokens[kind]}"},
    )

    assert refusal(response) == (401, "INVALID_TOKEN")
    assert browser.is_live(tokens) == [True, True]


@pytest.mark.parametrize(("method", "route"), PRIVATE_ROUTES)
def test_a_private_route_needs_a_token(browser: Browser, method: str, route: str) -> None:
    response = browser.client.open(
        f"/api/auth/{route}", method=method, json=PRIVATE_ROUTES[method, route]
    )

    assert refusal(response) == (401, "AUTHENTICATION_REQUIRED")


@pytest.mark.parametrize("kind", ["access_token", "id_token"])
def test_only_a_refresh_token_refreshes(browser: Browser, kind: str) -> None:
    browser.join()

    response = browser.post("refresh", {"refresh_token": browser.login()[kind]})

    assert refusal(response) == (401, "INVALID_TOKEN")


@pytest.mark.parametrize("token", ["no token", "a.b.c", "é", "eyJhbGciOiJub25lIn0.e30."])
def test_what_is_no_token_refreshes_nothing(browser: Browser, token: str) -> None:
    response = browser.post("refresh", {"refresh_token": token})

    assert refusal(response) == (401, "INVALID_TOKEN")


def test_refreshing_keeps_the_refresh_token_and_the_login(browser: Browser) -> None:
    browser.join()
    tokens = browser.login()
    renewed = browser.post("refresh", {"refresh_token": tokens["refresh_token"]}).json

    browser.post("logout", token=renewed["access_token"])

    assert browser.is_live(tokens) == [False, False]


@pytest.mark.parametrize("route", PUBLIC_ROUTES)
def test_routes_that_make_or_renew_a_login_ignore_a_bad_token(browser: Browser, route: str) -> None:
    bare = browser.post(route, PUBLIC_ROUTES[route])
    fresh = {
        name: value.replace("john", "jane") if route == "register" else value
        for name, value in PUBLIC_ROUTES[route].items()
    }

    with_token = browser.post(route, fresh, token="no token")

    assert (with_token.status_code, with_token.json) == (bare.status_code, bare.json)


def test_logging_out_ends_access_and_refresh_on_every_worker(
    browser: Browser, make_app: Callable[..., Flask]
) -> None:
    browser.join()
    tokens, other = browser.login(), browser.login()
    second = make_app()
    worker = Browser(second, second.test_client())
    assert worker.is_live(tokens) == [True, True]

    browser.post("logout", token=tokens["access_token"])

    assert worker.is_live(tokens) == [False, False]
    assert browser.is_live(tokens) == [False, False]
    assert worker.is_live(other) == [True, True]


def test_changing_the_password_ends_every_login_on_every_worker(
    browser: Browser, make_app: Callable[..., Flask]
) -> None:
    browser.join()
    tokens, other = browser.login(), browser.login()
    second = make_app()
    worker = Browser(second, second.test_client())

    browser.post(
        "change-password",
        {"old_password": PASSWORD, "new_password": NEW_PASSWORD},
        token=tokens["access_token"],
    )

    assert worker.is_live(tokens) == [False, False]
    assert worker.is_live(other) == [False, False]


def test_resetting_the_password_ends_every_login(browser: Browser) -> None:
    browser.join()
    tokens = browser.login()
    browser.post("forgot-password", {"username": "johndoe"})

    browser.post(
        "reset-password",
        {"username": "johndoe", "code": browser.code, "new_password": NEW_PASSWORD},
    )

    assert browser.is_live(tokens) == [False, False]


def test_an_access_token_ends_with_its_time_and_the_refresh_token_does_not(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(access_token_lifetime=timedelta(seconds=-1))
    browser = Browser(app, app.test_client())
    browser.join()
    tokens = browser.login()

    assert refusal(browser.me(tokens["access_token"])) == (401, "TOKEN_EXPIRED")
    assert browser.is_live(tokens) == [False, True]


def test_a_refresh_token_ends_with_its_login(browser: Browser, clock: FakeClock) -> None:
    browser.join()
    tokens = browser.login()

    clock.advance(days=30)

    assert browser.is_live(tokens) == [False, False]


def test_a_code_ends_after_fifteen_minutes(browser: Browser, clock: FakeClock) -> None:
    browser.register()
    clock.advance(minutes=15)

    response = browser.post("confirm", {"username": "johndoe", "code": browser.code})

    assert refusal(response) == (400, "INVALID_CODE")


# --- the budget -----------------------------------------------------------------------------------


@pytest.fixture
def limited(make_app: Callable[..., Flask]) -> Browser:
    app = make_app(ratelimit_enabled=True)
    return Browser(app, app.test_client())


@pytest.mark.parametrize("route", PUBLIC_ROUTES)
def test_five_a_minute_is_one_budget_over_all_routes(limited: Browser, route: str) -> None:
    for spent, body in list(PUBLIC_ROUTES.items())[:5]:
        assert limited.post(spent, body).status_code != 429

    response = limited.post(route, PUBLIC_ROUTES[route])

    assert refusal(response) == (429, "RATE_LIMIT_EXCEEDED")
    assert response.json["detail"].startswith("Rate limit exceeded. Try again in ")
    assert response.headers["X-RateLimit-Limit"] == "5"
    assert response.headers["X-RateLimit-Remaining"] == "0"
    assert int(response.headers["Retry-After"]) <= 60


def test_each_address_has_a_budget_of_its_own(limited: Browser) -> None:
    for _ in range(6):
        refused = limited.post("login", PUBLIC_ROUTES["login"])

    other = limited.client.post(
        "/api/auth/login",
        json={"username": "janedoe", "password": PASSWORD},
        environ_base={"REMOTE_ADDR": "203.0.113.7"},
    )

    assert refused.status_code == 429
    assert other.status_code == 401


def test_every_answer_says_how_much_of_the_budget_is_left(limited: Browser) -> None:
    left = [
        limited.post("login", PUBLIC_ROUTES["login"]).headers["X-RateLimit-Remaining"]
        for _ in range(3)
    ]

    assert left == ["4", "3", "2"]


def test_routes_with_a_login_have_a_budget_of_the_user(limited: Browser) -> None:
    limited.join()
    tokens = limited.login()

    response = limited.me(tokens["access_token"])

    assert response.headers["X-RateLimit-Limit"] == "100"
    assert response.headers["X-RateLimit-Remaining"] == "99"


def claims(token: str) -> dict[str, Any]:
    """Return what a token says, unchecked."""
    payload = token.split(".")[1]
    said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return said
