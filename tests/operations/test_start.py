"""What would fail later stops the start, by a sentence that says what to do."""

import logging
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory

from config import BASE_DIR, Config
from softfactory.http.server import binding
from softfactory.http.server.schema import known_versions, prepare_schema
from tests.conftest import needs_postgresql
from tests.e2e.server import ROOT, Server, free_port


def arbiter(workers: int = 1, *addresses: tuple[str, int]) -> Any:
    cfg = SimpleNamespace(workers=workers, address=list(addresses), reuse_port=False)
    return SimpleNamespace(cfg=cfg, master_pid=0, log=logging.getLogger("gunicorn.error"))


def at_version(path: Path, template: bytes, version: str) -> Config:
    """Return the configuration of a SQLite database that says it has this schema."""
    path.write_bytes(template)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
    return Config(app_env="testing", database_url=f"sqlite:///{path}")


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that another server listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


# --- addresses ------------------------------------------------------------------------------------


def test_a_taken_port_is_one_sentence_that_names_bind(taken_port: int, tmp_path: Path) -> None:
    address = f"127.0.0.1:{taken_port}"
    ran = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "--bind", address, "wsgi:app"],
        cwd=ROOT,
        env={"APP_ENV": "testing", "DATABASE_URL": f"sqlite:///{tmp_path}/none.db"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode == 1
    assert f"BIND: port {taken_port} of 127.0.0.1 is taken" in ran.stderr
    assert "make run BIND=" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_port_that_is_freed_while_the_other_server_stops_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setattr(time, "sleep", lambda _seconds: other.close())

        binding.refuse_unusable_addresses(arbiter(1, ("127.0.0.1", port)))


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_one_sentence(host: str) -> None:
    with pytest.raises(SystemExit, match=f"BIND: {host} is no address of this machine"):
        binding.refuse_unusable_addresses(arbiter(1, (host, 8000)))


@pytest.mark.parametrize("port", [-1, 65_536, 99_999_999_999])
def test_a_number_that_is_no_port_is_one_sentence(port: int) -> None:
    with pytest.raises(SystemExit, match=f"BIND: {port} is no port. Choose one from 1 to 65535: "):
        binding.refuse_unusable_addresses(arbiter(1, ("127.0.0.1", port)))


def test_an_address_that_is_free_is_none_of_its_business() -> None:
    binding.refuse_unusable_addresses(arbiter(1, ("127.0.0.1", free_port()), ("::1", 0)))


# --- the schema -----------------------------------------------------------------------------------


def test_the_newest_version_is_alembics_head() -> None:
    scripts = AlembicConfig()
    scripts.set_main_option("script_location", str(BASE_DIR / "migrations"))

    assert known_versions()[-1] == ScriptDirectory.from_config(scripts).get_current_head()


def test_one_worker_on_sqlite_starts_on_no_database_at_all(tmp_path: Path) -> None:
    settings = {
        "APP_ENV": "production",
        "SECRET_KEY": "start-secret-of-more-than-thirty-two-characters",
        "JWT_SECRET_KEY": "start-jwt-secret-of-more-than-thirty-two-characters",
        "DATABASE_URL": f"sqlite:///{tmp_path}/new.db",
        "MEDIA_ROOT": str(tmp_path / "media"),
    }
    server = Server(settings=settings, log=tmp_path / "server.log")

    server.start()
    server.kill()

    assert "schema from none to" in server.log.read_text()


def test_several_workers_stop_before_an_older_schema_with_the_command(
    tmp_path: Path, sqlite_template: bytes
) -> None:
    config = at_version(tmp_path / "old.db", sqlite_template, "0001")

    with pytest.raises(SystemExit, match=r"older than this code.*\./files db upgrade"):
        prepare_schema(config, arbiter(2))


def test_a_start_that_is_stopped_while_it_upgrades_says_so_in_one_sentence(
    tmp_path: Path, sqlite_template: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_command: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    config = at_version(tmp_path / "old.db", sqlite_template, "0001")
    monkeypatch.setattr(subprocess, "run", stopped)

    with pytest.raises(SystemExit, match=r"Stopped while .* The next start goes on\."):
        prepare_schema(config, arbiter(1))


@needs_postgresql
def test_production_on_postgresql_stops_before_an_older_schema(postgresql_url: str) -> None:
    secret = "a-secret-of-more-than-thirty-two-characters"
    old = f"{postgresql_url}%20-csearch_path%3Dnowhere"
    config = Config(secret_key=secret, jwt_secret_key=secret, database_url=old)

    with pytest.raises(SystemExit, match=r"schema \(none\) is older"):
        prepare_schema(config, arbiter(1))


@pytest.mark.parametrize("workers", [1, 2])
def test_older_code_does_not_start_on_a_newer_schema_of_the_one_machine_that_has_it(
    tmp_path: Path, sqlite_template: bytes, workers: int
) -> None:
    config = at_version(tmp_path / "new.db", sqlite_template, "9999")

    with pytest.raises(SystemExit, match=r"\(9999\) is newer.*\./files db downgrade"):
        prepare_schema(config, arbiter(workers))


@needs_postgresql
@pytest.mark.parametrize("workers", [1, 4])
def test_a_machine_with_older_code_starts_again_while_the_others_are_upgraded(
    postgresql_url: str, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    # A schema of its own, which only this test's connections see.
    newer = f"{postgresql_url}%20-csearch_path%3Dnewer"
    with psycopg.connect(postgresql_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS newer CASCADE")
        connection.execute("CREATE SCHEMA newer")
        connection.execute("CREATE TABLE newer.alembic_version AS SELECT '9999' AS version_num")

    prepare_schema(Config(app_env="testing", database_url=newer), arbiter(workers))

    assert "(9999) is newer than this code" in caplog.text


@needs_postgresql
def test_the_schema_of_this_code_is_let_in_on_postgresql(postgresql_url: str) -> None:
    prepare_schema(Config(app_env="testing", database_url=postgresql_url), arbiter(4))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_database_that_does_not_answer_stops_nothing(
    workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"postgresql+psycopg://someone:hush-hush@127.0.0.1:{free_port()}/none"

    prepare_schema(Config(app_env="testing", database_url=url), arbiter(workers))

    assert "could not be looked at: PostgreSQL said OperationalError" in caplog.text
    assert "hush" not in caplog.text
