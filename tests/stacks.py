"""Which databases and storages a test runs on, where not on every combination of them."""

import pytest

from tests.conftest import needs_postgresql

_STACK = ("database_url", "storage_settings")

one_stack = pytest.mark.light
"""For what neither a database nor a storage has a part in."""

both_databases = pytest.mark.parametrize(
    _STACK,
    [("sqlite", "local"), pytest.param("postgresql", "local", marks=needs_postgresql)],
    indirect=True,
)
"""For what no storage has a part in."""

both_storages = pytest.mark.parametrize(
    _STACK, [("sqlite", "local"), ("sqlite", "s3-moto")], indirect=True
)
"""For what no database has a part in."""
