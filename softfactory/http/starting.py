"""What each worker does beside serving: it tries the upload URLs, and removes expired files from S3.

Gunicorn calls ``begin`` in every worker, with an application that is ready.
"""

import sys
import threading

import structlog
from flask import Flask

from softfactory.errors import StorageError
from softfactory.http.extensions import db
from softfactory.http.runtime import EXTENSION, Runtime
from softfactory.http.services import maintenance

APP_LOAD_ERROR = 4
"""gunicorn: the status of a worker whose end stops the whole server (``Arbiter.reap_workers``)."""

PATIENCE = 5
"""Seconds that a start waits for the storage's answers; ``/readyz`` says when it is away."""

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
        problems = _upload_url_problems(ports)
        for problem in problems:
            print(problem, file=sys.stderr, flush=True)  # noqa: T201  # to whoever starts it
        if problems:
            raise SystemExit(APP_LOAD_ERROR)
    threading.Thread(target=_watch_expiry, args=(app,), name="expiry", daemon=True).start()


def _upload_url_problems(ports: Runtime) -> list[str]:
    """Return what is known of them within five seconds; a storage that is away is no problem."""
    found: list[str] = []

    def look() -> None:
        try:
            found.extend(ports.storage.upload_url_problems())
        except StorageError as error:
            log.warning("start.upload_urls_not_checked", exc_info=error)

    looking = threading.Thread(target=look, name="upload-urls", daemon=True)
    looking.start()
    looking.join(PATIENCE)
    return list(found)


def _watch_expiry(app: Flask) -> None:
    """Remove expired files for as long as the worker lives.

    A URL that S3 checks knows of no row; what ends it before its own time is that there is nothing
    behind it any more (docs/decisions/0012-expiry-on-s3.md).
    """
    waiting = threading.Event()
    period = PERIOD
    while not waiting.wait(period):
        try:
            with app.app_context():
                period = PERIOD if maintenance().remove_expired() else AFTER_TROUBLE
                db.session.remove()
        except Exception as error:  # noqa: BLE001  # the next look may succeed
            log.warning("expiry.trouble", error=type(error).__name__)
            period = AFTER_TROUBLE
