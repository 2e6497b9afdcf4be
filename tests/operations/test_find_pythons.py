"""Which Python runs the service: any that can, wherever the machine keeps it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.server import ROOT

FIND = ROOT / "scripts" / "find_pythons.sh"
MAKE_VENV = ROOT / "scripts" / "make_venv.sh"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A directory that stands for a machine without any Python: a PATH and a home."""
    commands = tmp_path / "bin"
    commands.mkdir()
    (tmp_path / "home").mkdir()
    for name in ("sh", "awk", "head", "cut", "dirname"):
        (commands / name).symlink_to(str(shutil.which(name)))
    return tmp_path


def install(path: Path, minor: int, missing: str = "") -> Path:
    """Write a command that answers as Python 3.``minor`` does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    described = "\t".join(filter(None, [str(minor), str(path), missing]))
    path.write_text(f"#!/bin/sh\necho '{described}'\n")
    path.chmod(0o755)
    return path


def run(
    script: Path, machine: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(script), *arguments],
        env={"PATH": str(machine / "bin"), "HOME": str(machine / "home"), **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def found(machine: Path, *candidates: str, **environment: str) -> list[str]:
    return run(FIND, machine, *candidates, **environment).stdout.splitlines()


@pytest.mark.parametrize("minor", [11, 12, 13, 14])
def test_the_python_of_the_system_is_found_whichever_it_is(machine: Path, minor: int) -> None:
    python = install(machine / "bin" / "python3", minor)

    assert found(machine) == [str(python)]


@pytest.mark.parametrize(
    "place",
    [
        "home/.pyenv/versions/3.12.1/bin/python",
        "home/.local/share/uv/python/cpython-3.12.7-linux-x86_64-gnu/bin/python3",
        "bin/python3.12",
    ],
)
def test_it_is_found_where_pyenv_and_uv_and_the_system_put_it(machine: Path, place: str) -> None:
    python = install(machine / place, 12)

    assert found(machine) == [str(python)]


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("PYENV_ROOT", "versions/3.13.0/bin/python"),
        ("UV_PYTHON_INSTALL_DIR", "cpython-3.13.0-linux-x86_64-gnu/bin/python3"),
        ("XDG_DATA_HOME", "uv/python/cpython-3.13.0-linux-x86_64-gnu/bin/python3"),
    ],
)
def test_directories_that_were_moved_are_looked_into(
    machine: Path, variable: str, place: str
) -> None:
    python = install(machine / "a place" / place, 13)

    assert found(machine, **{variable: str(machine / "a place")}) == [str(python)]


def test_the_oldest_comes_first_and_each_version_once(machine: Path) -> None:
    newer = install(machine / "bin" / "python3", 13)
    older = install(machine / "home/.pyenv/versions/3.11.7/bin/python", 11)
    install(machine / "home/.pyenv/versions/3.13.0/bin/python", 13)
    install(machine / "bin" / "python3.13", 13).rename(newer)

    assert found(machine)[0] == str(older)
    assert len(found(machine)) == 2


@pytest.mark.parametrize("minor", [9, 10, 15])
def test_one_that_nobody_tried_is_not_taken(machine: Path, minor: int) -> None:
    install(machine / "bin" / "python3", minor)

    assert found(machine) == []


def test_one_that_can_make_no_environment_stands_behind_one_that_can(machine: Path) -> None:
    bare = install(machine / "bin" / "python3.11", 11, missing="ensurepip")
    whole = install(machine / "bin" / "python3.12", 12)

    assert found(machine) == [str(whole), f"{bare}\tensurepip"]


def test_the_python_that_runs_this_test_is_one() -> None:
    assert subprocess.run(["/bin/sh", str(FIND), sys.executable], check=False).returncode == 0


def test_without_any_a_sentence_says_which_and_how_to_name_one(machine: Path) -> None:
    ran = run(MAKE_VENV, machine, str(machine / "venv"), "requirements.txt")

    assert ran.returncode == 1
    assert "needs Python 3.11, 3.12, 3.13 or 3.14. What the PATH, pyenv and uv have" in ran.stderr
    assert "make run PYTHON=/path/to/python3" in ran.stderr


def test_one_that_is_named_and_does_not_do_is_said_to_be_that_one(machine: Path) -> None:
    old = install(machine / "old python", 9)

    ran = run(MAKE_VENV, machine, str(machine / "venv"), "requirements.txt", PYTHON=str(old))

    assert ran.returncode == 1
    assert f"{old} is none of them." in ran.stderr


def test_one_without_ensurepip_is_told_what_to_install(machine: Path) -> None:
    install(machine / "bin" / "python3", 12, missing="ensurepip")

    ran = run(MAKE_VENV, machine, str(machine / "venv"), "requirements.txt")

    assert ran.returncode == 1
    assert "its module ensurepip is missing" in ran.stderr
    assert "apt-get install python3-venv" in ran.stderr
