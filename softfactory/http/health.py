"""Is it alive, is it ready: two routes for load balancers."""

import math
import threading
from http import HTTPStatus
from time import monotonic

import structlog
from flask import Blueprint, Response, current_app, jsonify, request
from sqlalchemy import exists, select

from softfactory.http.extensions import db
from softfactory.http.identity import public
from softfactory.http.runtime import runtime
from softfactory.http.server.signals import STOPPING
from softfactory.models import User

blueprint = Blueprint("health", __name__)
log = structlog.get_logger(__name__)

REMEMBERED_SECONDS = 1.0
"""How long what was found counts."""

_EXTENSION = "softfactory.readiness"


@blueprint.get("/healthz")
@public
def alive() -> Response:
    """Answer 200 as long as the process serves requests; nothing else is asked."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
@public
def ready() -> tuple[Response, HTTPStatus]:
    """Answer 200 when database and storage answer, else 503 with the names of those that don't.

    503 as well once the service was told to stop, so that load balancers look elsewhere in time.
    """
    if request.environ.get(STOPPING):
        return jsonify(status="stopping", failing=[]), HTTPStatus.SERVICE_UNAVAILABLE
    if failing := _readiness().failing():
        return jsonify(status="unavailable", failing=failing), HTTPStatus.SERVICE_UNAVAILABLE
    return jsonify(status="ok"), HTTPStatus.OK


class _Readiness:
    """What was found last, for a second; one thread looks at a time, and others hear that meanwhile.

    A storage that hangs would otherwise take a thread with each probe, until none is left, and a
    flood of probes would be one of the database.
    """

    def __init__(self) -> None:
        self._looking = threading.Lock()
        self._found: list[str] = []
        self._until = -math.inf

    def failing(self) -> list[str]:
        """Return the parts that do not answer."""
        if monotonic() >= self._until and self._looking.acquire(blocking=False):
            try:
                self._found = _look()
                self._until = monotonic() + REMEMBERED_SECONDS
            finally:
                self._looking.release()
        return self._found


def _readiness() -> _Readiness:
    readiness: _Readiness = current_app.extensions.setdefault(_EXTENSION, _Readiness())
    return readiness


def _look() -> list[str]:
    failing = []
    for name, answers in {"database": _database_answers, "storage": _storage_answers}.items():
        try:
            answers()
        except Exception as error:  # whatever it is, this part is not ready
            log.warning("readiness.failed", part=name, exc_info=error)
            failing.append(name)
    return failing


def _database_answers() -> None:
    # A table of ours: a database without the schema is not ready either.
    db.session.execute(select(exists().select_from(User)))


def _storage_answers() -> None:
    runtime().storage.list_objects("users/", limit=1)
