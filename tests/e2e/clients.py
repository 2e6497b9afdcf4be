"""Clients that nobody of this project wrote, on a running server."""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import needs_postgresql
from tests.e2e.person import Person
from tests.e2e.server import Server
from tests.servers.s3_buckets import needs_server

DOCUMENTED = "http://localhost:8000"
"""Where the documents' clients find the service."""

embedded_and_scaled = pytest.mark.parametrize(
    ("database_url", "storage_environment"),
    [
        ("sqlite", "local"),
        pytest.param("postgresql", "s3-rgw", marks=[needs_postgresql, needs_server]),
    ],
    indirect=True,
)
"""The two forms in which the service is run."""

each_server = pytest.mark.parametrize(
    ("database_url", "storage_environment"),
    [
        ("sqlite", "local"),
        ("sqlite", "s3-moto"),
        pytest.param("postgresql", "local", marks=needs_postgresql),
        pytest.param("postgresql", "s3-rgw", marks=[needs_postgresql, needs_server]),
    ],
    indirect=True,
)
"""Every database and every storage, not every pair of them."""


def johndoe(make_server: Callable[..., Server], mail: Path, **settings: str) -> Person:
    """Return the documents' user, registered and logged in on a new server."""
    person = Person(make_server(RATELIMIT_ENABLED="false", **settings).url, mail)
    person.register()
    person.log_in()
    return person


@dataclass(frozen=True)
class Shell:
    """A shell in a folder of its own, in which curl prints the status below the answer.

    Attributes:
        words: what stands for something else in the documents' commands, and what it stands for.
    """

    folder: Path
    words: Mapping[str, str]

    def curl(self, command: str) -> tuple[str, str]:
        """Run a documented command; return the answer's body and status."""
        for word, meaning in self.words.items():
            command = command.replace(word, meaning)
        # -O takes the name from a URL that ends in a slash only in the newest curl; with -J every
        # curl takes the name that the server gives.
        settings = 'silent\nshow-error\nremote-header-name\nwrite-out = "\\n%{http_code}"\n'
        (self.folder / ".curlrc").write_text(settings)
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "CURL_HOME": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        body, _, status = ran.stdout.rpartition("\n")
        return body, status
