"""Accounts: logging in and out, and who a login is."""

from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from softfactory.errors import EmailNotVerified, InvalidCredentials
from softfactory.models import LoginSession, MailCode, User
from softfactory.services import accounts as accounts_module
from softfactory.services.passwords import needs_rehash
from softfactory.services.unit_of_work import write
from tests.services.accounts_world import (
    CODE_LIFETIME,
    LOGIN_LIFETIME,
    NEW_PASSWORD,
    PASSWORD,
    World,
)

TICK = timedelta(seconds=1)


@pytest.mark.parametrize("name", ["johndoe", "JohnDoe", "john@example.com", "JOHN@EXAMPLE.COM"])
def test_a_user_logs_in_by_either_name_in_any_case(world: World, name: str) -> None:
    world.confirmed()

    accounts = world.accounts()

    login = accounts.login(name, PASSWORD)

    user = accounts.owner(login)
    assert user.username == "johndoe"
    assert login.user_id == user.id
    assert login.expires_at == world.clock() + LOGIN_LIFETIME


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("johndoe", NEW_PASSWORD),
        ("johndoe", PASSWORD.lower()),
        ("johndoe", ""),
        ("johndoe", "x" * 5000),
        ("johndoe", "\ud800"),
        ("nobody", PASSWORD),
        ("nobody@example.com", PASSWORD),
        ("", PASSWORD),
        ("john\x00doe", PASSWORD),
        ("\ud800", PASSWORD),
        ("johndoe' OR '1'='1", PASSWORD),
    ],
)
def test_what_does_not_match_is_refused_without_saying_which(
    world: World, name: str, password: str
) -> None:
    world.confirmed()

    with pytest.raises(InvalidCredentials, match=r"^Incorrect username or password\.$"):
        world.accounts().login(name, password)


def test_an_unknown_user_is_refused_after_as_much_hashing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []
    monkeypatch.setattr(
        accounts_module, "verify_password", lambda _, password_hash, __: asked.append(password_hash)
    )

    with pytest.raises(InvalidCredentials):
        world.accounts().login("nobody", PASSWORD)

    assert asked == [None]


def test_the_right_password_of_an_unconfirmed_account_is_told_what_is_missing(
    world: World,
) -> None:
    world.register()

    with pytest.raises(EmailNotVerified, match="User email not verified"):
        world.accounts().login("johndoe", PASSWORD)


def test_a_wrong_password_of_an_unconfirmed_account_is_told_nothing(world: World) -> None:
    world.register()

    with pytest.raises(InvalidCredentials):
        world.accounts().login("johndoe", NEW_PASSWORD)


def test_an_account_without_a_password_is_found_by_no_name(world: World) -> None:
    world.register("publican", "public@example.com")
    session = world.open_session()
    with write(session):
        session.execute(update(User).values(password_hash=None))

    with pytest.raises(InvalidCredentials):
        world.accounts().login("publican", PASSWORD)
    world.accounts().forgot_password("publican")
    world.accounts().resend_code("publican")
    assert len(world.outbox.mails) == 1  # Of its registration.


def test_a_login_identifies_its_user(world: World) -> None:
    world.confirmed()
    session_id = world.login()

    user = world.accounts().identify(session_id)

    assert user is not None
    assert user.username == "johndoe"


@pytest.mark.parametrize("session_id", ["", "0" * 32, "%", "johndoe"])
def test_anything_else_identifies_nobody(world: World, session_id: str) -> None:
    world.confirmed()
    world.login()

    assert world.accounts().identify(session_id) is None


def test_a_login_ends_with_its_time(world: World) -> None:
    world.confirmed()
    session_id = world.login()

    world.clock.advance(LOGIN_LIFETIME - TICK)
    assert world.is_live(session_id)
    world.clock.advance(TICK)
    assert not world.is_live(session_id)


def test_logging_out_ends_that_login_and_no_other(world: World) -> None:
    world.confirmed()
    here, there = world.login(), world.login()

    world.accounts().logout(here)

    assert not world.is_live(here)
    assert world.is_live(there)


def test_logging_out_twice_is_logging_out(world: World) -> None:
    world.confirmed()
    session_id = world.login()

    world.accounts().logout(session_id)
    world.accounts().logout(session_id)

    assert not world.is_live(session_id)


def test_a_hash_of_older_parameters_is_renewed_by_the_next_login(world: World) -> None:
    world.confirmed()
    older = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    session = world.open_session()
    with write(session):
        session.execute(update(User).values(password_hash=older))

    world.login()

    renewed = world.open_session().scalars(select(User.password_hash)).one()
    assert renewed is not None
    assert not needs_rehash(renewed)
    assert world.login()


def test_a_password_that_changes_while_it_is_verified_opens_no_login(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.confirmed()

    def verify_while_it_is_reset(password: str, password_hash: str | None, _: object) -> bool:
        code = world.forgot()
        world.accounts().reset_password("johndoe", code, NEW_PASSWORD)
        return True

    monkeypatch.setattr(accounts_module, "verify_password", verify_while_it_is_reset)

    with pytest.raises(InvalidCredentials):
        world.accounts().login("johndoe", PASSWORD)

    assert world.open_session().scalars(select(LoginSession)).all() == []


def test_sweeping_removes_what_is_spent_and_dead_and_counts_it(world: World) -> None:
    world.confirmed()
    world.login()
    world.forgot()
    world.clock.advance(LOGIN_LIFETIME)
    live = world.login()
    code = world.forgot()
    world.accounts().register("janedoe", "jane@example.com", PASSWORD)
    for _ in range(5):
        world.refuses(lambda accounts: accounts.confirm("janedoe", "no code"))

    assert world.accounts().sweep(dry_run=True) == (1, 1)
    assert world.accounts().sweep(dry_run=False) == (1, 1)
    assert world.accounts().sweep(dry_run=False) == (0, 0)

    assert world.is_live(live)
    world.accounts().reset_password("johndoe", code, NEW_PASSWORD)


def test_sweeping_takes_codes_at_the_moment_they_run_out(world: World) -> None:
    world.register()

    world.clock.advance(CODE_LIFETIME - TICK)
    assert world.accounts().sweep(dry_run=False) == (0, 0)
    world.clock.advance(TICK)
    assert world.accounts().sweep(dry_run=False) == (1, 0)
    assert world.open_session().scalars(select(MailCode)).all() == []
