"""``users list, show, disable, enable, admin, password, delete``."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from flask import Flask

from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.storage.keys import Key
from tests import samples
from tests.blueprints.auth_client import NEW_PASSWORD, Browser, refusal
from tests.blueprints.test_files_upload import send
from tests.conftest import PASSWORD, Caller
from tests.doubles import FakeClock
from tests.stacks import both_databases, both_storages, one_stack

Run = Callable[..., Any]


@pytest.fixture
def run(app: Flask) -> Run:
    """A function that runs ``users ...`` and returns its result."""
    return lambda *arguments, **options: app.test_cli_runner().invoke(
        args=["users", *arguments], **options
    )


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app, app.test_client())


def sign_in_again(browser: Browser, password: str = PASSWORD, name: str = "alice") -> Any:
    return browser.post("login", {"username": name, "password": password})


# --- looking --------------------------------------------------------------------------------------


@both_databases
def test_all_accounts_are_listed_and_shown(
    run: Run, alice: Caller, admin: Caller, browser: Browser, clock: FakeClock
) -> None:
    browser.register("johndoe")

    listed = json.loads(run("list", "--json").stdout)
    shown = json.loads(run("show", "ALICE@example.com", "--json").stdout)

    assert [user["username"] for user in listed] == ["alice", "root.admin", "johndoe"]
    assert [user["is_admin"] for user in listed] == [False, True, False]
    assert listed[2]["confirmed_at"] is None
    assert shown == listed[0]
    assert shown["id"] == alice.user_id
    assert shown["uuid"] == alice.uuid
    assert shown["created_at"] == clock.now.isoformat(timespec="seconds").replace("+00:00", "Z")


@pytest.mark.light
def test_people_are_told_in_lines(run: Run, alice: Caller, admin: Caller) -> None:
    run("disable", "alice")

    lines = run("list").stdout.splitlines()
    shown = run("show", "alice").stdout

    assert ["disabled" in line for line in lines] == [True, False]
    assert ["administrator" in line for line in lines] == [False, True]
    assert "alice@example.com" in shown
    assert "argon2" not in shown
    assert shown.splitlines()[0].split() == ["id", str(alice.user_id)]


@pytest.mark.light
@pytest.mark.parametrize("name", ["nobody", "public", "", "a\nb"])
@pytest.mark.parametrize(
    "command",
    [["show"], ["disable"], ["enable"], ["delete", "--yes"], ["password", "--password", PASSWORD]],
)
def test_a_name_that_nobody_has_is_told_in_a_sentence(
    run: Run, name: str, command: list[str]
) -> None:
    result = run(*command, name)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "There is no user" in result.stderr
    assert "Traceback" not in result.stderr


# --- disabling ------------------------------------------------------------------------------------


@both_databases
def test_a_disabled_user_is_out_at_once_and_told_why_after_the_right_password_only(
    run: Run, alice: Caller, browser: Browser
) -> None:
    assert alice.get("/api/auth/me").status_code == 200

    assert run("disable", "alice").exit_code == 0

    assert alice.get("/api/auth/me").status_code == 401
    assert refusal(sign_in_again(browser)) == (401, "ACCOUNT_DISABLED")
    assert refusal(sign_in_again(browser, NEW_PASSWORD)) == (401, "INVALID_CREDENTIALS")


@both_databases
def test_no_code_lets_a_disabled_user_in(run: Run, alice: Caller, browser: Browser) -> None:
    browser.post("forgot-password", {"username": "alice"})
    code = browser.code
    run("disable", "alice")

    answer = browser.post("forgot-password", {"username": "alice"})
    reset = browser.post(
        "reset-password", {"username": "alice", "code": code, "new_password": NEW_PASSWORD}
    )

    assert answer.status_code == 200
    assert len(browser.mails) == 1
    assert refusal(reset) == (400, "INVALID_CODE")


@both_databases
def test_an_enabled_user_logs_in_again_and_has_the_files(
    run: Run, alice: Caller, browser: Browser
) -> None:
    send(alice, samples.pdf())
    run("disable", "alice")

    run("enable", "alice")
    token = sign_in_again(browser).json["access_token"]

    files = browser.client.get("/api/files", headers={"Authorization": f"Bearer {token}"})
    assert files.get_json()["total"] == 1
    assert alice.get("/api/auth/me").status_code == 401


# --- administrators, passwords --------------------------------------------------------------------


@both_databases
def test_an_administrator_is_one_until_the_next_request(
    run: Run, alice: Caller, bob: Caller
) -> None:
    file_id = send(bob, samples.pdf()).get_json()["file_id"]
    seen = []

    for state in ("off", "on", "off"):
        assert run("admin", "alice", state).exit_code == 0
        seen.append(alice.get(f"/api/files/{file_id}").status_code)

    assert seen == [403, 200, 403]


@both_databases
def test_a_password_that_the_operator_sets_ends_logins_and_waits(
    run: Run, alice: Caller, browser: Browser
) -> None:
    for _ in range(6):
        waits = sign_in_again(browser, NEW_PASSWORD)

    result = run("password", "alice", input=f"{NEW_PASSWORD}\n{NEW_PASSWORD}\n")

    assert waits.status_code == 429
    assert result.exit_code == 0
    assert NEW_PASSWORD not in result.stdout
    assert alice.get("/api/auth/me").status_code == 401
    assert sign_in_again(browser, NEW_PASSWORD).status_code == 200


@pytest.mark.light
def test_a_password_that_is_not_acceptable_is_refused(
    run: Run, alice: Caller, browser: Browser
) -> None:
    result = run("password", "alice", "--password", "short")

    assert result.exit_code == 1
    assert "too short" in result.stderr
    assert alice.get("/api/auth/me").status_code == 200


# --- deleting -------------------------------------------------------------------------------------


def test_a_deleted_account_is_gone_with_its_files_and_its_name_stays_taken(
    app: Flask, run: Run, alice: Caller, admin: Caller, browser: Browser
) -> None:
    file_id = send(alice, samples.pdf()).get_json()["file_id"]

    assert run("delete", "alice", "--yes").exit_code == 0

    assert alice.get("/api/auth/me").status_code == 401
    assert refusal(sign_in_again(browser)) == (401, "INVALID_CREDENTIALS")
    assert admin.get(f"/api/files/{file_id}").status_code == 404
    again = browser.post(
        "register", {"username": "Alice", "email": "alice@example.com", "password": PASSWORD}
    )
    assert list(again.json["errors"]) == ["username"]
    other = browser.post(
        "register", {"username": "alice2", "email": "alice@example.com", "password": PASSWORD}
    )
    assert other.status_code == 200


@pytest.mark.light
def test_deleting_asks_first(run: Run, alice: Caller) -> None:
    result = run("delete", "alice", input="n\n")

    assert result.exit_code == 1
    assert alice.get("/api/auth/me").status_code == 200


@both_storages
def test_cleanup_removes_all_that_is_below_a_deleted_users_roots_and_no_more(
    app: Flask, run: Run, alice: Caller, bob: Caller, clock: FakeClock
) -> None:
    send(alice, samples.pdf())
    mine = [
        f"users/{alice.uuid}/a/b",
        "alice/x",
        f"uploads/{alice.user_id}/y",
        "alice/.uploads/u/z",
    ]
    others = [f"users/{bob.uuid}/a", "alice.b/x", f"uploads/{alice.user_id}0/y", "shared/x"]
    with app.app_context():
        storage = runtime().storage
        for key in (*mine, *mine, *others):
            storage.put(Key(key), [b"x"])
        storage.delete(Key("alice/x"))
        storage.create_multipart(Key("alice/open"))
    run("delete", "alice", "--yes")

    dry = cleanup(app, "--dry-run")
    with app.app_context():
        before = storage.holds_anything("alice/")
    report = cleanup(app)

    assert (dry["deleted_accounts"], before, report["deleted_accounts"]) == (1, True, 1)
    assert report["expired_files"] == 1
    with app.app_context():
        prefixes = (f"users/{alice.uuid}/", f"uploads/{alice.user_id}/", "alice/")
        assert not any(map(storage.holds_anything, prefixes))
        assert [storage.head(Key(key)).size for key in others] == [1] * 4
    assert cleanup(app)["deleted_accounts"] == 0


@both_storages
def test_what_comes_by_a_url_after_the_deletion_goes_with_the_next_cleanup(
    app: Flask, run: Run, alice: Caller, clock: FakeClock
) -> None:
    run("delete", "alice", "--yes")
    cleanup(app)
    with app.app_context():
        runtime().storage.put(Key("alice/late"), [b"x"])
    reconciled = app.test_cli_runner().invoke(args=["files", "reconcile", "--fix", "--json"])

    late = cleanup(app)["deleted_accounts"]
    clock.advance(days=8)
    cleanup(app)

    assert json.loads(reconciled.stdout)["fixed"] == 0
    assert late == 1
    with app.app_context():
        assert not runtime().storage.holds_anything("alice/")


# --- never confirmed ------------------------------------------------------------------------------


@both_databases
def test_an_account_that_is_never_confirmed_goes_and_its_names_are_free(
    app: Flask, browser: Browser, alice: Caller, clock: FakeClock
) -> None:
    browser.register("johndoe")
    clock.advance(days=6, hours=23)
    early = cleanup(app)["unconfirmed_accounts"]
    clock.advance(hours=2)

    dry = cleanup(app, "--dry-run")["unconfirmed_accounts"]
    gone = cleanup(app)["unconfirmed_accounts"]

    assert (early, dry, gone) == (0, 1, 1)
    assert browser.register("johndoe").status_code == 200
    assert alice.get("/api/auth/me").status_code == 200


@both_databases
def test_an_account_whose_code_is_still_good_stays(
    app: Flask, browser: Browser, clock: FakeClock
) -> None:
    browser.register("johndoe")
    clock.advance(days=8)
    browser.post("resend-code", {"username": "johndoe"})

    assert cleanup(app)["unconfirmed_accounts"] == 0
    assert browser.post("confirm", {"username": "johndoe", "code": browser.code}).status_code == 200


def cleanup(app: Flask, *arguments: str) -> Any:
    ran = app.test_cli_runner().invoke(args=["files", "cleanup", "--json", *arguments])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


@one_stack
def test_nobody_waits_for_the_database_while_storage_is_asked_about_a_deleted_user(
    app: Flask, run: Run, alice: Caller, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("delete", "alice", "--yes")
    clock.advance(days=8)
    with app.app_context():
        path, storage = str(db.engine.url.database), runtime().storage
    real, asked = storage.holds_anything, []

    def while_another_writes(prefix: str) -> bool:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
        asked.append(prefix)
        return real(prefix)

    monkeypatch.setattr(storage, "holds_anything", while_another_writes)
    cleanup(app)

    # Once to remove what is there, and once to see that nothing is left.
    assert len(asked) == 6
