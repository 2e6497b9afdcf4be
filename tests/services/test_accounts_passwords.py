"""Accounts: a forgotten password, and a new one."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from softfactory.errors import InvalidCode, InvalidCredentials, InvalidInput, WrongPassword
from softfactory.models import LoginSession, MailCode, User
from softfactory.services.accounts import Accounts
from tests.services.accounts_world import CODE_LIFETIME, NEW_PASSWORD, PASSWORD, World, wrong

THIRD_PASSWORD = "ThirdSecurePass789"


@pytest.mark.parametrize("name", ["johndoe", "JohnDoe", "john@example.com", "JOHN@example.com"])
def test_a_forgotten_password_is_reset_by_either_name_in_any_case(world: World, name: str) -> None:
    world.confirmed()

    code = world.forgot(name)
    world.accounts().reset_password(name, code, NEW_PASSWORD)

    assert world.login(password=NEW_PASSWORD)
    assert world.refuses(lambda accounts: accounts.login("johndoe", PASSWORD))


@pytest.mark.parametrize("name", ["nobody", "nobody@example.com", "", "\x00", "\ud800", "public"])
def test_an_unknown_user_is_sent_nothing_and_told_nothing(world: World, name: str) -> None:
    world.accounts().forgot_password(name)

    assert world.outbox.mails == []


@pytest.mark.parametrize("name", ["nobody", "nobody@example.com", "", "\x00", "\ud800"])
def test_resetting_for_an_unknown_user_is_a_wrong_code(world: World, name: str) -> None:
    with pytest.raises(InvalidCode):
        world.accounts().reset_password(name, "123456", NEW_PASSWORD)


def test_resetting_ends_every_login(world: World) -> None:
    world.confirmed()
    logins = [world.login(), world.login()]

    code = world.forgot()
    world.accounts().reset_password("johndoe", code, NEW_PASSWORD)

    assert [world.is_live(login) for login in logins] == [False, False]


def test_resetting_leaves_the_logins_of_others(world: World) -> None:
    world.confirmed()
    world.confirmed("janedoe", "jane@example.com")
    login = world.login("janedoe")

    world.accounts().reset_password("johndoe", world.forgot(), NEW_PASSWORD)

    assert world.is_live(login)


def test_a_wrong_reset_code_changes_nothing(world: World) -> None:
    world.confirmed()
    login = world.login()
    code = world.forgot()

    with pytest.raises(InvalidCode):
        world.accounts().reset_password("johndoe", wrong(code), NEW_PASSWORD)

    assert world.is_live(login)
    assert world.login(password=PASSWORD)


def test_a_password_that_is_not_acceptable_spends_no_try(world: World) -> None:
    world.confirmed()
    code = world.forgot()
    for _ in range(6):
        with pytest.raises(InvalidInput) as refused:
            world.accounts().reset_password("johndoe", code, "short")
        assert list(refused.value.errors) == ["new_password"]

    world.accounts().reset_password("johndoe", code, NEW_PASSWORD)

    assert world.login(password=NEW_PASSWORD)


def test_a_reset_code_is_good_once_for_several_at_once(world: World) -> None:
    world.confirmed()
    code = world.forgot()

    results = world.at_once(
        [lambda accounts: accounts.reset_password("johndoe", code, NEW_PASSWORD)] * 5
    )

    assert results.count(None) == 1


def test_wrong_reset_codes_at_once_are_no_more_than_five_either(world: World) -> None:
    world.confirmed()
    code = world.forgot()

    world.at_once(
        [lambda accounts: accounts.reset_password("johndoe", wrong(code), NEW_PASSWORD)] * 20
    )

    assert world.open_session().scalars(select(MailCode.tries)).one() == 5
    assert world.refuses(lambda accounts: accounts.reset_password("johndoe", code, NEW_PASSWORD))


def test_a_reset_code_whose_time_is_over_is_a_wrong_one(world: World) -> None:
    world.confirmed()
    code = world.forgot()
    world.clock.advance(CODE_LIFETIME)

    with pytest.raises(InvalidCode):
        world.accounts().reset_password("johndoe", code, NEW_PASSWORD)


def test_a_reset_code_confirms_no_account(world: World) -> None:
    world.register()
    code = world.forgot()

    with pytest.raises(InvalidCode):
        world.accounts().confirm("johndoe", code)


def test_resetting_confirms_the_address_that_the_code_went_to(world: World) -> None:
    confirmation = world.register()
    code = world.forgot()

    world.accounts().reset_password("johndoe", code, NEW_PASSWORD)

    assert world.login(password=NEW_PASSWORD)
    assert world.refuses(lambda accounts: accounts.confirm("johndoe", confirmation))


def test_resetting_leaves_the_moment_of_an_earlier_confirmation(world: World) -> None:
    world.confirmed()
    confirmed_at = world.clock()
    world.clock.advance(timedelta(days=1))

    world.accounts().reset_password("johndoe", world.forgot(), NEW_PASSWORD)

    assert world.open_session().scalars(select(User.confirmed_at)).one() == confirmed_at


def test_a_login_goes_by_the_password_of_now(world: World) -> None:
    world.confirmed()
    accounts = world.accounts()
    known = accounts.session.scalars(select(User)).one()
    accounts.session.commit()
    world.accounts().reset_password("johndoe", world.forgot(), NEW_PASSWORD)

    assert accounts.login(known.username, NEW_PASSWORD).user_id == known.id


def test_changing_the_password_ends_every_login(world: World) -> None:
    world.confirmed()
    here, there = world.login(), world.login()

    _change(world.accounts(), here, PASSWORD, NEW_PASSWORD)

    assert not world.is_live(here)
    assert not world.is_live(there)
    assert world.login(password=NEW_PASSWORD)
    with pytest.raises(InvalidCredentials):
        world.login(password=PASSWORD)


def test_changing_the_password_ends_a_reset_code_too(world: World) -> None:
    world.confirmed()
    code = world.forgot()

    _change(world.accounts(), world.login(), PASSWORD, NEW_PASSWORD)

    with pytest.raises(InvalidCode):
        world.accounts().reset_password("johndoe", code, THIRD_PASSWORD)


@pytest.mark.parametrize("old_password", ["", NEW_PASSWORD, PASSWORD + " ", "\ud800", "x" * 5000])
def test_a_wrong_old_password_changes_nothing(world: World, old_password: str) -> None:
    world.confirmed()
    login = world.login()

    with pytest.raises(WrongPassword):
        _change(world.accounts(), login, old_password, NEW_PASSWORD)

    assert world.is_live(login)


def test_a_new_password_that_is_not_acceptable_changes_nothing(world: World) -> None:
    world.confirmed()
    login = world.login()

    with pytest.raises(InvalidInput) as refused:
        _change(world.accounts(), login, PASSWORD, "short")

    assert list(refused.value.errors) == ["new_password"]
    assert world.is_live(login)


def test_of_changes_at_once_one_is_made(world: World) -> None:
    world.confirmed()
    login = world.login()

    results = world.at_once([_changing(login, f"{NEW_PASSWORD}{n}") for n in range(4)])

    assert results.count(None) == 1
    assert world.login(password=f"{NEW_PASSWORD}{results.index(None)}")


def test_logins_and_a_change_at_once_leave_no_login_of_the_older_password(world: World) -> None:
    world.confirmed()
    login = world.login()

    world.at_once(
        [lambda accounts: accounts.login("johndoe", PASSWORD)] * 6
        + [lambda accounts: _change(accounts, login, PASSWORD, NEW_PASSWORD)]
    )

    assert world.open_session().scalars(select(LoginSession)).all() == []


def _change(accounts: Accounts, session_id: str, old: str, new: str) -> None:
    """Change the password as the user of a login, if that is still live."""
    user = accounts.identify(session_id)
    if user is None:
        raise InvalidCredentials
    accounts.change_password(user, old, new)


def _changing(session_id: str, new: str) -> Callable[[Accounts], None]:
    return lambda accounts: _change(accounts, session_id, PASSWORD, new)
