"""How gunicorn serves the app: ``gunicorn -c gunicorn.conf.py wsgi:app``; the command line wins.

What each value rests on stands beside it; docs/decisions/0002-gthread-workers.md tells why this
kind of worker. Gunicorn reads the module's global names as its settings.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# The ``gunicorn`` script, unlike ``python -m gunicorn``, reads this file before the project's
# folder is on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from config import Config, ConfigError
from softfactory.http.server.binding import refuse_unusable_addresses
from softfactory.http.server.descriptors import connections
from softfactory.http.server.schema import prepare_schema
from softfactory.http.server.succession import replace_all
from softfactory.http.server.worker import PatientWorker
from softfactory.memory import give_back_large_blocks

try:
    # Not called ``config``: gunicorn has a setting of that name.
    settings = Config.from_env()
except ConfigError as error:
    # SystemExit alone passes gunicorn's own handler, which would bury the sentence in a traceback.
    raise SystemExit(str(error)) from None

give_back_large_blocks()

bind = "127.0.0.1:8000"

# --- who does the work ----------------------------------------------------------------------------


class _Worker(PatientWorker):
    slow_seconds = settings.slow_client.total_seconds()
    stop_delay = settings.stop_delay.total_seconds()
    trusted_proxies = settings.trusted_proxies


worker_class = _Worker
"""gthread, with a main loop that keeps whoever waits for their own line
(docs/decisions/0009-slow-clients.md)."""

workers = settings.web_concurrency
threads = 64
"""Requests that one worker serves at once; a transfer occupies one, at next to no CPU.

They begin when they are needed first. 64 of them, all busy, took 3 MB more than 16.
"""

worker_connections = connections()
"""gunicorn's 1,000, or what the process may have open: an idle client costs one descriptor, a download two."""

http_parser = "fast" if find_spec("gunicorn_h1c") else "python"
"""The C parser where requirements-fast.txt could be installed; ``when_ready`` says if it was not."""

# --- how long things may take ---------------------------------------------------------------------

timeout = 30
"""Seconds of silence after which a worker counts as hung and is killed.

It bounds no request: a gthread worker reports from its main loop once a second whatever its threads
do (``ThreadWorker.run`` calls ``notify`` around a ``select`` of one second), so a transfer of hours
is safe. A sync worker reports between requests only and would be killed in the middle of it.
"""

graceful_timeout = 30 + int(settings.stop_delay.total_seconds())
"""Seconds that transfers in flight get to finish after SIGTERM, before they are cut off."""

keepalive = 15
"""Seconds that an idle connection stays open for its next request.

Idle connections wait in the worker's poller and hold no thread, so this costs a descriptor each.
"""

# --- what a request may look like -----------------------------------------------------------------

limit_request_line = 8190
"""Bytes, gunicorn's maximum: a key of 1024 bytes triples when it is percent-encoded, and a signed
URL carries a token behind it."""

limit_request_fields = 64
limit_request_field_size = 8190
"""Bytes; an access token is about 500."""

# --- which proxy is believed ----------------------------------------------------------------------

# TRUSTED_PROXIES alone decides, inside the app. With gunicorn believing X-Forwarded-Proto from
# 127.0.0.1 on its own, any local process could change a URL's scheme.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}

# --- the machine ----------------------------------------------------------------------------------

# ``sendfile`` stays unset, which means on: the kernel moves a local file's bytes to the socket. Given
# at all, even as True, it is off (gunicorn 26.2, ``Config.sendfile``).

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # gunicorn makes its file safely
worker_tmp_dir = str(SHARED_MEMORY) if SHARED_MEMORY.is_dir() else None
"""Heartbeats are file times: on a busy disk, touching one may block and get the worker killed."""

preload_app = False
"""Each worker builds its own app: no database, Redis or S3 connection is shared across a fork, and
SIGHUP brings new code."""

control_socket_disable = True
"""Its default path is one for all of the user's gunicorns, which would take it from each other."""

accesslog = None
"""The app writes a structured line for each request, with its id."""


def on_starting(server: Any) -> None:  # noqa: ANN401  # gunicorn ships no types
    """Refuse several workers without the Redis that keeps them in agreement, and look ahead.

    Reads the number from ``server``, so that ``--workers`` on the command line is checked too.
    What would fail in gunicorn or in every request stops here: an address, or a schema.

    Raises:
        SystemExit: with a sentence that says what to set.
    """
    if server.cfg.workers > 1 and settings.redis_url is None:
        message = (
            f"REDIS_URL: {server.cfg.workers} workers need Redis, because rate limits and caches "
            "must be the same in each. Set REDIS_URL, for example "
            "redis://localhost:6379/0, or WEB_CONCURRENCY=1."
        )
        raise SystemExit(message)
    refuse_unusable_addresses(server)
    prepare_schema(settings, server)


def on_reload(server: Any) -> None:  # noqa: ANN401  # gunicorn ships no types
    """Tell the workers of before SIGHUP that they are replaced, and the instance stays."""
    replace_all(server)


def post_worker_init(worker: Any) -> None:  # noqa: ANN401  # gunicorn ships no types
    """Let the worker try its storage, and watch it; what it says goes where the app's lines go.

    gunicorn's own lines stay in the file that the command line names for them, if it does.

    Raises:
        SystemExit: the storage is not fit for production; the whole server stops with it.
    """
    # Imported by the worker, so that SIGHUP brings new code.
    from softfactory.http.starting import begin  # noqa: PLC0415

    if worker.cfg.errorlog == "-":
        worker.log.error_log.handlers.clear()
        worker.log.error_log.propagate = True
    begin(worker.app.wsgi())


def when_ready(server: Any) -> None:  # noqa: ANN401  # gunicorn ships no types
    """Tell the person at the terminal where the service is."""
    if http_parser == "python":
        server.log.info("Without gunicorn's C parser: see requirements-fast.in")
    if server.cfg.is_ssl:
        server.log.warning(
            "With TLS each connection has a thread from its first byte on: %d slow clients of this "
            "worker shut out all others. Let a proxy in front do TLS, and wait for slow clients.",
            threads,
        )
    for listener in server.LISTENERS:
        address = str(listener).replace("//0.0.0.0:", "//localhost:")
        server.log.info("SoftFactory Files is ready on %s", address)
        if settings.api_docs_enabled and address.startswith("http"):
            server.log.info("Its API documents: %s/api/docs and %s/api/redoc", address, address)
    if settings.public_base_url is None and settings.app_env == "production":
        server.log.warning(
            "PUBLIC_BASE_URL is not set: URLs in answers name the address that a request came to. "
            "Behind a proxy or in a container, set it to what clients reach this service by."
        )
