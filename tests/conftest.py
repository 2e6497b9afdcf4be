"""One application a test, on every combination of database and storage that runs here."""

import itertools
import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from argon2 import PasswordHasher
from coverage import Coverage
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from hypothesis import settings
from moto import mock_aws
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from werkzeug.routing import Rule

from config import Config
from softfactory.factory import create_app
from softfactory.http.account_services import accounts
from softfactory.http.extensions import db
from softfactory.http.tokens import issue_tokens
from softfactory.models import Base, User
from softfactory.services import passwords
from tests import described, matrix
from tests.doubles import FakeClock

PASSWORD = "SecurePass123"

POSTGRESQL = os.environ.get("TEST_DATABASE_URL", "")
needs_postgresql = pytest.mark.skipif(
    not POSTGRESQL,
    reason="set TEST_DATABASE_URL=postgresql://postgres@127.0.0.1:5432/postgres to test on it",
)
REDIS = os.environ.get("TEST_REDIS_URL", "")
needs_redis = pytest.mark.skipif(
    not REDIS, reason="set TEST_REDIS_URL=redis://127.0.0.1:6379/15 to test on it"
)


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker of tests that need no matrix, and have the matrix printed."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(matrix, "matrix")
    config.pluginmanager.register(described, "described")
    config.addinivalue_line(
        "markers", "light: neither database nor storage matters; run on SQLite and local disk only"
    )
    config.addinivalue_line("markers", "real_hashes: what hashing costs is part of the test")
    # How long an example takes says how busy the machine is.
    settings.register_profile("suite", deadline=None)
    settings.load_profile("suite")
    # Every new client reads the same 2 MB of JSON, for a third of a second; nothing changes them.
    botocore.session.create_loader = lru_cache(botocore.session.create_loader)
    # Every new application compiles the same 74 rules, in two thirds of the time it takes.
    Rule._compile_builder = _compiled_once(Rule._compile_builder)  # type: ignore[method-assign]


def _compiled_once(compile_builder: Callable[..., Any]) -> Callable[..., Any]:
    compiled: dict[tuple[Any, ...], Any] = {}

    def compile_once(rule: Rule, append_unknown: bool = True) -> Any:
        what = (rule.rule, rule.merge_slashes, append_unknown)
        if rule.defaults or rule.subdomain or rule.host:
            return compile_builder(rule, append_unknown)
        if what not in compiled:
            compiled[what] = compile_builder(rule, append_unknown)
        return compiled[what]

    return compile_once


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take the tests marked ``light`` off every combination but the quickest."""
    heavy = []
    for item in items:
        params = (
            item.callspec.params
            if isinstance(item, pytest.Function) and hasattr(item, "callspec")
            else {}
        )
        quickest = (
            params.get("database_url", "sqlite") == "sqlite"
            and params.get("storage_settings", "local") == "local"
        )
        if item.get_closest_marker("light") and not quickest:
            heavy.append(item)
    items[:] = [item for item in items if item not in set(heavy)]
    config.hook.pytest_deselected(items=heavy)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Count no lines on PostgreSQL: counting takes a third of the time, and SQLite has its twin."""
    coverage = Coverage.current()
    is_twin = isinstance(item, pytest.Function) and "postgresql" in item.name
    if coverage is None or not is_twin:
        return (yield)
    coverage.stop()
    try:
        return (yield)
    finally:
        coverage.start()


@pytest.fixture(autouse=True)
def cheap_hashes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords at next to no cost: nearly every test signs somebody in."""
    if not request.node.get_closest_marker("real_hashes"):
        cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        monkeypatch.setattr(passwords, "_hasher", cheap)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a migrated, empty SQLite database."""
    path = tmp_path_factory.mktemp("template") / "empty.db"
    config = Config(app_env="testing", database_url=f"sqlite:///{path}", media_root=path.parent)
    app = create_app(config)
    with app.app_context():
        upgrade()
        db.engine.dispose()
    return path.read_bytes()


@pytest.fixture(scope="session")
def postgresql_server(worker_id: str) -> Iterator[Engine]:
    """A migrated PostgreSQL database of this test process, which answers before the disk does."""
    name = f"softfactory_test_{worker_id}_{os.getpid()}"
    url = make_url(POSTGRESQL).set(drivername="postgresql+psycopg")
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    own = url.set(database=name).update_query_dict({"options": "-csynchronous_commit=off"})
    engine = create_engine(own, pool_pre_ping=True)  # a test may end all connections
    app = create_app(Config(app_env="testing", database_url=_text_of(engine)))
    with app.app_context():
        upgrade()
        db.engine.dispose()
    yield engine
    engine.dispose()
    with server.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    server.dispose()


@pytest.fixture
def postgresql_url(postgresql_server: Engine) -> str:
    """The URL of an empty PostgreSQL database with the current schema."""
    with postgresql_server.begin() as connection:
        # TRUNCATE takes 150 ms, for a new file of every table and index; this takes two.
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
        restart = "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"
        connection.execute(text(restart))
    return _text_of(postgresql_server)


def _text_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=needs_postgresql)],
)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database with the current schema."""
    if request.param == "sqlite":
        path = tmp_path / "softfactory.db"
        path.write_bytes(request.getfixturevalue("sqlite_template"))
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture(params=["local", "s3-moto"])
def storage_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The settings of an empty storage."""
    if request.param == "local":
        yield {"upload_storage_handler": "local", "media_root": tmp_path / "media"}
        return
    with mock_aws():
        client = boto3.client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        client.create_bucket(Bucket="softfactory-test")
        client.put_bucket_versioning(
            Bucket="softfactory-test", VersioningConfiguration={"Status": "Enabled"}
        )
        yield {
            "upload_storage_handler": "s3",
            "aws_s3_bucket": "softfactory-test",
            "aws_access_key_id": "testing",
            "aws_secret_access_key": "testing",
        }


@pytest.fixture
def clock() -> FakeClock:
    """The application's time: it starts at the real one, because tokens' expiry goes by that."""
    return FakeClock(datetime.now(UTC))


@pytest.fixture
def config(database_url: str, storage_settings: dict[str, Any]) -> Config:
    """A testing configuration on this test's database and storage, without rate limits."""
    return Config(
        app_env="testing",
        database_url=database_url,
        local_restore=timedelta(0),
        ratelimit_enabled=False,
        **storage_settings,
    )


@pytest.fixture
def make_app(config: Config, clock: FakeClock) -> Iterator[Callable[..., Flask]]:
    """A function that makes an application on this test's database; settings can be changed."""
    apps: list[Flask] = []

    def make(**settings: Any) -> Flask:
        storage = settings.pop("storage", None)
        apps.append(create_app(replace(config, **settings), clock=clock, storage=storage))
        return apps[-1]

    yield make
    for app in apps:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """The application."""
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client that is not signed in."""
    return app.test_client()


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in user and a client that sends their token."""

    client: FlaskClient
    username: str
    user_id: int
    uuid: str
    access_token: str

    @property
    def headers(self) -> dict[str, str]:
        """The header that says who is calling."""
        return {"Authorization": f"Bearer {self.access_token}"}

    def get(self, path: str, **options: Any) -> Any:
        """GET ``path`` as this user."""
        return self._send("GET", path, options)

    def post(self, path: str, **options: Any) -> Any:
        """POST to ``path`` as this user."""
        return self._send("POST", path, options)

    def delete(self, path: str, **options: Any) -> Any:
        """DELETE ``path`` as this user."""
        return self._send("DELETE", path, options)

    def _send(self, method: str, path: str, options: dict[str, Any]) -> Any:
        headers = {**self.headers, **options.pop("headers", {})}
        return self.client.open(path, method=method, headers=headers, **options)


@pytest.fixture
def sign_in(app: Flask) -> Callable[..., Caller]:
    """A function that makes a confirmed user and signs them in."""
    numbers = itertools.count(1)

    def sign_in(username: str | None = None, *, is_admin: bool = False) -> Caller:
        name = username or f"user{next(numbers)}"
        with app.app_context():
            service = accounts()
            user: User = service.create_confirmed(
                name, f"{name}@example.com", PASSWORD, is_admin=is_admin
            )
            tokens = issue_tokens(service.login(name, PASSWORD), user)
            return Caller(app.test_client(), name, user.id, user.uuid, tokens.access_token)

    return sign_in


@pytest.fixture
def alice(sign_in: Callable[..., Caller]) -> Caller:
    """A signed-in user."""
    return sign_in("alice")


@pytest.fixture
def bob(sign_in: Callable[..., Caller]) -> Caller:
    """Another signed-in user."""
    return sign_in("bob")


@pytest.fixture
def admin(sign_in: Callable[..., Caller]) -> Caller:
    """A signed-in administrator."""
    return sign_in("root.admin", is_admin=True)
