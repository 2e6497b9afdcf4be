"""copyparty as PyPI has it, in a virtual environment of its own, with its own defaults."""

import subprocess
import sys
from pathlib import Path

from benchmarks.servers.started import start, stop
from tests.e2e.server import ROOT, free_port

NAME = "copyparty"
ENVIRONMENT = ROOT / ".venv-copyparty"


def find() -> str | None:
    """Return its Python, installing copyparty where that is possible; None where it is not."""
    python = ENVIRONMENT / "bin" / "python"
    if not (ENVIRONMENT / "bin" / "copyparty").exists():
        print("Installing copyparty ...", flush=True)
        for command in (
            [sys.executable, "-m", "venv", str(ENVIRONMENT)],
            [str(python), "-m", "pip", "install", "--quiet", "copyparty"],
        ):
            if subprocess.run(command, capture_output=True, check=False).returncode:
                return None
    return str(python)


class Copyparty:
    """One copyparty that anybody may read, write and delete in."""

    name = NAME

    def __init__(self, command: str, room: Path) -> None:
        """Start it; what it writes lies in ``room``."""
        self.files = room / "files"
        self.files.mkdir(parents=True)
        self.port = free_port()
        command_line = [
            *("env", f"XDG_CONFIG_HOME={room}", command, "-m", "copyparty", "-q"),
            *("-i", "127.0.0.1", "-p", str(self.port), "-v", f"{self.files}::rwd"),
        ]
        self._process = start(command_line, self.port, room / "output.log")

    @property
    def pid(self) -> int:
        """Its first process."""
        return self._process.pid

    def stop(self) -> None:
        """End it."""
        stop(self._process)
