"""nginx as Debian packages it: sendfile for GET, dav for PUT, one worker as the service has one."""

import shutil
import subprocess
from pathlib import Path

from benchmarks.servers.started import start, stop
from tests.e2e.server import free_port

NAME = "nginx"

# Bodies keep the stock buffer of 16 KiB (client_body_buffer_size, x86-64); without the other lines
# nginx would write below /var, as another user, or answer 413.
_CONFIGURATION = """
daemon off; master_process on; worker_processes {workers}; {user}
pid {room}/nginx.pid; error_log {room}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off; default_type application/octet-stream;
    sendfile on; tcp_nopush off; keepalive_requests 1000000;
    client_max_body_size 0; client_body_temp_path {room}/temporary;
    proxy_temp_path {room}/unused; fastcgi_temp_path {room}/unused;
    uwsgi_temp_path {room}/unused; scgi_temp_path {room}/unused;
    server {{
        listen 127.0.0.1:{port};
        root {room}/files;
        dav_methods PUT DELETE; create_full_put_path on;
    }}
}}
"""


def find() -> str | None:
    """Return nginx's command, installing it where that is possible; None where it is not."""
    path = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if path is None and shutil.which("apt-get"):
        print("Installing nginx ...", flush=True)
        install = ["apt-get", "install", "--yes", "--no-install-recommends", "nginx-light"]
        for command in (["apt-get", "update"], install):
            subprocess.run(command, capture_output=True, check=False)
        path = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    return path


class Nginx:
    """One nginx that serves and takes files below a directory of its own."""

    name = NAME

    def __init__(self, command: str, room: Path) -> None:
        """Start it; what it writes lies in ``room``."""
        self.files = room / "files"
        self.files.mkdir(parents=True)
        self.port = free_port()
        user = "user root;" if room.owner() == "root" else ""
        configuration = room / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(room=room, port=self.port, user=user, workers=1)
        )
        command_line = [command, "-p", str(room), "-c", str(configuration)]
        self._process = start(command_line, self.port, room / "output.log")

    @property
    def pid(self) -> int:
        """Its first process."""
        return self._process.pid

    def stop(self) -> None:
        """End it."""
        stop(self._process)
