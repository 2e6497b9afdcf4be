"""A load balancer as small as one can be: new connections go to instances that say they are ready."""

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

POLL_SECONDS = 0.15
"""How often each instance is asked."""

_PROBE = b"GET /readyz HTTP/1.1\r\nHost: balancer\r\nConnection: close\r\n\r\n"


class Balancer:
    """Passes connections on, each to the next ready instance, and never tries a second one.

    Attributes:
        ready: the ports of the instances that get new connections.
    """

    def __init__(self, ports: list[int], listener: socket.socket) -> None:
        """Balance what ``listener`` takes between instances on these ports of this machine."""
        self.ready: set[int] = set()
        self._listener, self._turns = listener, itertools.count()
        self._is_over = threading.Event()
        self._threads: list[threading.Thread] = []
        for port in ports:
            self._start(self._watch, port)
        self._start(self._accept)

    def stop(self) -> None:
        """Wait until all clients have hung up."""
        self._is_over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _start(self, work: Callable[..., None], *about: object) -> None:
        thread = threading.Thread(target=work, args=about)
        self._threads.append(thread)
        thread.start()

    def _watch(self, port: int) -> None:
        while not self._is_over.wait(POLL_SECONDS):
            (self.ready.add if _is_ready(port) else self.ready.discard)(port)

    def _accept(self) -> None:
        with suppress(OSError):  # it was shut down
            while True:
                client, _ = self._listener.accept()
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        ready = sorted(self.ready)
        with client, suppress(ZeroDivisionError, OSError):  # nobody is ready, or it hung up
            port = ready[next(self._turns) % len(ready)]
            with socket.create_connection(("127.0.0.1", port)) as instance:
                answers = threading.Thread(target=_pass, args=(instance, client))
                answers.start()
                _pass(client, instance)
                answers.join()


def _is_ready(port: int) -> bool:
    with (
        suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=10 * POLL_SECONDS) as instance,
    ):
        instance.sendall(_PROBE)
        return instance.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 200"
    return False


def _pass(source: socket.socket, target: socket.socket) -> None:
    """Pass on all bytes of one direction, and their end."""
    with suppress(OSError):
        while data := source.recv(256 * 1024):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def balancer(ports: list[int], listener: socket.socket) -> Iterator[Balancer]:
    """Run a balancer on ``listener``; its clients have to hang up before the block ends."""
    running = Balancer(ports, listener)
    try:
        yield running
    finally:
        running.stop()
