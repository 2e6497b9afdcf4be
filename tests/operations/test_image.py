"""The image alone: what its Dockerfile lays out serves with nothing given to it.

Laid out here as Docker would: the files that .dockerignore lets in, the link, the variables, the
command.
"""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.server import ROOT, free_port

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


class Container:
    """One run of the image: an application's directory, a volume and an environment."""

    def __init__(self, room: Path) -> None:
        self.app, self.data, self.port = room / "app", room / "data", free_port()
        for allowed in re.findall("(?m)^!(.+)$", (ROOT / ".dockerignore").read_text("utf-8")):
            source, target = ROOT / allowed, self.app / allowed
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        self.data.mkdir()
        [link] = re.findall(r"(?m)^RUN ln -s /data/(\S+) (\S+)$", DOCKERFILE)
        (self.app / link[1]).symlink_to(self.data / link[0])
        [variables] = re.findall("(?m)^ENV (DATABASE_URL=.*)$", DOCKERFILE)
        said = dict(one.split("=", 1) for one in variables.split())
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "BIND": f"127.0.0.1:{self.port}",
            **{name: value.replace("/data", str(self.data)) for name, value in said.items()},
        }
        [command] = re.findall(r"(?m)^CMD (\[.*\])$", DOCKERFILE)
        self.command: list[str] = json.loads(command)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        with (self.data / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.app, env=self.environment, stdout=log, stderr=log
            )
        for _ in range(600):
            if self.process.poll() is not None:
                break
            try:
                if requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).ok:
                    return
            except (requests.ConnectionError, requests.Timeout):
                time.sleep(0.05)
        raise RuntimeError((self.data / "log").read_text())

    def stop(self) -> None:
        """Stop it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=60)
            self.process = None

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as ``docker exec`` does."""
        return subprocess.run(
            command,
            cwd=self.app,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    container = Container(tmp_path)
    yield container
    container.stop()


def test_the_image_alone_serves_and_keeps_its_logins_and_secrets(container: Container) -> None:
    person = {"username": "alice", "password": "Secure1Pass"}
    url = f"http://127.0.0.1:{container.port}/api/auth"
    container.start()
    made = container.run("./files", "users", "create", "alice", "a@b.example", "--password",
                         person["password"])  # fmt: skip
    login = requests.post(f"{url}/login", json=person, timeout=10)
    secrets = (container.data / ".env").read_text()
    container.stop()
    container.start()
    me = requests.get(
        f"{url}/me",
        headers={"Authorization": f"Bearer {login.json()['access_token']}"},
        timeout=10,
    )

    assert made.returncode == 0, made.stderr
    assert me.json()["username"] == "alice"
    assert (container.data / ".env").read_text() == secrets
    assert stat.S_IMODE((container.data / ".env").stat().st_mode) == 0o600
    assert "APP_ENV" not in secrets


def test_with_a_shared_database_it_makes_no_secret_of_its_own(container: Container) -> None:
    container.environment["DATABASE_URL"] = "postgresql://softfactory@127.0.0.1:1/none"

    ran = container.run(*container.command)

    assert ran.returncode != 0
    assert "SECRET_KEY: production needs a random secret" in ran.stderr
    assert not (container.data / ".env").exists()
