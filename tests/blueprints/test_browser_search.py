"""GET /api/s3/search: what one search costs, however many objects there are."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from softfactory.http.runtime import runtime
from softfactory.services.browser import search as search_module
from tests.blueprints.browser_client import put, root, store
from tests.conftest import Caller
from tests.stacks import both_databases, one_stack


@both_databases
def test_a_search_past_its_bound_goes_on_through_the_rows(
    monkeypatch: pytest.MonkeyPatch, app: Flask, alice: Caller
) -> None:
    monkeypatch.setattr(search_module, "MAX_LIST_LIMIT", 2)
    monkeypatch.setattr(search_module, "MAX_SCANNED", 2)
    names = ["a-hit", "b", "c-Hit", "d", "e", "f/H\u0049t.txt"]
    for name in names:
        put(alice, name)
    store(app, root(alice) + "z-hit-without-a-row")

    answer = alice.get("/api/s3/search", query_string={"query": "HIT"})

    keys = [entry["key"].removeprefix(root(alice)) for entry in answer.get_json()]
    assert keys == ["a-hit", "c-Hit", "f/HIt.txt"]
    assert answer.headers["X-Search-Complete"] == "false"
    assert {entry["size"] for entry in answer.get_json()} == {5}


@one_stack
def test_a_search_without_a_hit_asks_storage_a_bounded_number_of_times(
    monkeypatch: pytest.MonkeyPatch, make_app: Callable[..., Flask], app: Flask, alice: Caller
) -> None:
    monkeypatch.setattr(search_module, "MAX_LIST_LIMIT", 2)
    monkeypatch.setattr(search_module, "MAX_SCANNED", 6)
    for number in range(20):
        store(app, f"{root(alice)}{number:02}")
    asked: list[str] = []

    class Counting:
        """A storage that notes each list."""

        def __getattr__(self, verb: str) -> Any:
            return getattr(storage, verb)

        def list_objects(self, prefix: str, **options: Any) -> Any:
            asked.append(prefix)
            return storage.list_objects(prefix, **options)

    with app.app_context():
        storage = runtime().storage
    client = make_app(storage=Counting()).test_client()

    answer = client.get("/api/s3/search?query=none", headers=alice.headers)

    assert (answer.get_json(), len(asked)) == ([], 3)


@one_stack
def test_a_search_that_looked_at_everything_says_so(alice: Caller) -> None:
    put(alice, "a")

    answer = alice.get("/api/s3/search?query=a")

    assert answer.headers["X-Search-Complete"] == "true"


@one_stack
def test_searching_has_a_budget_of_its_own(make_app: Callable[..., Flask], alice: Caller) -> None:
    client = make_app(ratelimit_enabled=True, ratelimit_search="2 per minute").test_client()

    answers = [
        client.get("/api/s3/search?query=a", headers=alice.headers).status_code for _ in range(3)
    ]
    others = client.get("/api/s3/objects", headers=alice.headers)

    assert (answers, others.status_code) == ([200, 200, 429], 200)
