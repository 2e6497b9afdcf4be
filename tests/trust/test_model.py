"""Any sequence of operations through all contracts leaves what a simple model says."""

import os
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.conftest import Caller, needs_postgresql
from tests.doubles import FakeClock
from tests.trust.model import FilesMachine, Room

EXAMPLES = int(os.environ.get("TRUST_EXAMPLES") or 0)
"""How many sequences the long form tries; the short one is the same in every run."""

SHORT = {"local": 8, "s3-moto": 2}
STEPS = 30


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """The application, in which logins outlive any sequence."""
    logins, urls = timedelta(days=300), timedelta(days=7)
    return make_app(refresh_token_lifetime=logins, signed_url_lifetime=urls, restore_days=365)


@pytest.mark.parametrize(
    ("database_url", "storage_settings"),
    [
        pytest.param("sqlite", "local", id="sqlite-local"),
        pytest.param("postgresql", "s3-moto", marks=needs_postgresql, id="postgresql-s3-moto"),
    ],
    indirect=True,
)
def test_every_list_and_every_byte_is_as_the_model_says(
    app: Flask, clock: FakeClock, sign_in: Callable[..., Caller], request: pytest.FixtureRequest
) -> None:
    room = Room(app, clock, sign_in)
    short = next(count for name, count in SHORT.items() if name in request.node.name)
    profile = settings(
        max_examples=EXAMPLES or short,
        stateful_step_count=STEPS,
        derandomize=not EXAMPLES,
        database=None,
        print_blob=True,
        # Shrinking would take many times as long; a failure tells its steps as they were.
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=[*HealthCheck],
    )

    class Machine(FilesMachine):
        def __init__(self) -> None:
            super().__init__(room)

    FilesMachine.steps = 0
    run_state_machine_as_test(Machine, settings=profile)

    assert FilesMachine.steps > 0
    sys.stdout.write(f"model: {FilesMachine.steps} steps, each held against every list\n")
