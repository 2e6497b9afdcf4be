"""The worker: requests wait for their bytes without a thread, and slow transfers are cut off.

gunicorn's own hands a connection to a thread before anything of a request has arrived, lets a
thread wait for ever, and closes connections in its main loop, one at a time and up to two seconds
each (docs/decisions/0009-slow-clients.md).
"""

import errno
import selectors
import sys
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from time import monotonic, sleep
from types import FrameType
from typing import Any

from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from gunicorn.http.parser import RequestParser  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from softfactory.http.server.admission import Admission
from softfactory.http.server.answers import Answer, answering
from softfactory.http.server.client_socket import ClientSocket
from softfactory.http.server.connections import Connection
from softfactory.http.server.heads import is_small
from softfactory.http.server.lobby import Lobby
from softfactory.http.server.probes import Probes
from softfactory.http.server.refusals import INTERNAL, refusal_of
from softfactory.http.server.request_body import is_left, straight
from softfactory.http.server.request_head import CheckedRequest
from softfactory.http.server.signals import STOPPING, ClientTooSlow, MustWait
from softfactory.http.server.succession import (
    BOOT_SECONDS,
    has_booted,
    has_successor,
    is_replaced,
)
from softfactory.processors import run_anywhere, settle, stay_home

TICK = 1.0
"""Seconds between two looks at what has taken too long."""

IDLE_WHILE_STOPPING = 2.0
"""Seconds for which a stopping worker still takes a request on an idle connection."""

LINGER = 0.002
"""Seconds for which a thread stays with its connection after an answer."""

SHORTAGE = 0.01
"""Seconds to wait where the process has no descriptor left, so that it does not spin."""

SWITCH_INTERVAL = 0.001
"""Seconds after which a thread that computes lets another go on, if one wants to (Python: 5 ms).

A small request and the main loop want to some ten times, and each time behind all that compute: beside
six of those it took 200 ms, and takes 30.
"""

_NOT_NOW = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class PatientWorker(ThreadWorker):
    """A threaded worker whose main loop keeps every connection that waits for its client.

    A subclass made in gunicorn.conf.py sets the two settings.
    """

    slow_seconds = 30.0
    """A request has to be there, and a transfer has to have moved, within so many seconds."""

    stop_delay = 0.0
    """Seconds after SIGTERM in which requests are still taken, while readiness says no."""

    trusted_proxies = 0
    """Proxies in front, whose X-Forwarded-For says which address has a share of the threads."""

    alive: bool
    wsgi: Any
    _lobby: Lobby
    _admission: Admission
    _probes: Probes

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as gunicorn's
        super().__init__(*args, **kwargs)
        self._active: set[Connection] = set()
        """The connections that threads have."""
        self._stopped_at: float | None = None
        self._ticked_at = 0.0

    def load_wsgi(self) -> None:
        """Load the application, and give each request more than gunicorn's WSGI does.

        It knows whether this instance is going away.
        """
        super().load_wsgi()
        RequestParser.mesg_class = CheckedRequest
        application = self.wsgi

        def serve(environ: dict[str, Any], start_response: Any) -> Any:  # noqa: ANN401  # WSGI
            if is_small(environ):
                stay_home()
            else:
                run_anywhere()
            environ[STOPPING] = self._stopped_at is not None and not is_replaced(self)
            answer = application(environ, start_response)
            # The connection ends behind this answer, which has to say so.
            if is_left(environ["wsgi.input"]):
                start_response.__self__.force_close()
            return answer

        self.wsgi = serve

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop: readiness turns, and after the delay nothing new is taken."""
        self._stopped_at = self._stopped_at or monotonic()
        super().handle_exit(sig, frame)

    def run(self) -> None:
        """Serve until told to stop; then finish what is in flight within the grace period."""
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._admission = Admission(self.cfg.threads)
        self._probes = Probes(self.handle, partial(self.method_queue.defer, self.finish_request))
        self._lobby = Lobby(
            self.poller,
            self._admission,
            begin=self._begin,
            on_gone=self._forget,
            slow_seconds=self.slow_seconds,
        )
        self.poller.register(
            self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks
        )
        has_booted(self.age)
        while self.alive or monotonic() < self._accepts_until():
            self.set_accept_enabled(len(self._active) < self.worker_connections)
            self._turn()
            if not self.is_parent_alive():
                break
        self._stop_accepting()
        self._lobby.empty(IDLE_WHILE_STOPPING)
        ends = (self._stopped_at or monotonic()) + self.cfg.graceful_timeout
        while self.nr_conns > 0 and monotonic() < ends:
            self._turn()
        self.tpool.shutdown(wait=False)
        self._probes.close()
        self.poller.close()
        self.method_queue.close()

    def accept(self, listener: Any) -> None:  # noqa: ANN401  # gunicorn's wrapper of a socket
        """Take a new connection, and wait for its request without a thread."""
        if self.cfg.is_ssl:  # its bytes mean nothing before the handshake, which takes a thread
            super().accept(listener)
        else:
            self._accept_one(listener)

    def handle(self, conn: Any) -> Any:  # noqa: ANN401  # gunicorn's
        """Serve the connection's request, and each that follows at once, in the same thread.

        The way through the main loop and back costs as much as a small request does.
        """
        if not isinstance(conn, Connection):
            return super().handle(conn)
        may_stay = self._resume(conn) if conn.answer else super().handle(conn)
        while may_stay and not conn.answer and self._may_linger(conn):
            self._admission.disclaim(conn)
            if not conn.has_next(LINGER):
                break
            may_stay = super().handle(conn)
        return may_stay

    def handle_request(self, req: Any, conn: Any) -> Any:  # noqa: ANN401  # gunicorn's
        """Answer one request, as far as its client takes the answer."""
        straight(req)
        if not isinstance(conn.sock, ClientSocket):
            return super().handle_request(req, conn)
        conn.begin(req)
        claim = partial(self._admission.claim, conn)
        conn.answer = Answer(answering(self, req, conn, claim))
        conn.sock.hold()
        return self._proceed(conn)

    @property
    def is_short(self) -> bool:
        """Whether somebody waits for a thread, or the next one would."""
        return self._admission.is_short

    def count_request(self) -> None:
        """Let the worker end behind so many requests (gunicorn's ``max_requests``)."""
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False

    def _keepalive_after(self, conn: Any, keepalive: Any) -> Any:  # noqa: ANN401  # gunicorn's
        """Whether the connection may stay, which it has to where its answer is not sent yet."""
        if isinstance(conn, Connection) and conn.answer:
            return True
        try:
            return super()._keepalive_after(conn, keepalive)
        except (OSError, ParseException, ClientTooSlow) as error:  # the answer is sent already
            self.log.debug("The rest of a body could not be read: %r", error)
            return False

    def _resume(self, connection: Connection) -> Any:  # noqa: ANN401  # as gunicorn's
        """Send more of an answer that its client did not take at once."""
        try:
            return self._keepalive_after(connection, self._proceed(connection))
        except OSError as error:
            self.log.debug("The client is gone: %s", error)
        except Exception:
            self.log.exception("An answer failed outside of the application")
        return False

    def _proceed(self, connection: Connection) -> bool:
        """Send what the client takes; return whether the connection may stay."""
        answer = connection.answer
        try:
            may_stay = answer.go_on() if answer else False
            if may_stay is None:
                return True
        except BaseException:
            connection.answer = None
            connection.sock.let_go()
            raise
        connection.answer = None
        return may_stay

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:  # noqa: ANN401  # gunicorn's
        """Wait for the connection's next request, or let it go once the client has read all."""
        if not isinstance(conn, Connection):
            if conn.sock.fileno() < 0:  # no handshake came; gunicorn would count it out twice
                self._forget()
            else:
                super().finish_request(conn, fs)
            return
        self._active.discard(conn)
        if conn.is_probe:
            self._probes.done()
        else:
            self._admission.release(conn)
        if not fs.cancelled() and isinstance(fs.exception(), MustWait):
            conn.begin_again()
            self._lobby.wait_again(conn)
            return
        may_stay = not fs.cancelled() and fs.exception() is None and fs.result()
        if conn.answer and may_stay and not conn.is_cut:
            self._lobby.wait_to_send(conn)
        elif may_stay and not conn.is_cut:
            conn.take_back()
            idle = self.cfg.keepalive if self.alive else IDLE_WHILE_STOPPING
            self._lobby.welcome(conn, idle)
        else:
            self._lobby.see_off(conn)
        self._lobby.admit_waiting()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:  # noqa: ANN401  # gunicorn's
        """Answer what never reached the application, or left it as an exception."""
        # Once there is a request, what is wrong is our own: a header that we made, say.
        is_clients = req is None or isinstance(exc, ClientTooSlow)
        refusal = refusal_of(exc) if is_clients else None
        if refusal is None:
            refusal = INTERNAL
            self.log.error("A request failed outside of the application", exc_info=exc)
        else:
            self.log.warning("Refused a request of %s: %r", (addr or ("",))[0], str(exc))
        with suppress(OSError):
            client.sendall(refusal.response(getattr(req, "path", None) or ""))

    def _may_linger(self, connection: Connection) -> bool:
        """Whether nobody waits for the connection's thread, and a stop for none."""
        return self._stopped_at is None and not connection.is_probe and not self._admission.is_short

    def _turn(self) -> None:
        """Do what is due, waiting a moment for it."""
        self.notify()
        left = self._accepts_until() - monotonic()
        self.wait_for_and_dispatch_events(timeout=min(TICK, left) if left > 0 else TICK)
        if monotonic() - self._ticked_at >= TICK / 2:
            self._ticked_at = monotonic()
            settle()
            self._lobby.expire()
            self.murder_keepalived()  # those of TLS, which are not in the lobby
            self.murder_pending()
            for connection in self._active | self._lobby.sending:
                with suppress(OSError):  # it ended by itself meanwhile
                    connection.watch(self.slow_seconds)
            for connection in self._admission.overdue(self._active):
                with suppress(OSError):  # as above
                    connection.cut()
            self._lobby.drop_cut()

    def _accepts_until(self) -> float:
        if self._stopped_at is None:
            return 0.0
        if is_replaced(self):
            return 0.0 if has_successor(self) else self._stopped_at + BOOT_SECONDS
        return self._stopped_at + self.stop_delay

    def _stop_accepting(self) -> None:
        """Take what the kernel has queued for this instance, and let the port go."""
        self.set_accept_enabled(False)
        for listener in self.sockets:
            if not self.cfg.is_ssl and not is_replaced(self):
                while self._accept_one(listener):
                    pass
            listener.close()

    def _accept_one(self, listener: Any) -> bool:  # noqa: ANN401  # gunicorn's wrapper of a socket
        if self.nr_conns >= self.worker_connections:
            self._lobby.make_room()
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in _NOT_NOW:
                self.log.warning("No connection can be taken: %s", error)
                self._lobby.make_room()
                sleep(SHORTAGE)
            elif not isinstance(error, BlockingIOError | ConnectionError):
                raise
            return False
        self.nr_conns += 1
        client = ClientSocket.of(client)
        server = listener.getsockname()
        hops = self.trusted_proxies
        self._lobby.welcome(Connection(self.cfg, client, address, server, hops=hops))
        return True

    def _begin(self, connection: Connection) -> None:
        if not connection.answer:
            connection.hand_over()
        self._active.add(connection)
        if connection.is_probe:
            self._probes.admit(connection)
        else:
            self.enqueue_req(connection)

    def _forget(self) -> None:
        self.nr_conns -= 1
