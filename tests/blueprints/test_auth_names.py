"""Usernames: none that storage already uses."""

from collections.abc import Callable

import pytest
from flask import Flask

from softfactory.http.runtime import runtime
from softfactory.storage.keys import Key
from tests.blueprints.auth_client import PASSWORD, Browser, refusal
from tests.doubles import CountingStorage, FailingStorage
from tests.stacks import both_storages


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app, app.test_client())


@both_storages
def test_nobody_becomes_the_owner_of_what_lies_in_a_shared_bucket(browser: Browser) -> None:
    with browser.app.app_context():
        runtime().storage.put(Key("backups/db.sql"), [b"secret"])

    taken = browser.register("backups")
    free = browser.register("backup")

    assert refusal(taken) == (400, "VALIDATION_ERROR")
    assert list(taken.json["errors"]) == ["username"]
    assert free.status_code == 200


@both_storages
def test_nobody_becomes_the_owner_of_an_older_version(browser: Browser) -> None:
    with browser.app.app_context():
        runtime().storage.put(Key("backups/db.sql"), [b"secret"])
        runtime().storage.delete(Key("backups/db.sql"))

    assert refusal(browser.register("backups")) == (400, "VALIDATION_ERROR")


@both_storages
def test_the_operator_makes_no_such_account_either(app: Flask) -> None:
    with app.app_context():
        runtime().storage.put(Key("backups/db.sql"), [b"secret"])

    result = app.test_cli_runner().invoke(
        args=["users", "create", "backups", "b@example.com", "--password", PASSWORD]
    )

    assert (result.exit_code, result.stdout) == (1, "")
    assert "Username already exists" in result.stderr


@both_storages
def test_a_storage_that_does_not_answer_gives_nobody_a_name(
    app: Flask, make_app: Callable[..., Flask]
) -> None:
    with app.app_context():
        storage = FailingStorage(runtime().storage)
    storage.fail_before.add("holds_anything")
    failing = make_app(storage=storage)
    browser = Browser(failing, failing.test_client())

    answer = browser.register("johndoe")
    storage.fail_before.clear()

    assert refusal(answer) == (500, "STORAGE_ERROR")
    assert browser.mails == []
    assert browser.register("johndoe").status_code == 200


@both_storages
def test_storage_is_not_asked_for_what_is_refused_without_it(
    app: Flask, make_app: Callable[..., Flask]
) -> None:
    with app.app_context():
        storage = CountingStorage(runtime().storage)
    counting = make_app(storage=storage)
    browser = Browser(counting, counting.test_client())
    browser.register("johndoe")
    storage.asked.clear()

    for name in ("johndoe", "a", "users", "../x"):
        browser.register(name)

    assert storage.asked == []
