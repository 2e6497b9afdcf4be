"""What each worker does beside serving: it tries the upload URLs, and removes expired files from S3.

Gunicorn calls ``begin`` in every worker, with an application that is ready.
"""

import os
import signal
import sys
import threading
import time

import structlog
from flask import Flask

from softfactory.errors import StorageError
from softfactory.http.runtime import EXTENSION, Runtime
from softfactory.http.services import maintenance
from softfactory.storage.base import Storage

APP_LOAD_ERROR = 4
"""gunicorn: the status of a worker whose end stops the whole server (``Arbiter.reap_workers``)."""

PATIENCE = 5
"""Seconds that a start waits for the storage's answers; ``/readyz`` says when it is away."""

RETRY = 30
"""Seconds until a storage that was away is tried again."""

PERIOD = 1
"""Seconds between two looks for expired files, which are as long as a URL outlives its file."""

AFTER_TROUBLE = 10
"""Seconds until the next look where a file could not be removed."""

log = structlog.get_logger(__name__)


def begin(app: Flask) -> None:
    """Refuse a storage whose upload URLs give more than they say, and begin to watch expiry.

    Raises:
        SystemExit: production cannot be served like this; a sentence says what to set.
    """
    ports: Runtime = app.extensions[EXTENSION]
    if ports.config.upload_storage_handler != "s3":
        return
    if ports.config.app_env == "production":
        looking = _UploadUrls(ports.storage)
        looking.start()
        if problems := looking.problems():
            _tell(problems)
            raise SystemExit(APP_LOAD_ERROR)
    threading.Thread(target=_watch_expiry, args=(app,), name="expiry", daemon=True).start()


class _UploadUrls(threading.Thread):
    """Tries the storage's upload URLs, again and again while it is away.

    Who waits no longer has the server stopped by it, should the URLs turn out to be unfit.
    """

    def __init__(self, storage: Storage) -> None:
        super().__init__(name="upload-urls", daemon=True)
        self._storage = storage
        self._lock = threading.Lock()
        self._is_waited_for = True
        self._server = os.getppid()
        self._problems: list[str] = []

    def run(self) -> None:
        while True:
            try:
                found = self._storage.upload_url_problems()
                break
            except StorageError as error:
                log.warning("start.upload_urls_not_checked", exc_info=error)
                time.sleep(RETRY)
        with self._lock:
            self._problems = found
            is_late = not self._is_waited_for
        if found and is_late:
            _tell(found)
            self._stop_the_server()

    def problems(self) -> list[str]:
        """Return what is known of the URLs within five seconds; nothing of a storage that is away."""
        self.join(PATIENCE)
        with self._lock:
            self._is_waited_for = False
            return self._problems

    def _stop_the_server(self) -> None:
        # Where it has ended meanwhile, somebody else is this worker's parent.
        if os.getppid() == self._server:
            os.kill(self._server, signal.SIGTERM)


def _tell(problems: list[str]) -> None:
    for problem in problems:
        print(problem, file=sys.stderr, flush=True)  # noqa: T201  # to whoever starts it


def _watch_expiry(app: Flask) -> None:
    """Remove expired files for as long as the worker lives.

    A URL that S3 checks knows of no row; what ends it before its own time is that there is nothing
    behind it any more (docs/decisions/0015-expiry-on-s3.md).
    """
    period = PERIOD
    while True:
        time.sleep(period)
        try:
            with app.app_context():
                period = PERIOD if maintenance().remove_expired() else AFTER_TROUBLE
        except Exception as error:  # noqa: BLE001  # the next look may succeed
            log.warning("expiry.trouble", error=type(error).__name__)
            period = AFTER_TROUBLE
