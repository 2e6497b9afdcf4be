"""``flask users quota``: what a user may fill, set and told."""

import pytest
from flask import Flask

from tests.blueprints.quota_client import held
from tests.blueprints.test_files_upload import send
from tests.conftest import Caller
from tests.samples import pdf
from tests.stacks import both_databases, one_stack


def run(app: Flask, *arguments: str) -> tuple[int, str, str]:
    """Run the command; return its exit status, output and errors."""
    result = app.test_cli_runner().invoke(args=["users", "quota", *arguments])
    return result.exit_code, result.stdout, result.stderr


@both_databases
def test_it_sets_a_quota_and_tells_what_is_used(app: Flask, alice: Caller) -> None:
    send(alice, pdf())

    status, output, errors = run(app, "ALICE", "10GiB")

    assert (status, errors) == (0, "")
    assert f"{len(pdf())} bytes used" in output
    assert held(alice)["quota"] == 10 * 1024**3
    assert run(app, "alice@example.com")[1] == output


@one_stack
def test_none_is_no_limit_and_default_is_everybodys(app: Flask, alice: Caller) -> None:
    run(app, "alice", "0")
    zero = held(alice)["quota"]
    run(app, "alice", "none")
    unlimited = held(alice)["quota"]
    run(app, "alice", "default")

    assert (zero, unlimited, held(alice)["quota"]) == (0, None, None)


@one_stack
@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1000", 1000),
        ("1k", 1024),
        ("1.5 MiB", 1536 * 1024),
        ("2GB", 2 * 1024**3),
        ("1TiB", 1024**4),
    ],
)
def test_sizes_are_read_with_their_units(app: Flask, alice: Caller, text: str, size: int) -> None:
    run(app, "alice", text)

    assert held(alice)["quota"] == size


@one_stack
@pytest.mark.parametrize("text", ["lots", "-1", "10 GiBs", "9" * 18 + "T", "1e9", ""])
def test_what_is_no_size_is_refused_in_a_sentence(app: Flask, alice: Caller, text: str) -> None:
    status, _, errors = run(app, "alice", "--", text)

    assert status != 0
    assert "10GiB, 500MB, none or default" in errors


@one_stack
def test_a_user_that_is_not_there_is_named(app: Flask) -> None:
    assert run(app, "nobody", "1") == (1, "", "Error: There is no user nobody.\n")
