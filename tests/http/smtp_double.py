"""A mail server on 127.0.0.1 that takes one mail after the other and keeps it."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class SMTPDouble:
    """What a server got, and how it behaves."""

    refusal: bytes | None = None
    """What it answers to a mail's text instead of taking it."""
    offers_tls: bool = False
    mails: list[str] = field(default_factory=list)
    port: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    """Until it is set, the server greets nobody."""


@contextmanager
def running(double: SMTPDouble) -> Iterator[SMTPDouble]:
    """Serve until the block ends."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            double.gate.wait(timeout=30)
            self._say(b"220 ready")
            while line := self.rfile.readline():
                verb = line[:4].upper()
                if verb == b"EHLO":
                    self._say(b"250-here")
                    self._say(b"250 STARTTLS" if double.offers_tls else b"250 8BITMIME")
                elif verb == b"DATA":
                    self._say(b"354 go on")
                    lines = iter(self.rfile.readline, b".\r\n")
                    text = b"".join(lines).decode()
                    if double.refusal is None:
                        double.mails.append(text)
                    self._say(double.refusal or b"250 taken")
                elif verb == b"QUIT":
                    self._say(b"221 bye")
                    return
                else:
                    self._say(b"250 fine")

        def _say(self, line: bytes) -> None:
            self.wfile.write(line + b"\r\n")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing when a client hangs up."""

    with Server(("127.0.0.1", 0), Handler) as server:
        double.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield double
        finally:
            double.gate.set()
            server.shutdown()
            thread.join()
