"""gunicorn's settings: refused where they would break a promise."""

import logging
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]

GUNICORN_CONF = Path(__file__).parents[2] / "gunicorn.conf.py"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A function that reads the settings in an environment of the test's own."""
    monkeypatch.chdir(tmp_path)
    for name in ("REDIS_URL", "WEB_CONCURRENCY", "TRUSTED_PROXIES"):
        monkeypatch.delenv(name, raising=False)

    def load(**environment: str) -> dict[str, Any]:
        for name, value in {"APP_ENV": "testing", **environment}.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(GUNICORN_CONF))

    return load


def server(workers: int) -> Any:
    cfg = SimpleNamespace(workers=workers, address=[], reuse_port=False)
    return SimpleNamespace(cfg=cfg, master_pid=0, log=logging.getLogger("gunicorn.error"))


@pytest.fixture
def database(tmp_path: Path, sqlite_template: bytes) -> str:
    """The URL of a database with the current schema."""
    (tmp_path / "current.db").write_bytes(sqlite_template)
    return f"sqlite:///{tmp_path}/current.db"


def test_several_workers_without_redis_do_not_start_and_the_reason_names_the_variable(
    load: Any,
) -> None:
    settings = load()

    with pytest.raises(SystemExit, match=r"^REDIS_URL: 2 workers need Redis"):
        settings["on_starting"](server(workers=2))


def test_several_workers_start_with_redis(load: Any, database: str) -> None:
    redis = "redis://127.0.0.1:6379/15"
    settings = load(REDIS_URL=redis, WEB_CONCURRENCY="3", DATABASE_URL=database)

    settings["on_starting"](server(workers=settings["workers"]))

    assert settings["workers"] == 3


def test_one_worker_starts_alone(load: Any, database: str) -> None:
    settings = load(DATABASE_URL=database)

    settings["on_starting"](server(workers=settings["workers"]))

    assert settings["workers"] == 1


def test_a_bad_variable_stops_the_start_with_its_name(load: Any) -> None:
    with pytest.raises(SystemExit, match="TRUSTED_PROXIES: must be a whole number"):
        load(TRUSTED_PROXIES="many")


def test_no_proxy_is_believed_but_by_the_application(load: Any) -> None:
    settings = load()

    assert (settings["forwarded_allow_ips"], settings["secure_scheme_headers"]) == ("", {})


def test_local_files_go_out_by_sendfile(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENDFILE", raising=False)
    effective = Config()
    for name, value in load().items():
        if name in effective.settings:
            effective.set(name, value)

    assert effective.sendfile is True
