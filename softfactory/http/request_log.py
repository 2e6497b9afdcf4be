"""Structured logs: one line a request, with an id that the client sees too.

Paths are logged without their query, because signed URLs carry their signature there.
"""

import logging
import os
import random
import re
import sys
import time
from contextlib import nullcontext, suppress
from typing import Any, TextIO

import structlog
from flask import Flask, Response, g, request

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""What is taken from a client's X-Request-ID; anything else could forge log lines."""

log = structlog.get_logger(__name__)


class _Output(logging.Handler):
    """Where all lines go: our own events straight, those of libraries through ``logging``.

    Each line is one system call, so that no thread waits for another's. The kernel keeps writes to
    one file or pipe apart: to a pipe up to 4 KiB (pipe(7), PIPE_BUF).
    """

    stream: TextIO
    renderer: structlog.types.Processor

    def createLock(self) -> None:  # noqa: N802  # logging's name
        # One that keeps nobody out: since Python 3.13 logging enters it without a look.
        self.lock = nullcontext()  # type: ignore[assignment]  # typed as a real one

    def acquire(self) -> None:
        """Do nothing, as there is no lock."""

    def release(self) -> None:
        """Do nothing, as there is no lock."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.write(self.format(record))
        except Exception:  # noqa: BLE001  # as logging's own handlers: a log line fails no request
            self.handleError(record)

    def write(self, line: str) -> None:
        with suppress(OSError):  # as above
            os.write(self.stream.fileno(), f"{line}\n".encode(errors="backslashreplace"))

    def render(self, logger: Any, name: str, event: structlog.types.EventDict) -> Any:  # noqa: ANN401  # structlog's
        return self.renderer(logger, name, event)


_output = _Output()


class _Logger:
    """What structlog gives rendered lines of the module ``name`` to."""

    def __init__(self, name: str) -> None:
        self.name = name

    info = warning = error = critical = staticmethod(_output.write)


_SHARED: list[structlog.types.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
_VALUES = re.compile(
    r"^(DETAIL: ).*?(?=^(?:HINT: |CONTEXT: |\[SQL: |\(Background |$)|\Z)", re.MULTILINE | re.DOTALL
)
"""What PostgreSQL's failures quote of a row, up to what follows (its manual, section 55.8)."""


def _hide_values(_logger: Any, _name: str, event: structlog.types.EventDict) -> Any:  # noqa: ANN401  # structlog's
    """Leave what stood in the database out of a traceback; statements hide theirs themselves."""
    if "exception" in event:
        event["exception"] = _VALUES.sub(r"\1(hidden)\n", event["exception"])
    return event


_RENDERED: list[structlog.types.Processor] = [
    structlog.processors.format_exc_info,
    _hide_values,
    _output.render,
]
# One list for the process: loggers keep the one that they first saw.
_PROCESSORS = [*_SHARED, *_RENDERED]


def configure_logging(*, as_json: bool, stream: TextIO | None = None) -> None:
    """Send every log of the process to a stream: JSON lines, or text for people.

    Args:
        stream: a file or pipe; standard error where there is none.
    """
    _output.stream = stream or sys.stderr
    _output.renderer = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=_output.stream.isatty())
    )
    structlog.configure(
        processors=_PROCESSORS,
        logger_factory=_Logger,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    _output.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_RENDERED],
        )
    )
    root = logging.getLogger()
    root.addHandler(_output)  # once, however often it is done
    root.setLevel(logging.INFO)
    # No line shows them, and each would be asked for (logging HOWTO, Optimization). The process is
    # in gunicorn's own lines, which begin before ours.
    logging.logThreads = logging.logMultiprocessing = False


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
