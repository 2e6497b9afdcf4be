"""Is it alive, is it ready: what load balancers ask."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from softfactory.http import health
from softfactory.http.runtime import runtime
from tests.doubles import FailingStorage
from tests.stacks import one_stack

PATHS = ["/healthz", "/readyz", "/healthz/", "/readyz/"]


class BrokenStorage(FailingStorage):
    """A storage that can't be listed, for a reason with a path in it."""

    def list_objects(self, *args: Any, **kwargs: Any) -> Any:
        raise OSError(5, "Input/output error", "/srv/media/secret-path")


@pytest.mark.parametrize("path", PATHS)
def test_a_sound_service_is_alive_and_ready(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


@one_stack
def test_without_its_storage_it_is_alive_and_not_ready(make_app: Any, app: Any) -> None:
    with app.app_context():
        storage = BrokenStorage(runtime().storage)
    client = make_app(storage=storage).test_client()

    ready, alive = client.get("/readyz"), client.get("/healthz")

    assert ready.status_code == 503
    assert ready.get_json() == {"status": "unavailable", "failing": ["storage"]}
    assert alive.status_code == 200
    assert "secret-path" not in ready.text


@one_stack
def test_without_its_database_it_is_alive_and_not_ready(make_app: Any, tmp_path: Path) -> None:
    nowhere = f"sqlite:///{tmp_path / 'secret-path' / 'gone.db'}"
    client = make_app(database_url=nowhere).test_client()

    ready, alive = client.get("/readyz"), client.get("/healthz")

    assert ready.status_code == 503
    assert ready.get_json() == {"status": "unavailable", "failing": ["database"]}
    assert alive.status_code == 200
    assert "secret-path" not in ready.text


@one_stack
def test_a_database_server_that_does_not_answer_is_not_ready(make_app: Any) -> None:
    client = make_app(
        database_url="postgresql+psycopg://somebody:hunter2@127.0.0.1:1/files"
    ).test_client()

    ready = client.get("/readyz")

    assert (ready.status_code, ready.get_json()["failing"]) == (503, ["database"])
    assert "hunter2" not in ready.text


@one_stack
def test_all_that_fails_is_named(make_app: Any, app: Any, tmp_path: Path) -> None:
    with app.app_context():
        storage = BrokenStorage(runtime().storage)
    client = make_app(
        database_url=f"sqlite:///{tmp_path / 'no' / 'gone.db'}", storage=storage
    ).test_client()

    assert client.get("/readyz").get_json()["failing"] == ["database", "storage"]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A function that lets so many seconds pass for readiness."""
    seconds = [0.0]
    monkeypatch.setattr(health, "monotonic", lambda: seconds[0])

    def later(more: float) -> None:
        seconds[0] += more

    return later


@one_stack
def test_many_questions_in_a_second_are_one_to_storage(
    make_app: Any, app: Any, now: Callable[[float], None]
) -> None:
    with app.app_context():
        storage = FailingStorage(runtime().storage)
    client = make_app(storage=storage).test_client()
    client.get("/readyz")
    storage.fail_before = {"list_objects"}

    statuses = []
    for seconds in (0, 0.9, 0.2, 0.9):
        now(seconds)
        statuses.append(client.get("/readyz").status_code)

    assert statuses == [200, 200, 503, 503]


@one_stack
def test_a_part_that_recovers_makes_the_service_ready_again(
    make_app: Any, app: Any, now: Callable[[float], None]
) -> None:
    with app.app_context():
        storage = FailingStorage(runtime().storage)
    client = make_app(storage=storage).test_client()
    storage.fail_before = {"list_objects"}
    before = client.get("/readyz").status_code

    storage.fail_before = set()
    now(1)

    assert (before, client.get("/readyz").status_code) == (503, 200)


@one_stack
def test_a_service_that_was_told_to_stop_is_alive_and_not_ready(client: FlaskClient) -> None:
    stopping = {"softfactory.stopping": True}

    ready = client.get("/readyz", environ_overrides=stopping)
    alive = client.get("/healthz", environ_overrides=stopping)

    assert (ready.status_code, ready.get_json()) == (503, {"status": "stopping", "failing": []})
    assert alive.status_code == 200


@one_stack
def test_nobody_is_counted_for_asking(make_app: Any) -> None:
    client = make_app(ratelimit_enabled=True, ratelimit_default="1 per minute").test_client()

    answers = [client.get(path) for path in PATHS * 3]

    assert {answer.status_code for answer in answers} == {200}
    assert not [answer for answer in answers if "X-RateLimit-Limit" in answer.headers]
