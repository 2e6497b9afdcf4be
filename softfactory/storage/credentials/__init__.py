"""Credentials for the bucket that a user's own tools use; what they write there shows everywhere."""

from softfactory.storage.credentials.base import (
    MAX_ASKED,
    MAX_KEYS,
    MAX_SESSION,
    MIN_SESSION,
    AccessKey,
    Issuer,
    KeyStatus,
    SessionCredentials,
)

__all__ = [
    "MAX_ASKED",
    "MAX_KEYS",
    "MAX_SESSION",
    "MIN_SESSION",
    "AccessKey",
    "Issuer",
    "KeyStatus",
    "SessionCredentials",
]
