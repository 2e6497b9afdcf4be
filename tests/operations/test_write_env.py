"""The ``.env`` that ``make run`` writes: fresh, private, and never overwritten."""

import stat
from pathlib import Path

import pytest

from config import MIN_SECRET_LENGTH, Config
from scripts.write_env import write_env


@pytest.fixture
def env(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def test_a_new_file_makes_a_development_configuration_with_its_own_secrets(env: Path) -> None:
    write_env(env)

    config = Config.from_env({"NOTHING": "set"}, dotenv=env)
    assert config.app_env == "development"
    assert config.secret_key != config.jwt_secret_key
    assert min(len(config.secret_key), len(config.jwt_secret_key)) >= MIN_SECRET_LENGTH


def test_two_files_have_different_secrets(tmp_path: Path) -> None:
    write_env(tmp_path / "one")
    write_env(tmp_path / "two")

    assert (tmp_path / "one").read_text() != (tmp_path / "two").read_text()


def test_only_the_owner_can_read_it(env: Path) -> None:
    write_env(env)

    assert stat.S_IMODE(env.stat().st_mode) == 0o600


def test_a_file_that_is_there_stays_as_it_is(env: Path) -> None:
    env.write_text("APP_ENV=production\nSECRET_KEY=mine")

    written = write_env(env)

    assert written == []
    assert env.read_text() == "APP_ENV=production\nSECRET_KEY=mine"


def test_named_variables_are_added_where_they_are_missing(env: Path) -> None:
    env.write_text("POSTGRES_PASSWORD=mine\nAWS_ACCESS_KEY_ID=")

    written = write_env(env, "POSTGRES_PASSWORD", "AWS_ACCESS_KEY_ID")

    assert written == ["AWS_ACCESS_KEY_ID"]
    assert env.read_text().startswith(
        "POSTGRES_PASSWORD=mine\nAWS_ACCESS_KEY_ID=\nAWS_ACCESS_KEY_ID="
    )
