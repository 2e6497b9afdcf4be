"""The table of codes in ``docs/api`` names every code that the service answers with, and no other."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from softfactory import errors
from softfactory.http.errors import CODES, STATUSES
from softfactory.http.server import refusals

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api" / "README.md"

BY_NAME = (
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.LENGTH_REQUIRED,
    HTTPStatus.PRECONDITION_FAILED,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
)
"""What Werkzeug refuses here, with its status's name as the code."""

GIVEN = {(400, "FILE_TOO_LARGE"), (400, "INVALID_DIGEST")}
"""Codes that stand where an error is raised, instead of its own."""


def subclasses(kind: type[errors.SoftFactoryError]) -> Iterator[type[errors.SoftFactoryError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from subclasses(each)


def answered() -> set[tuple[int, str]]:
    """Return each status with its codes, as the code has them; 202 is no failure."""
    refused = [refusals.BUSY, refusals.INTERNAL, *refusals.REFUSALS.values()]
    pairs = {(int(refusal.status), refusal.code) for refusal in refused}
    pairs |= {(int(status), code) for status, code in CODES.items()}
    pairs |= {(int(status), status.name) for status in BY_NAME}
    for kind in subclasses(errors.SoftFactoryError):
        status = next(STATUSES[base] for base in kind.__mro__ if base in STATUSES)
        pairs.add((int(status), kind.code))
    return {pair for pair in pairs | GIVEN if pair[0] != HTTPStatus.ACCEPTED}


def documented() -> set[tuple[int, str]]:
    rows = re.findall(r"^\| (\d{3}) \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    return {
        (int(status), code) for status, codes in rows for code in re.findall(r"`([A-Z_]+)`", codes)
    }


@pytest.mark.parametrize("page", sorted(PAGE.parent.glob("*.md")), ids=lambda page: page.stem)
def test_no_page_names_a_code_that_there_is_not(page: Path) -> None:
    codes = {code for _, code in answered()} | {errors.RestoreInProgress.code}
    named = re.findall(r"\d{3} `([A-Z]+_[A-Z_]+)`", page.read_text())

    assert {*named} <= codes


def test_the_table_names_every_code_with_its_status() -> None:
    assert documented() == answered()
