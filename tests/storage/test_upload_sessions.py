"""Sessions that sign upload URLs: kept for as long as they are good, and no longer."""

from datetime import UTC, datetime, timedelta

import pytest

from softfactory.errors import NotConfigured, StorageError
from softfactory.storage.credentials import SessionCredentials
from softfactory.storage.credentials import upload_sessions as module
from softfactory.storage.credentials.upload_sessions import UploadSessions
from tests.doubles import FakeClock

HOUR = timedelta(hours=1)
NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


class Issuer:
    """Issues sessions that are told apart by their number."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.asked: list[str] = []

    def issue_upload_session(self, root: str, lifetime: timedelta) -> SessionCredentials:
        self.asked.append(root)
        return SessionCredentials(f"{root}-{len(self.asked)}", "", "", self.clock() + lifetime)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def issuer(clock: FakeClock) -> Issuer:
    return Issuer(clock)


@pytest.fixture
def sessions(issuer: Issuer, clock: FakeClock) -> UploadSessions:
    return UploadSessions(issuer, clock=clock)


def test_a_root_has_one_session_and_another_root_another(
    sessions: UploadSessions, issuer: Issuer
) -> None:
    found = [sessions.of(root, HOUR).access_key_id for root in ("alice", "alice", "uploads/1")]

    assert found == ["alice-1", "alice-1", "uploads/1-2"]


@pytest.mark.parametrize(
    ("minutes", "lifetime", "renewals"),
    [(30, HOUR, 0), (31, HOUR, 1), (59, timedelta(minutes=1), 0), (60, timedelta(minutes=1), 1)],
)
def test_a_session_with_little_left_is_renewed_before_it_signs(
    sessions: UploadSessions,
    issuer: Issuer,
    clock: FakeClock,
    minutes: int,
    lifetime: timedelta,
    renewals: int,
) -> None:
    sessions.of("alice", lifetime)
    clock.advance(minutes=minutes)

    sessions.of("alice", lifetime)

    assert len(issuer.asked) == 1 + renewals


def test_the_session_that_was_used_least_lately_makes_room(
    monkeypatch: pytest.MonkeyPatch, sessions: UploadSessions, issuer: Issuer
) -> None:
    monkeypatch.setattr(module, "MAX_SESSIONS", 2)
    for root in ("a", "b", "a", "c", "a"):
        sessions.of(root, HOUR)

    sessions.of("b", HOUR)

    assert issuer.asked == ["a", "b", "c", "b"]


def test_a_role_that_cannot_be_assumed_is_trouble_of_storage(
    monkeypatch: pytest.MonkeyPatch, sessions: UploadSessions, issuer: Issuer
) -> None:
    def refuse(*_: object) -> None:
        raise NotConfigured

    monkeypatch.setattr(issuer, "issue_upload_session", refuse)

    with pytest.raises(StorageError):
        sessions.of("alice", HOUR)
