"""The servers of tests/e2e, and how long the tests of this folder run: ``make trust``."""

import os

import pytest

from tests.e2e.conftest import make_server, moto_server, storage_environment

__all__ = ["make_server", "moto_server", "storage_environment"]


@pytest.fixture
def seed() -> int:
    """What makes a failure repeatable."""
    return int(os.environ.get("TRUST_SEED") or 1)
