"""The matrix at the end of a run: how many tests ran on which database and storage."""

import re
from collections import Counter
from typing import Any

import pytest

DATABASES = ("sqlite", "postgresql")
STORAGES = ("local-unversioned", "local", "s3-moto-unversioned", "s3-moto", "s3-rgw")
OUTCOMES = ("passed", "failed", "error", "skipped")


def stack_of(test_id: str) -> str | None:
    """Return ``database x storage`` of a test's id, one of the two where it has one only."""
    parameters = re.search(r"\[(.*)\]$", test_id, re.DOTALL)
    if parameters is None:
        return None
    text = f"-{parameters[1]}-"
    found = [
        next((name for name in names if f"-{name}-" in text), "") for names in (DATABASES, STORAGES)
    ]
    return " x ".join(filter(None, found)) or None


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print a line for each combination that tests ran on."""
    counts: Counter[tuple[str, str]] = Counter()
    for outcome in OUTCOMES:
        for report in terminalreporter.stats.get(outcome, ()):
            if (stack := stack_of(report.nodeid)) is not None:
                counts[stack, outcome] += 1
    stacks = sorted({stack for stack, _ in counts})
    if not stacks:
        return
    terminalreporter.section("matrix: database x storage")
    for stack in stacks:
        told = [f"{counts[stack, o]} {o}" for o in OUTCOMES if counts[stack, o]]
        terminalreporter.write_line(f"{stack:<34} {', '.join(told)}")
