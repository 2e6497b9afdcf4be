"""The operator's changes of accounts: what each ends beside logins."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import cast

import pytest
from sqlalchemy import update

from softfactory.models import User
from softfactory.services.administration import Administration
from softfactory.services.credentials import Credentials
from softfactory.services.unit_of_work import write
from tests.services.accounts_world import NEW_PASSWORD, World

Change = Callable[[Administration], object]


class NotedCredentials:
    """Credentials that note whose keys were ended, of which each user has one."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def end_all(self, user: User, *, made_until: datetime) -> int:
        self.ended.append(user.username)
        return 1


@pytest.fixture
def credentials() -> NotedCredentials:
    return NotedCredentials()


@pytest.fixture
def administration(world: World, credentials: NotedCredentials) -> Administration:
    world.confirmed()
    accounts = world.accounts()
    keys = replace(accounts.revocation.keys, credentials=cast(Credentials, credentials))
    return Administration(
        session=accounts.session,
        clock=world.clock,
        users=accounts.users,
        revocation=replace(accounts.revocation, keys=keys),
    )


@pytest.mark.parametrize(
    ("change", "mailed"),
    [
        (lambda service: service.disable("johndoe"), []),
        (lambda service: service.delete("johndoe"), []),
        (lambda service: service.set_password("johndoe", NEW_PASSWORD), ["john@example.com"]),
    ],
)
def test_access_keys_end_too_and_who_is_let_in_again_is_told(
    world: World,
    administration: Administration,
    credentials: NotedCredentials,
    change: Change,
    mailed: list[str],
) -> None:
    login = world.login()

    change(administration)

    assert not world.is_live(login)
    assert credentials.ended == ["johndoe"]
    assert world.outbox.recipients == mailed


def test_who_is_disabled_while_their_password_is_verified_gets_no_login(
    world: World, administration: Administration, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify_while_disabled(*_: object) -> bool:
        administration.disable("johndoe")
        return True

    monkeypatch.setattr("softfactory.services.accounts.verify_password", verify_while_disabled)

    assert world.refuses(lambda accounts: accounts.login("johndoe", NEW_PASSWORD))
    assert world.refuses(lambda accounts: accounts.login("johndoe", NEW_PASSWORD))


def test_all_users_are_read_however_many(
    world: World, administration: Administration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("softfactory.services.administration.BATCH", 2)
    for n in range(4):
        world.confirmed(f"user{n}", f"user{n}@example.com")
    session = world.open_session()
    with write(session):
        session.execute(update(User).where(User.username == "user1").values(password_hash=None))

    names = [user.username for user in administration.all()]

    assert names == ["johndoe", "user0", "user2", "user3"]
