"""What signs the URLs that write: a session a root, which can put objects there and nothing else."""

import threading
from collections import OrderedDict
from datetime import timedelta
from typing import Protocol

from softfactory.clock import Clock, utc_now
from softfactory.errors import NotConfigured, StorageError
from softfactory.storage.credentials.base import SessionCredentials

LIFETIME = timedelta(hours=1)
"""AWS: what any role allows, and all that one allows that was itself reached by a role."""

LEAST = timedelta(minutes=30)
"""A session that has less left signs nothing more, so that every URL lives at least so long."""

MAX_SESSIONS = 4096
"""Kept at once, of some 3 KB each; the one that was used least lately goes."""


class Issuer(Protocol):
    """Who issues them."""

    def issue_upload_session(self, root: str, lifetime: timedelta) -> SessionCredentials:
        """Return credentials that can put objects below ``root``, and do nothing else."""
        ...


class UploadSessions:
    """Keeps sessions for as long as they are good. Safe to share between threads.

    Two threads that miss the same session at once get one each.
    """

    def __init__(self, issuer: Issuer, *, clock: Clock = utc_now) -> None:
        """Keep what ``issuer`` issues."""
        self._issuer = issuer
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, SessionCredentials] = OrderedDict()

    def of(self, root: str, lifetime: timedelta) -> SessionCredentials:
        """Return a session for ``root`` that lives for ``lifetime`` more, or 30 minutes at least.

        Raises:
            StorageError: none was issued.
        """
        with self._lock:
            kept = self._sessions.get(root)
            if kept is not None:
                self._sessions.move_to_end(root)
        if kept is not None and kept.expiration - self._clock() >= min(lifetime, LEAST):
            return kept
        try:
            issued = self._issuer.issue_upload_session(root, LIFETIME)
        except NotConfigured as error:
            raise StorageError from error
        with self._lock:
            self._sessions[root] = issued
            self._sessions.move_to_end(root)
            while len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
        return issued
