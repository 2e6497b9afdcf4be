"""Codes by themselves: what one is good for, and how it is kept."""

import secrets

import pytest
from sqlalchemy import select

from softfactory.models import CodePurpose, MailCode, User
from softfactory.services.codes import Codes
from softfactory.services.unit_of_work import write
from tests.services.accounts_world import CODE_LIFETIME, ManualClock, OpenSession, World


@pytest.fixture
def codes(world: World, open_session: OpenSession, clock: ManualClock) -> Codes:
    """The codes of two users."""
    world.confirmed()
    world.confirmed("janedoe", "jane@example.com")
    return Codes(session=open_session(), clock=clock, secret="a secret", lifetime=CODE_LIFETIME)


def users(codes: Codes) -> list[User]:
    return list(codes.session.scalars(select(User).order_by(User.id)))


def hashes(codes: Codes) -> set[str]:
    return set(codes.session.scalars(select(MailCode.code_hash)))


def test_a_code_is_right_until_it_is_spent_and_is_spent_once(codes: Codes) -> None:
    user, _ = users(codes)

    with write(codes.session):
        code = codes.issue(user, CodePurpose.RESET)
        before = [codes.is_right(user, CodePurpose.RESET, code) for _ in range(7)]
        spent = [codes.spend(user, CodePurpose.RESET, code) for _ in range(2)]

        assert (before, spent) == ([True] * 7, [True, False])
        assert not codes.is_right(user, CodePurpose.RESET, code)
    assert hashes(codes) == set()


@pytest.mark.parametrize(("number", "code"), [(0, "000000"), (42, "000042"), (999_999, "999999")])
def test_a_code_has_six_digits_whatever_the_number(
    codes: Codes, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    monkeypatch.setattr(secrets, "randbelow", lambda limit: number)
    user, _ = users(codes)

    with write(codes.session):
        assert codes.issue(user, CodePurpose.RESET) == code


def test_one_code_is_kept_differently_for_each_user_and_purpose(
    codes: Codes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "randbelow", lambda limit: 42)

    with write(codes.session):
        for user in users(codes):
            for purpose in CodePurpose:
                codes.issue(user, purpose)

    assert len(hashes(codes)) == 4


def test_one_code_is_kept_differently_under_each_secret(
    codes: Codes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "randbelow", lambda limit: 42)
    user, _ = users(codes)
    other = Codes(
        session=codes.session, clock=codes.clock, secret="another", lifetime=CODE_LIFETIME
    )

    with write(codes.session):
        code = codes.issue(user, CodePurpose.RESET)

        assert not other.is_right(user, CodePurpose.RESET, code)
        assert codes.is_right(user, CodePurpose.RESET, code)
