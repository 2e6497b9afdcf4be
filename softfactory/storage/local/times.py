"""Times as the index keeps them: whole microseconds since 1970 in UTC, which compare and count."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


def to_ticks(moment: datetime) -> int:
    """Return an aware ``moment`` in microseconds, exactly."""
    return (moment - _EPOCH) // _TICK


def to_span(duration: timedelta) -> int:
    """Return ``duration`` in microseconds, exactly."""
    return duration // _TICK


def from_ticks(ticks: int) -> datetime:
    """Return the moment, aware and in UTC."""
    return _EPOCH + timedelta(microseconds=ticks)
