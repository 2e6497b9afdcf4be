"""Accounts: registering, confirming, and the codes that prove an address."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from softfactory.errors import InvalidCode, InvalidInput
from softfactory.models import MailCode, User
from softfactory.services.accounts import Accounts
from tests.services.accounts_world import CODE_LIFETIME, NEW_PASSWORD, PASSWORD, World, wrong

TICK = timedelta(seconds=1)


def test_registering_mails_a_code_to_the_address_and_nothing_else(world: World) -> None:
    code = world.register()

    assert world.outbox.recipients == ["john@example.com"]
    assert len(code) == 6


def test_a_code_is_not_kept_in_clear(world: World) -> None:
    code = world.register()

    row = world.open_session().scalars(select(MailCode)).one()
    assert code not in row.code_hash
    assert len(row.code_hash) == 64


def test_a_new_account_keeps_its_names_as_they_were_written(world: World) -> None:
    world.register("JohnDoe", "John.Doe@Example.com")

    user = world.open_session().scalars(select(User)).one()
    assert (user.username, user.email) == ("JohnDoe", "John.Doe@example.com")
    assert (user.is_admin, user.confirmed_at) == (False, None)
    assert user.created_at == world.clock()


def test_the_mailed_code_confirms_the_account(world: World) -> None:
    code = world.register()

    world.accounts().confirm("johndoe", code)

    assert world.login()


@pytest.mark.parametrize("name", ["JOHNDOE", "john@example.com", "JOHN@EXAMPLE.COM"])
def test_an_account_is_confirmed_by_either_name_in_any_case(world: World, name: str) -> None:
    code = world.register()

    world.accounts().confirm(name, code)

    assert world.login()


def test_every_field_that_is_not_acceptable_is_told_at_once(world: World) -> None:
    with pytest.raises(InvalidInput) as refused:
        world.accounts().register("a", "b", "c")

    assert sorted(refused.value.errors) == ["email", "password", "username"]
    assert world.outbox.mails == []


@pytest.mark.parametrize("username", ["johndoe", "JohnDoe", "JOHNDOE"])
def test_a_username_that_is_taken_is_taken_in_any_case(world: World, username: str) -> None:
    world.register()

    with pytest.raises(InvalidInput, match="Username already exists") as refused:
        world.accounts().register(username, "other@example.com", PASSWORD)

    assert list(refused.value.errors) == ["username"]


@pytest.mark.parametrize(
    ("prefix", "username"),
    [("backups/", "backups"), ("Backups/", "Backups"), ("backups/", "Backups")],
)
def test_a_username_below_which_storage_has_something_is_taken(
    world: World, prefix: str, username: str
) -> None:
    world.prefixes.add(prefix)

    with pytest.raises(InvalidInput, match="Username already exists") as refused:
        world.accounts().register(username, "other@example.com", PASSWORD)

    assert list(refused.value.errors) == ["username"]
    assert world.outbox.mails == []


@pytest.mark.parametrize("email", ["john@example.com", "John@Example.COM"])
def test_an_address_that_is_taken_is_taken_in_any_case(world: World, email: str) -> None:
    world.register()

    with pytest.raises(InvalidInput, match="Email already exists") as refused:
        world.accounts().register("other", email, PASSWORD)

    assert list(refused.value.errors) == ["email"]


def test_a_taken_name_and_a_taken_address_are_told_together(world: World) -> None:
    world.register()

    with pytest.raises(InvalidInput) as refused:
        world.accounts().register("johndoe", "john@example.com", PASSWORD)

    assert sorted(refused.value.errors) == ["email", "username"]


def test_of_two_who_register_one_name_at_once_one_gets_it(world: World) -> None:
    results = world.at_once([_registering("johndoe", f"john{n}@example.com") for n in range(4)])

    assert results.count(None) == 1
    assert {str(result)[:23] for result in results if result} == {"Username already exists"}
    assert len(world.outbox.mails) == 1


def test_of_two_who_register_one_address_at_once_one_gets_it(world: World) -> None:
    results = world.at_once([_registering(f"john{n}", "john@example.com") for n in range(4)])

    assert results.count(None) == 1
    assert {str(result)[:20] for result in results if result} == {"Email already exists"}


def test_a_wrong_code_confirms_nothing(world: World) -> None:
    code = world.register()

    with pytest.raises(InvalidCode):
        world.accounts().confirm("johndoe", wrong(code))


@pytest.mark.parametrize(
    "name", ["nobody", "public", "no@example.com", "", "\x00", "\ud800", "a b"]
)
def test_an_unknown_user_is_a_wrong_code(world: World, name: str) -> None:
    with pytest.raises(InvalidCode):
        world.accounts().confirm(name, "123456")


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "\ud800", "\x00", "١٢٣٤٥٦"])
def test_a_code_of_another_shape_is_a_wrong_code(world: World, code: str) -> None:
    world.register()

    with pytest.raises(InvalidCode):
        world.accounts().confirm("johndoe", code)


def test_a_code_survives_four_wrong_tries(world: World) -> None:
    code = world.register()
    for _ in range(4):
        assert world.refuses(lambda accounts: accounts.confirm("johndoe", wrong(code)))

    world.accounts().confirm("johndoe", code)

    assert world.login()


def test_a_code_does_not_survive_the_fifth_wrong_try(world: World) -> None:
    code = world.register()
    for _ in range(5):
        assert world.refuses(lambda accounts: accounts.confirm("johndoe", wrong(code)))

    with pytest.raises(InvalidCode):
        world.accounts().confirm("johndoe", code)


def test_wrong_tries_at_once_are_no_more_than_five_either(world: World) -> None:
    code = world.register()

    world.at_once([lambda accounts: accounts.confirm("johndoe", wrong(code))] * 20)

    assert world.open_session().scalars(select(MailCode.tries)).one() == 5
    assert world.refuses(lambda accounts: accounts.confirm("johndoe", code))


def test_a_code_is_good_until_its_time_is_over(world: World) -> None:
    code = world.register()
    world.clock.advance(CODE_LIFETIME - TICK)

    world.accounts().confirm("johndoe", code)

    assert world.login()


def test_a_code_whose_time_is_over_is_a_wrong_one(world: World) -> None:
    code = world.register()
    world.clock.advance(CODE_LIFETIME)

    with pytest.raises(InvalidCode):
        world.accounts().confirm("johndoe", code)


def test_a_code_is_good_once(world: World) -> None:
    code = world.register()
    world.accounts().confirm("johndoe", code)

    with pytest.raises(InvalidCode):
        world.accounts().confirm("johndoe", code)


def test_a_code_that_is_used_by_several_at_once_is_good_for_one(world: World) -> None:
    code = world.register()

    results = world.at_once([lambda accounts: accounts.confirm("johndoe", code)] * 5)

    assert results.count(None) == 1


def test_a_code_is_no_good_for_another_user(world: World) -> None:
    code = world.register()
    world.accounts().register("janedoe", "jane@example.com", PASSWORD)
    assert code != world.outbox.code  # One in a million runs tries in vain.

    with pytest.raises(InvalidCode):
        world.accounts().confirm("janedoe", code)


def test_a_confirmation_code_resets_no_password(world: World) -> None:
    code = world.register()

    with pytest.raises(InvalidCode):
        world.accounts().reset_password("johndoe", code, NEW_PASSWORD)


def test_a_new_code_ends_the_older_one(world: World) -> None:
    older = world.register()
    world.accounts().resend_code("johndoe")
    assert older != world.outbox.code  # One in a million runs tries in vain.

    with pytest.raises(InvalidCode):
        world.accounts().confirm("johndoe", older)

    world.accounts().confirm("johndoe", world.outbox.code)


def test_a_new_code_has_tries_and_time_of_its_own(world: World) -> None:
    older = world.register()
    for _ in range(5):
        world.refuses(lambda accounts: accounts.confirm("johndoe", wrong(older)))
    world.clock.advance(CODE_LIFETIME)

    world.accounts().resend_code("johndoe")
    world.accounts().confirm("johndoe", world.outbox.code)

    assert world.login()


def test_of_codes_that_are_asked_for_at_once_one_is_live(world: World) -> None:
    world.register()

    results = world.at_once([lambda accounts: accounts.resend_code("johndoe")] * 8)

    assert results == [None] * 8
    assert len(world.open_session().scalars(select(MailCode)).all()) == 1


@pytest.mark.parametrize("name", ["JohnDoe", "John@Example.com"])
def test_a_code_is_resent_by_either_name_in_any_case(world: World, name: str) -> None:
    world.register()

    world.accounts().resend_code(name)

    assert world.outbox.recipients == ["john@example.com"] * 2


def test_nothing_is_resent_to_a_confirmed_account(world: World) -> None:
    world.confirmed()

    world.accounts().resend_code("johndoe")

    assert world.outbox.mails == []


def test_a_request_sees_what_another_one_did_in_the_meantime(world: World) -> None:
    code = world.register()
    accounts = world.accounts()
    known = accounts.session.scalars(select(User)).one()
    accounts.session.commit()
    world.accounts().confirm("johndoe", code)

    accounts.resend_code(known.username)

    assert len(world.outbox.mails) == 1


@pytest.mark.parametrize("name", ["nobody", "no@example.com", "", "\x00", "\ud800"])
def test_nothing_is_resent_to_an_unknown_user(world: World, name: str) -> None:
    world.accounts().resend_code(name)

    assert world.outbox.mails == []


def test_an_account_whose_code_ran_out_keeps_its_name(world: World) -> None:
    world.register()
    world.clock.advance(timedelta(days=365))

    with pytest.raises(InvalidInput, match="Username already exists"):
        world.register()


def test_an_account_made_without_mail_can_log_in_at_once(world: World) -> None:
    user = world.accounts().create_confirmed("johndoe", "john@example.com", PASSWORD)

    assert user.id
    assert not user.is_admin
    assert world.login()
    assert world.outbox.mails == []


def test_an_administrator_is_made_without_mail(world: World) -> None:
    user = world.accounts().create_confirmed("root", "r@example.com", PASSWORD, is_admin=True)

    assert user.is_admin


def test_making_an_account_without_mail_obeys_the_same_rules(world: World) -> None:
    world.register()

    with pytest.raises(InvalidInput, match="Username already exists"):
        world.accounts().create_confirmed("JohnDoe", "other@example.com", PASSWORD)
    with pytest.raises(InvalidInput, match="upper case"):
        world.accounts().create_confirmed("other", "other@example.com", "securepass123")


def _registering(username: str, email: str) -> Callable[[Accounts], None]:
    return lambda accounts: accounts.register(username, email, PASSWORD)


def test_nobody_gets_an_id_that_storage_already_uses(world: World) -> None:
    world.confirmed("first", "first@example.com")
    first = world.accounts().users.find("first")
    assert first is not None
    # As where the database was lost, or set back to what it was before these had their ids.
    used = {first.id + ahead for ahead in range(1, 8)}
    world.prefixes |= {f"uploads/{used_id}/" for used_id in used}

    for name in ("second", "third", "fourth"):
        world.confirmed(name, f"{name}@example.com")

    ids = world.open_session().scalars(select(User.id).order_by(User.id)).all()
    assert len(ids) == 4
    assert not used & {*ids}
