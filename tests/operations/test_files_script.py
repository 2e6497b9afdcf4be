"""``./files``: the operator's commands from a clone, from any directory."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.server import ROOT


def run(script: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(script), *arguments],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "APP_ENV": "testing", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A directory that holds the script, and no environment."""
    shutil.copy(ROOT / "files", tmp_path)
    return tmp_path


def test_it_runs_the_commands_from_any_directory() -> None:
    ran = run(ROOT / "files", "users", "create", "--help")

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("Usage: ./files users create [OPTIONS] NAME EMAIL")


def test_without_an_environment_it_says_what_builds_one(clone: Path) -> None:
    ran = run(clone / "files", "users", "create", PATH=str(_shell_alone(clone)))

    assert ran.returncode == 1
    assert "`make run` installs them into .venv" in ran.stderr


def test_an_environment_that_is_half_built_is_none(clone: Path) -> None:
    python = clone / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 0\n")
    python.chmod(0o755)

    ran = run(clone / "files", PATH=str(_shell_alone(clone)))

    assert ran.returncode == 1


def test_where_the_packages_are_on_the_path_as_in_the_image_it_uses_those(clone: Path) -> None:
    commands = _shell_alone(clone)
    python = commands / "python3"
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)

    ran = run(clone / "files", "storage", "check", PATH=str(commands))

    assert ran.stdout.endswith("--app wsgi storage check\n")


def _shell_alone(directory: Path) -> Path:
    """Return a PATH without any Python."""
    commands = directory / "commands"
    commands.mkdir()
    for name in ("sh", "dirname", "readlink"):
        (commands / name).symlink_to(str(shutil.which(name)))
    return commands
