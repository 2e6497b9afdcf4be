"""Requests made up from the OpenAPI document: nothing breaks, and every answer is as described."""

import re
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import CheckFunction, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.conftest import Caller
from tests.contracts.endpoints import ENDPOINTS
from tests.contracts.test_isolation import furnish
from tests.stacks import one_stack

ROUTES = sorted(
    {
        f"{e.method} {e.path}"
        for e in ENDPOINTS
        # The documents' pages are no operations; and after these two she is signed in no more.
        if not e.path.startswith(("/api/docs", "/api/redoc", "/api/openapi.json"))
        and e.path not in ("/api/auth/logout", "/api/auth/change-password")
    }
)

CONFORMANCE: list[CheckFunction] = [
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]

bounded = settings(
    max_examples=6,
    derandomize=True,  # the same requests in every run
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def operations(app: Flask) -> dict[str, Any]:
    """Return the operations of the document, by the route that the table names."""
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app)
    found: dict[str, Any] = {}
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        made = result.ok()
        found[f"{made.method.upper()} {re.sub('{[^}]*}', '{}', made.path).rstrip('/')}"] = made
    return found


@one_stack
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_no_request_breaks_anything_or_is_answered_otherwise_than_described(
    app: Flask, alice: Caller, mode: GenerationMode, subtests: pytest.Subtests
) -> None:
    furnish(alice, "hers")
    described = operations(app)
    for route in ROUTES:
        with subtests.test(route):
            # Local storage has no credentials to give, and says so with 501.
            has_501 = "/credentials/" in route
            checks = CONFORMANCE if has_501 else [not_a_server_error, *CONFORMANCE]
            # A route that takes nothing has nothing that could be wrong.
            with suppress(*[Unsatisfiable] if mode is GenerationMode.NEGATIVE else []):
                hold(described[route].as_strategy(generation_mode=mode), alice, checks)


def hold(cases: SearchStrategy[Any], caller: Caller, checks: list[CheckFunction]) -> None:
    """Send some of the requests, and check what is answered."""

    @bounded
    @given(case=cases)
    def send(case: Any) -> None:
        case.call_and_validate(headers=caller.headers, checks=checks)

    send()
