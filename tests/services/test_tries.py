"""Wrong passwords and codes in a row: an account waits for its next try, whoever makes it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from softfactory.errors import (
    Busy,
    InvalidCode,
    InvalidCredentials,
    TooManyTries,
    WrongPassword,
)
from softfactory.models import FailedTries, User
from softfactory.services import accounts as accounts_module
from softfactory.services import tries
from softfactory.services.accounts import Accounts
from softfactory.services.passwords import verify_password
from tests.services.accounts_world import NEW_PASSWORD, PASSWORD, World, wrong

Try = Callable[[World], None]


def _wrong_login(world: World, name: str = "johndoe") -> None:
    world.accounts().login(name, NEW_PASSWORD)


def _wrong_change(world: World) -> None:
    accounts = world.accounts()
    user = accounts.session.scalars(select(User)).one()
    accounts.change_password(user, NEW_PASSWORD, NEW_PASSWORD)


def _wrong_confirmation(world: World, name: str = "johndoe") -> None:
    world.accounts().confirm(name, "no code")


def _wrong_reset(world: World, name: str = "johndoe") -> None:
    world.accounts().reset_password(name, "no code", NEW_PASSWORD)


def answers(world: World, attempt: Try, count: int) -> list[type[Exception]]:
    """Try so often; return the errors that were the answers."""
    found: list[type[Exception]] = []
    for _ in range(count):
        with pytest.raises((InvalidCredentials, InvalidCode, WrongPassword, TooManyTries)) as error:
            attempt(world)
        found.append(error.type)
    return found


def wait(world: World, attempt: Try) -> int:
    """Return how many seconds the account has to wait."""
    with pytest.raises(TooManyTries) as refused:
        attempt(world)
    return refused.value.retry_after


@pytest.mark.parametrize(
    "name", ["johndoe", "nobody", "nobody@example.com", "", "\ud800", "x" * 300]
)
def test_the_sixth_login_behind_five_wrong_ones_waits_also_for_a_name_that_nobody_has(
    world: World, name: str
) -> None:
    world.confirmed()

    found = answers(world, lambda world: _wrong_login(world, name), 7)

    assert found == [InvalidCredentials] * 5 + [TooManyTries] * 2


@pytest.mark.parametrize("attempt", [_wrong_confirmation, _wrong_reset])
@pytest.mark.parametrize("name", ["johndoe", "nobody"])
def test_wrong_codes_wait_when_the_one_behind_the_fifth_was_told_to_ask_for_a_new_one(
    world: World, attempt: Callable[[World, str], None], name: str
) -> None:
    world.confirmed()
    world.forgot()

    found = answers(world, lambda world: attempt(world, name), 8)

    assert found == [InvalidCode] * 6 + [TooManyTries] * 2


def test_wrong_old_passwords_and_wrong_logins_are_one_row(world: World) -> None:
    world.confirmed()

    found = [*answers(world, _wrong_login, 3), *answers(world, _wrong_change, 3)]

    assert found == [InvalidCredentials] * 3 + [WrongPassword] * 2 + [TooManyTries]


def test_both_names_of_an_account_in_any_case_are_one_row(world: World) -> None:
    world.confirmed()
    for name in ("johndoe", "JohnDoe", "john@example.com", "JOHN@EXAMPLE.COM", "JOHNDOE"):
        answers(world, lambda world, name=name: _wrong_login(world, name), 1)  # type: ignore[misc]

    with pytest.raises(TooManyTries):
        world.login("johndoe")


def test_each_wait_is_twice_the_one_before_and_an_hour_at_most(world: World) -> None:
    world.confirmed()
    answers(world, _wrong_login, 5)
    waits = []
    for _ in range(10):
        waits.append(wait(world, _wrong_login))
        world.clock.advance(timedelta(seconds=waits[-1]))
        answers(world, _wrong_login, 1)

    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_a_try_that_is_refused_makes_nobody_wait_longer(world: World) -> None:
    world.confirmed()
    answers(world, _wrong_login, 20)
    world.clock.advance(timedelta(seconds=30))

    assert world.login()


def test_the_right_password_waits_as_a_wrong_one_does(world: World) -> None:
    world.confirmed()
    answers(world, _wrong_login, 5)

    with pytest.raises(TooManyTries, match=r"Try again in 30 seconds\."):
        world.login()


def test_a_login_that_is_open_goes_on_while_its_account_waits(world: World) -> None:
    world.confirmed()
    login = world.login()

    answers(world, _wrong_login, 6)

    assert world.is_live(login)


def test_a_right_password_ends_the_row(world: World) -> None:
    world.confirmed()
    for _ in range(3):
        answers(world, _wrong_login, 4)
        world.login()

    assert rows(world) == 0


def test_the_right_password_of_an_unconfirmed_account_waits_too(world: World) -> None:
    world.register()
    answers(world, _wrong_login, 5)

    with pytest.raises(TooManyTries):
        world.login()


def test_a_day_without_a_wrong_try_ends_the_row(world: World) -> None:
    world.confirmed()
    answers(world, _wrong_login, 4)
    world.clock.advance(tries.FORGOTTEN_AFTER)

    assert answers(world, _wrong_login, 5) == [InvalidCredentials] * 5


def test_wrong_passwords_leave_the_way_by_mail_open_and_a_reset_ends_the_wait(world: World) -> None:
    world.confirmed()
    code = world.forgot()
    answers(world, _wrong_login, 6)

    world.accounts().reset_password("johndoe", code, NEW_PASSWORD)

    assert world.login(password=NEW_PASSWORD)


def test_while_an_account_waits_no_code_of_it_is_burnt(world: World) -> None:
    world.confirmed()
    world.forgot()
    answers(world, _wrong_reset, 6)
    code = world.forgot()
    for _ in range(20):
        wait(world, _wrong_reset)
    world.clock.advance(timedelta(seconds=30))

    world.accounts().reset_password("johndoe", code, NEW_PASSWORD)

    assert world.login(password=NEW_PASSWORD)


def test_a_new_code_is_no_new_row_of_guesses(world: World) -> None:
    world.confirmed()
    world.forgot()
    answers(world, _wrong_reset, 6)

    code = world.forgot()

    with pytest.raises(TooManyTries):
        world.accounts().reset_password("johndoe", code, NEW_PASSWORD)


@pytest.mark.parametrize("name", ["johndoe", "nobody"])
def test_of_guesses_at_once_no_more_than_five_are_answered(world: World, name: str) -> None:
    world.confirmed()

    results = world.at_once([lambda accounts: accounts.login(name, NEW_PASSWORD)] * 16)

    assert sum(isinstance(result, InvalidCredentials) for result in results) == 5
    assert sum(isinstance(result, TooManyTries) for result in results) == 11


def test_a_right_guess_among_many_at_once_is_not_told_behind_the_fifth(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.confirmed()
    real = verify_password

    def verify_while_others_guess(*arguments: object) -> bool:
        monkeypatch.setattr(accounts_module, "verify_password", real)
        answers(world, _wrong_login, 5)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(accounts_module, "verify_password", verify_while_others_guess)

    with pytest.raises(TooManyTries):
        world.login()


def test_right_passwords_at_once_wait_for_nobody(world: World) -> None:
    world.confirmed()

    results = world.at_once([lambda accounts: accounts.login("johndoe", PASSWORD)] * 12)

    assert not [result for result in results if isinstance(result, Exception)]


def test_the_other_accounts_wait_for_nobody(world: World) -> None:
    world.confirmed()
    world.confirmed("janedoe", "jane@example.com")

    answers(world, _wrong_login, 6)

    assert world.login("janedoe")


def test_names_that_nobody_has_share_so_many_rows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tries, "SLOTS", 4)

    for n in range(40):
        answers(world, lambda world, n=n: _wrong_login(world, f"nobody{n}"), 1)  # type: ignore[misc]

    assert rows(world) == 4


def test_a_name_that_takes_over_a_row_begins_a_new_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tries, "SLOTS", 1)
    answers(world, lambda world: _wrong_login(world, "nobody"), 5)

    found = answers(world, lambda world: _wrong_login(world, "another"), 5)

    assert found == [InvalidCredentials] * 5


def test_rows_that_count_no_more_are_swept(world: World) -> None:
    world.confirmed()
    answers(world, _wrong_login, 5)
    world.accounts().sweep(dry_run=False)
    before = rows(world)
    world.clock.advance(tries.FORGOTTEN_AFTER)

    world.accounts().sweep(dry_run=True)
    dry = rows(world)
    world.accounts().sweep(dry_run=False)

    assert (before, dry, rows(world)) == (1, 1, 0)


def test_nothing_is_hashed_for_a_wrong_code_or_a_try_that_comes_too_early(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.confirmed()
    world.forgot()
    answers(world, _wrong_login, 5)
    hashed: list[object] = []
    for name in ("hash_password", "verify_password"):
        monkeypatch.setattr(accounts_module, name, lambda *args: hashed.append(args))

    answers(world, _wrong_reset, 7)
    answers(world, _wrong_login, 2)
    answers(world, _wrong_change, 2)

    assert hashed == []


def test_a_code_that_was_right_is_still_good_when_the_hashing_found_no_place(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.confirmed()
    code = world.forgot()

    def busy(*_: object) -> str:
        raise Busy

    with monkeypatch.context() as crowded:
        crowded.setattr(accounts_module, "hash_password", busy)
        for _ in range(6):
            assert world.refuses(_resetting(code))

    world.accounts().reset_password("johndoe", code, NEW_PASSWORD)

    assert world.login(password=NEW_PASSWORD)


# --- how many codes -------------------------------------------------------------------------------


def test_an_account_is_sent_five_codes_an_hour_of_both_kinds_and_the_last_stays_good(
    world: World,
) -> None:
    world.register()
    for _ in range(2):
        world.accounts().resend_code("johndoe")
        world.accounts().forgot_password("john@example.com")
    code = world.outbox.code

    world.accounts().resend_code("johndoe")
    world.accounts().forgot_password("johndoe")

    assert len(world.outbox.mails) == 5
    world.accounts().reset_password("johndoe", code, NEW_PASSWORD)


def test_a_code_more_is_sent_when_the_first_is_an_hour_old(world: World) -> None:
    world.confirmed()
    for _ in range(6):
        world.forgot()
        world.clock.advance(timedelta(minutes=10))
    sent = len(world.outbox.mails)
    world.forgot()
    world.forgot()

    assert (sent, len(world.outbox.mails)) == (5, 6)


def test_codes_that_are_asked_for_at_once_are_five_at_most(world: World) -> None:
    world.confirmed()

    world.at_once([lambda accounts: accounts.forgot_password("johndoe")] * 12)

    assert len(world.outbox.mails) == 5


def test_a_wrong_code_is_tried_no_more_often_for_a_code_more(world: World) -> None:
    world.confirmed()
    code = world.forgot()

    assert answers(world, lambda w: w.accounts().confirm("johndoe", wrong(code)), 1) == [
        InvalidCode
    ]


def rows(world: World) -> int:
    return world.open_session().scalar(select(func.count()).select_from(FailedTries)) or 0


def _resetting(code: str) -> Callable[[Accounts], None]:
    return lambda accounts: accounts.reset_password("johndoe", code, NEW_PASSWORD)
