"""Credentials of a user's own for the bucket: what they are, and the interface of who issues them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from softfactory.storage.keys import Roots

MAX_KEYS = 2
"""AWS: an IAM user has at most two access keys (IAM and STS quotas)."""

MIN_SESSION = timedelta(minutes=15)
"""STS: no session is shorter (AssumeRole, GetFederationToken: DurationSeconds)."""

MAX_ASKED = timedelta(hours=12)
"""The longest session that may be asked for (docs/api/credentials.md, Temporary credentials)."""

MAX_SESSION = timedelta(hours=1)
"""The longest that is given: AWS ends none before its time, and a new password should
(docs/api/credentials.md, Temporary credentials). It is also what every role allows (AssumeRole:
DurationSeconds)."""


class KeyStatus(StrEnum):
    """Whether a key works; the values are IAM's."""

    ACTIVE = "Active"
    INACTIVE = "Inactive"


@dataclass(frozen=True, slots=True)
class SessionCredentials:
    """Temporary credentials; only the access key id shows in their repr."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expiration: datetime


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A lasting key.

    Attributes:
        secret_access_key: told once, when the key is made; None ever after.
        create_date: aware UTC.
    """

    access_key_id: str
    create_date: datetime
    status: str
    secret_access_key: str | None = field(default=None, repr=False)


class Issuer(Protocol):
    """Issues credentials that reach what lies below a user's roots, and nothing else.

    ``account`` names the user to AWS: 2 to 32 letters and digits, one for each user, for ever.
    Each verb raises ``NotConfigured`` where the service's own credentials may not do it, and
    ``StorageError`` where AWS fails or can't be reached.
    """

    def check(self) -> list[str]:
        """Return what keeps credentials from being issued, a plain sentence each; empty if nothing.

        What a server does not know at all, such as IAM users outside of AWS, is no problem.
        """
        ...

    def issue_session(self, account: str, roots: Roots, lifetime: timedelta) -> SessionCredentials:
        """Return credentials that end after ``lifetime``, 15 minutes to an hour."""
        ...

    def create_key(self, account: str, roots: Roots) -> AccessKey:
        """Make a key, with its secret; what the account's keys allow is put right first.

        Raises:
            InvalidInput: there are two already.
        """
        ...

    def list_keys(self, account: str) -> list[AccessKey]:
        """Return the account's keys, newest first, without secrets."""
        ...

    def set_key_status(self, account: str, access_key_id: str, status: KeyStatus) -> None:
        """Let a key work, or not.

        Raises:
            NotFound: the account has no such key.
        """
        ...

    def delete_key(self, account: str, access_key_id: str) -> None:
        """End a key for good.

        Raises:
            NotFound: the account has no such key.
        """
        ...
