"""The service as its operator runs it: gunicorn in processes of its own, on a port of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import requests

from config import Config
from softfactory.clock import Clock, utc_now
from softfactory.factory import create_app
from softfactory.http.extensions import db

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Server:
    """One gunicorn with its workers; its environment is all that it knows.

    Attributes:
        settings: the variables of config.py.
        log: the file that its output goes to.
        ready: what answers 200 once it has started.
    """

    settings: Mapping[str, str]
    log: Path
    arguments: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    ready: ClassVar[str] = "/readyz"

    @property
    def url(self) -> str:
        """Where it listens."""
        scheme = "https" if "--certfile" in self.arguments else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of its processes."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {**kept, "PUBLIC_BASE_URL": self.url, "PYTHONUNBUFFERED": "1", **self.settings}

    def flask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a flask command beside it and return what it printed."""
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self) -> None:
        """Start it and wait until it is ready."""
        command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"]
        command += ["--bind", f"127.0.0.1:{self.port}", *self.arguments, "wsgi:app"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                if requests.get(f"{self.url}{self.ready}", timeout=5).ok:
                    return
            except (requests.ConnectionError, requests.Timeout):
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"the server did not start:\n{self.log.read_text()}")

    def kill(self) -> None:
        """Kill it and all its workers at this very moment, as a power failure would."""
        if self.process is not None:
            with suppress(ProcessLookupError):  # it ended by itself
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """Ask it to stop and wait until it has."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.process = None


@contextmanager
def inside(server: Server, *, clock: Clock = utc_now) -> Iterator[None]:
    """An application context on the database and storage of ``server``."""
    app = create_app(Config.from_env(server.environment, dotenv=None), clock=clock)
    with app.app_context():
        yield
        db.session.remove()
        db.engine.dispose()
