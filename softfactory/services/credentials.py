"""Credentials of a user's own: temporary ones, and access keys that last."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from softfactory.errors import NotConfigured, NotFound, SoftFactoryError, StorageError
from softfactory.models import User
from softfactory.storage.credentials import (
    MAX_KEYS,
    MAX_SESSION,
    AccessKey,
    Issuer,
    KeyStatus,
    SessionCredentials,
)

NO_NEW_KEY = (
    "The old access key is deleted, but no new one could be made. "
    "Create one with POST /api/credentials/access-key."
)

SKEW = timedelta(minutes=5)
"""How much IAM's clock may be ahead of ours; a key that is in doubt ends."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Everybody's own credentials, administrators' too: they reach their owner's roots alone."""

    issuer: Issuer

    def temporary(self, user: User, lifetime: timedelta) -> SessionCredentials:
        """Return credentials that end after ``lifetime``, or an hour where that is less."""
        return self.issuer.issue_session(_account(user), user.roots, min(lifetime, MAX_SESSION))

    def create_key(self, user: User) -> AccessKey:
        """Make an access key; its secret is told this once.

        Raises:
            InvalidInput: there are two already.
        """
        return self.issuer.create_key(_account(user), user.roots)

    def list_keys(self, user: User) -> list[AccessKey]:
        """Return the user's access keys, newest first."""
        return self.issuer.list_keys(_account(user))

    def delete_key(self, user: User, access_key_id: str) -> None:
        """End an access key of the user.

        Raises:
            NotFound: the user has no such key, whoever else may.
        """
        self.issuer.delete_key(_account(user), access_key_id)

    def set_key_status(self, user: User, access_key_id: str, status: KeyStatus) -> None:
        """Let an access key of the user work, or not.

        Raises:
            NotFound: the user has no such key, whoever else may.
        """
        self.issuer.set_key_status(_account(user), access_key_id, status)

    def end_all(self, user: User, *, made_until: datetime) -> int:
        """Deactivate every access key of the user that was made until then; return how many were.

        Raises:
            NotConfigured, StorageError: some of them may still work.
        """
        ended = 0
        for key in self.list_keys(user):
            if key.status == KeyStatus.ACTIVE and key.create_date <= made_until + SKEW:
                try:
                    self.set_key_status(user, key.access_key_id, KeyStatus.INACTIVE)
                except NotFound:
                    continue  # deleted meanwhile
                ended += 1
        return ended

    def rotate_key(self, user: User, old_access_key_id: str) -> AccessKey:
        """Make a new access key in place of the old one.

        The new one is there before the old one goes, and if that fails the old one stays. Where
        there are two keys, which is all that AWS allows, the old one has to go first.

        Raises:
            NotFound: the user has no such key, whoever else may.
            StorageError: it failed; the message says so where the old key is gone.
        """
        keys = self.list_keys(user)
        if all(key.access_key_id != old_access_key_id for key in keys):
            raise NotFound("Access key not found.")
        if len(keys) >= MAX_KEYS:
            self._end(user, old_access_key_id)
            return self._replace(user)
        new = self.create_key(user)
        try:
            self._end(user, old_access_key_id)
        except SoftFactoryError:
            self._take_back(user, new)
            raise
        return new

    def _end(self, user: User, access_key_id: str) -> None:
        """Delete the key that is rotated; one that is gone meanwhile is what was wanted."""
        try:
            self.delete_key(user, access_key_id)
        except NotFound:
            log.info("credentials.rotated_key_was_gone", user_id=user.id)

    def _replace(self, user: User) -> AccessKey:
        try:
            return self.create_key(user)
        except (NotConfigured, StorageError) as error:
            raise StorageError(NO_NEW_KEY) from error

    def _take_back(self, user: User, key: AccessKey) -> None:
        try:
            self.delete_key(user, key.access_key_id)
        except SoftFactoryError as error:  # the rotation's own error is the one to report
            log.warning("credentials.key_left_over", user_id=user.id, exc_info=error)


def _account(user: User) -> str:
    """Return how AWS knows the user; a uuid is never given again, and outlives a rename."""
    return user.uuid.replace("-", "")
