"""Starting a server's processes, and ending exactly those."""

import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

START_SECONDS = 30


def start(command: Sequence[str], port: int, log: Path) -> subprocess.Popen[bytes]:
    """Start ``command`` and wait until it listens at ``port``.

    Raises:
        RuntimeError: it ended, or does not listen.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return process
    stop(process)
    raise RuntimeError(f"{command[0]} did not start:\n{log.read_text()}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the process; its children end with it."""
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
