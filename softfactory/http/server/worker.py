"""The worker: requests wait for their bytes without a thread, and slow transfers are cut off.

gunicorn's own hands a connection to a thread before anything of a request has arrived, lets a
thread wait for ever, and closes connections in its main loop, one at a time and up to two seconds
each (docs/decisions/0009-slow-clients.md).
"""

import errno
import selectors
from concurrent.futures import Future
from contextlib import suppress
from time import monotonic, sleep
from types import FrameType
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from softfactory.http.server.client_socket import ClientSocket
from softfactory.http.server.connections import Connection
from softfactory.http.server.heads import is_small
from softfactory.http.server.lobby import Lobby
from softfactory.http.server.refusals import INTERNAL, refusal_of
from softfactory.http.server.request_body import is_left, straight
from softfactory.http.server.signals import STOPPING, ClientTooSlow
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

_NOT_NOW = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class PatientWorker(ThreadWorker):
    """A threaded worker whose main loop keeps every connection that waits for its client.

    A subclass made in gunicorn.conf.py sets the two settings.
    """

    slow_seconds = 30.0
    """A request has to be there, and a transfer has to have moved, within so many seconds."""

    stop_delay = 0.0
    """Seconds after SIGTERM in which requests are still taken, while readiness says no."""

    wsgi: Any
    _lobby: Lobby

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as gunicorn's
        super().__init__(*args, **kwargs)
        self._active: set[Connection] = set()
        """The connections that threads have."""
        self._stopped_at: float | None = None
        self._ticked_at = 0.0

    def load_wsgi(self) -> None:
        """Load the application, and give each request more than gunicorn's WSGI does.

        It knows whether this instance is going away, and reads its body straight from the socket.
        """
        super().load_wsgi()
        application = self.wsgi

        def serve(environ: dict[str, Any], start_response: Any) -> Any:  # noqa: ANN401  # WSGI
            if is_small(environ):
                stay_home()
            else:
                run_anywhere()
            environ[STOPPING] = self._stopped_at is not None and not is_replaced(self)
            body = environ["wsgi.input"] = straight(environ["wsgi.input"])
            answer = application(environ, start_response)
            if is_left(body):  # the connection ends behind this answer, which has to say so
                start_response.__self__.force_close()
            return answer

        self.wsgi = serve

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop: readiness turns, and after the delay nothing new is taken."""
        self._stopped_at = self._stopped_at or monotonic()
        super().handle_exit(sig, frame)

    def run(self) -> None:
        """Serve until told to stop; then finish what is in flight within the grace period."""
        self._lobby = Lobby(
            self.poller, admit=self._admit, on_gone=self._forget, slow_seconds=self.slow_seconds
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
        may_stay = super().handle(conn)
        while may_stay and isinstance(conn, Connection) and self._has_threads_to_spare():
            if not conn.has_next(LINGER):
                break
            may_stay = super().handle(conn)
        return may_stay

    def handle_request(self, req: Any, conn: Any) -> Any:  # noqa: ANN401  # gunicorn's
        """Answer one request, head and body together where they are small."""
        if not isinstance(conn.sock, ClientSocket):
            return super().handle_request(req, conn)
        conn.sock.hold()
        try:
            return super().handle_request(req, conn)
        finally:
            conn.sock.flush()

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:  # noqa: ANN401  # gunicorn's
        """Wait for the connection's next request, or let it go once the client has read all."""
        if not isinstance(conn, Connection):
            if conn.sock.fileno() < 0:  # no handshake came; gunicorn would count it out twice
                self._forget()
            else:
                super().finish_request(conn, fs)
            return
        self._active.discard(conn)
        may_stay = not fs.cancelled() and fs.exception() is None and fs.result()
        if may_stay and not conn.is_cut:
            conn.take_back()
            idle = self.cfg.keepalive if self.alive else IDLE_WHILE_STOPPING
            self._lobby.welcome(conn, idle)
        else:
            self._lobby.see_off(conn)

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

    def _has_threads_to_spare(self) -> bool:
        """Whether nobody waits for a thread, and a stop for none."""
        return self._stopped_at is None and len(self._active) < self.cfg.threads

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
            for connection in self._active.copy():
                with suppress(OSError):  # it ended by itself meanwhile
                    connection.cut_if_too_slow(self.slow_seconds)

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
        self._lobby.welcome(Connection(self.cfg, client, address, listener.getsockname()))
        return True

    def _admit(self, connection: Connection) -> None:
        connection.hand_over()
        self._active.add(connection)
        self.enqueue_req(connection)

    def _forget(self) -> None:
        self.nr_conns -= 1
