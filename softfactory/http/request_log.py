"""Structured logs: one line a request, with an id that the client sees too.

Paths are logged without their query, because signed URLs carry their signature there.
"""

import logging
import os
import random
import re
import sys
import time
from typing import TextIO

import structlog
from flask import Flask, Response, g, request

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""What is taken from a client's X-Request-ID; anything else could forge log lines."""

log = structlog.get_logger(__name__)


def configure_logging(*, as_json: bool) -> None:
    """Send every log of the process to standard error: JSON lines, or text for people."""
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = _Lines()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    handler.set_name("softfactory")
    root = logging.getLogger()
    root.handlers = [h for h in root.handlers if h.get_name() != "softfactory"] + [handler]
    root.setLevel(logging.INFO)
    # No line shows them, and each would be asked for (logging HOWTO, Optimization).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


class _Lines(logging.StreamHandler[TextIO]):
    """Writes each record by one system call, so that no thread waits for another's.

    The kernel keeps writes to one file or pipe apart: to a pipe up to 4 KiB (pipe(7), PIPE_BUF).
    """

    def createLock(self) -> None:  # noqa: N802  # logging's name
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n".encode(errors="backslashreplace")
            os.write(self.stream.fileno(), line)
        except Exception:  # noqa: BLE001  # as logging's own handlers: a log line fails no request
            self.handleError(record)


def _new_id() -> str:
    # It tells requests apart and protects nothing.
    return f"{random.getrandbits(128):032x}"


def register_request_log(app: Flask) -> None:
    """Give every request of ``app`` an id and a line in the log."""

    @app.before_request
    def begin() -> None:
        sent = request.headers.get("X-Request-ID", "")
        g.request_id = sent if REQUEST_ID.fullmatch(sent) else _new_id()
        g.started = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.request_id
        log.info(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            milliseconds=round((time.perf_counter() - g.started) * 1000, 1),
            user_id=g.get("current_user_id"),
            address=request.remote_addr,
        )
        return response
