"""Accounts: a name that nobody has takes the same statements as one that somebody has."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, event

from softfactory.errors import SoftFactoryError
from softfactory.services.accounts import Accounts
from tests.services.accounts_world import NEW_PASSWORD, World

UseCase = Callable[[Accounts, str], object]

USE_CASES: dict[str, UseCase] = {
    "forgot": lambda accounts, name: accounts.forgot_password(name),
    "resend": lambda accounts, name: accounts.resend_code(name),
    "confirm": lambda accounts, name: accounts.confirm(name, "123456"),
    "reset": lambda accounts, name: accounts.reset_password(name, "123456", NEW_PASSWORD),
    "login": lambda accounts, name: accounts.login(name, NEW_PASSWORD),
}


@pytest.mark.parametrize("use_case", USE_CASES)
@pytest.mark.parametrize("known", ["confirmed", "unconfirmed", "john@example.com"])
def test_whether_somebody_has_a_name_is_not_told_by_the_time_it_takes(
    world: World, engine: Engine, use_case: str, known: str
) -> None:
    world.confirmed("confirmed")
    world.register("unconfirmed", "jane@example.com")
    unknown = "nobody@example.com" if "@" in known else "nobody"

    costs = [
        statements(engine, partial(USE_CASES[use_case], world.accounts(), name))
        for name in (known, unknown)
    ]

    assert costs[0] == costs[1]


def statements(engine: Engine, run: Callable[[], Any]) -> Counter[str]:
    """Return how many statements there are of each kind; writing is writing."""
    found: Counter[str] = Counter()

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        kind = statement.split(maxsplit=1)[0]
        found["write" if kind in ("INSERT", "UPDATE") else kind] += 1

    event.listen(engine, "before_cursor_execute", count)
    try:
        with suppress(SoftFactoryError):
            run()
    finally:
        event.remove(engine, "before_cursor_execute", count)
    return found
