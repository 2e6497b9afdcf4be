"""The suite's own watch over answers: it sees each way in which one differs from its description."""

import json
from typing import Any

import pytest

from tests.described import faults

PRESIGNED = "/api/files/presigned-url"
GOOD = {
    "presigned_url": "https://files.example/a",
    "expires_at": "2099-01-01T00:00:00Z",
    "file_key": "a/b",
}
ERROR = {"error": "No.", "detail": "No.", "code": "NO"}


def found(
    body: Any, *, status: int = 200, method: str = "post", rule: str = PRESIGNED
) -> list[str]:
    return faults(method, rule, status, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, GOOD), (400, ERROR), (400, {**ERROR, "errors": {"file_id": ["No."]}}), (503, ERROR)],
)
def test_what_is_as_described_is_let_pass(status: int, body: Any) -> None:
    assert found(body, status=status) == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {name: value for name, value in GOOD.items() if name != "file_key"}),
        (200, {**GOOD, "more": 1}),
        (200, {**GOOD, "file_key": 7}),
        (200, {**GOOD, "file_key": None}),
        (200, {**GOOD, "expires_at": "tomorrow"}),
        (200, [GOOD]),
        (400, {"error": "No.", "code": "NO"}),
        (201, GOOD),
        (418, ERROR),
    ],
)
def test_what_is_not_as_described_is_seen(status: int, body: Any) -> None:
    assert len(found(body, status=status)) == 1


def test_a_status_that_is_not_described_is_seen_without_a_body_too() -> None:
    assert faults("get", "/api/files", 304, None) == ["this status is not described"]


def test_what_a_null_may_stand_for_is_described() -> None:
    page: dict[str, Any] = {"count": 0, "next": None, "previous": None, "results": []}

    assert found(page, method="get", rule="/v1/files") == []


def test_a_refused_file_without_its_reason_is_seen() -> None:
    body = {
        "message": "",
        "successful": [],
        "failed": [{"file_name": "a/b", "status": "failed"}],
    }

    (fault,) = found(body, rule="/api/files/upload")

    assert "failed/0" in fault
    assert "error" in fault


def test_where_no_route_answers_the_body_is_that_of_every_failure() -> None:
    good, bad = json.dumps(ERROR).encode(), b'{"error": "No."}'

    assert faults("get", None, 404, good) == []
    assert len(faults("get", None, 404, bad)) == 2
