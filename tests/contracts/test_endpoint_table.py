"""Every endpoint of every document is routed, every route is in the table, every proof is a test."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from flask import Flask

from tests.contracts.endpoints import ENDPOINTS, Endpoint
from tests.stacks import one_stack

TESTS = Path(__file__).resolve().parents[1]


def routes(app: Flask) -> set[tuple[str, str]]:
    """Return method and path of everything in the URL map, as the table writes them."""
    return {
        (method, re.sub("<[^>]*>", "{}", rule.rule).rstrip("/"))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


@cache
def functions(module: str) -> frozenset[str]:
    """Return the names of the functions of a module below tests."""
    tree = ast.parse((TESTS / module).read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@one_stack
def test_every_endpoint_of_every_document_is_routed(app: Flask) -> None:
    asked = {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}

    assert asked - routes(app) == set()


@one_stack
def test_every_route_stands_in_the_table(app: Flask) -> None:
    asked = {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}

    assert routes(app) - asked == set()


@pytest.mark.parametrize(
    "endpoint", ENDPOINTS, ids=lambda e: f"{e.document.split('.')[0]} {e.method} {e.path}"
)
def test_the_proof_of_an_endpoint_is_a_test(endpoint: Endpoint) -> None:
    module, _, name = endpoint.proof.partition("::")

    assert name.startswith("test_")
    assert name in functions(module)
