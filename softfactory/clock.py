"""Time as the service knows it: aware, UTC, and injected where it decides something."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Anything that returns the current time as an aware UTC datetime."""


def utc_now() -> datetime:
    """Return the current time, aware and in UTC."""
    return datetime.now(UTC)


def isoformat(moment: datetime, *, milliseconds: bool = False) -> str:
    """Return ``moment`` as ISO 8601 in UTC with a ``Z`` (docs/api/README.md, Slashes and times).

    Args:
        milliseconds: with three digits of them; otherwise whole seconds.
    """
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds" if milliseconds else "seconds")
    return f"{text.removesuffix('+00:00')}Z"
