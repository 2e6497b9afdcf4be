"""Rotating a key when something fails or somebody else is faster."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from softfactory.errors import InvalidInput, NotConfigured, NotFound, StorageError
from softfactory.models import User
from softfactory.services.credentials import NO_NEW_KEY, Credentials
from softfactory.storage.credentials import AccessKey, KeyStatus, SessionCredentials
from softfactory.storage.keys import Roots

ALICE = User(id=1, uuid="7f3c", username="alice")


@dataclass
class FakeIssuer:
    """Two keys for everyone; the named verbs fail with what they are given."""

    keys: list[str]
    failures: dict[str, list[Exception | None]] = field(default_factory=dict)

    def _maybe_fail(self, verb: str) -> None:
        planned = self.failures.get(verb)
        if planned and (error := planned.pop(0)):
            raise error

    def issue_session(self, account: str, roots: Roots, lifetime: timedelta) -> SessionCredentials:
        raise NotImplementedError

    def create_key(self, account: str, roots: Roots) -> AccessKey:
        self._maybe_fail("create_key")
        if len(self.keys) >= 2:
            raise InvalidInput("two")
        self.keys.append("new")
        return AccessKey("new", datetime.now(UTC), "Active", "secret")

    def list_keys(self, account: str) -> list[AccessKey]:
        return [AccessKey(key, datetime.now(UTC), "Active") for key in self.keys]

    def set_key_status(self, account: str, access_key_id: str, status: KeyStatus) -> None:
        raise NotImplementedError

    def delete_key(self, account: str, access_key_id: str) -> None:
        self._maybe_fail("delete_key")
        if access_key_id not in self.keys:
            raise NotFound
        self.keys.remove(access_key_id)


def rotate(issuer: Any, key: str = "old") -> AccessKey:
    return Credentials(issuer).rotate_key(ALICE, key)


def test_the_old_key_stays_where_it_cannot_be_deleted() -> None:
    issuer = FakeIssuer(["old"], {"delete_key": [StorageError()]})

    with pytest.raises(StorageError):
        rotate(issuer)

    assert issuer.keys == ["old"]


def test_the_old_key_stays_where_no_new_one_can_be_made() -> None:
    issuer = FakeIssuer(["old"], {"create_key": [StorageError()]})

    with pytest.raises(StorageError):
        rotate(issuer)

    assert issuer.keys == ["old"]


def test_the_first_error_is_told_where_undoing_fails_too() -> None:
    first = StorageError("first")
    issuer = FakeIssuer(["old"], {"delete_key": [first, StorageError("second")]})

    with pytest.raises(StorageError) as raised:
        rotate(issuer)

    assert raised.value is first
    assert issuer.keys == ["old", "new"]


@pytest.mark.parametrize("error", [StorageError(), NotConfigured()])
def test_of_two_keys_the_other_stays_and_the_message_tells_what_happened(
    error: Exception,
) -> None:
    issuer = FakeIssuer(["old", "other"], {"create_key": [error]})

    with pytest.raises(StorageError) as raised:
        rotate(issuer)

    assert issuer.keys == ["other"]
    assert raised.value.message == NO_NEW_KEY


def test_of_two_keys_both_stay_where_the_old_one_cannot_be_deleted() -> None:
    issuer = FakeIssuer(["old", "other"], {"delete_key": [StorageError()]})

    with pytest.raises(StorageError):
        rotate(issuer)

    assert issuer.keys == ["old", "other"]


@pytest.mark.parametrize("keys", [["old"], ["old", "other"]])
def test_a_key_that_somebody_else_just_deleted_is_rotated_all_the_same(keys: list[str]) -> None:
    class Raced(FakeIssuer):
        def delete_key(self, account: str, access_key_id: str) -> None:
            super().delete_key(account, access_key_id)
            raise NotFound

    issuer = Raced(keys)

    assert rotate(issuer).access_key_id == "new"
    assert "new" in issuer.keys
    assert "old" not in issuer.keys


def test_an_unknown_key_changes_nothing() -> None:
    issuer = FakeIssuer(["other"])

    with pytest.raises(NotFound):
        rotate(issuer)

    assert issuer.keys == ["other"]
