"""Time as the service knows it: aware, UTC, and injected where it decides something."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Anything that returns the current time as an aware UTC datetime."""


def utc_now() -> datetime:
    """Return the current time, aware and in UTC."""
    return datetime.now(UTC)


def isoformat(moment: datetime, *, milliseconds: bool = False) -> str:
    """Return ``moment`` as ISO 8601 in UTC with a ``Z`` (contracts: Time).

    Args:
        milliseconds: with three digits of them; otherwise whole seconds.
    """
    moment = moment.astimezone(UTC)
    fraction = f".{moment.microsecond // 1000:03}" if milliseconds else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"
