"""Every command of README and CONTRIBUTING runs as written, or stands here with the reason.

They run in a copy of the project that has its environments already, as after the first `make`.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config import Config
from softfactory.factory import create_app
from softfactory.http.account_services import accounts
from softfactory.http.extensions import db
from tests.e2e.server import ROOT, free_port

EXCUSED = {
    "make test": "runs this test, which would run it",
    'make test ARGS="-x --lf" TEST_PROCESSES=0': "as make test",
    'make test ARGS="tests/storage -k rename"': "as make test",
    "make lint": "takes a minute; .ci/run runs it",
    "make requirements": "asks a registry, for minutes",
    "make upgrade-requirements": "as make requirements",
    "bash .ci/run": "runs this test, which would run it",
    "pip install pre-commit && pre-commit install -t pre-commit -t pre-push": (
        "changes the environment and the hooks of whoever runs the tests"
    ),
    "tests/servers/rgw.sh install && tests/servers/rgw.sh start": ".ci/run runs it",
    "docker build -t softfactory-files .": "test_image.py does without Docker what the image does",
    "docker build -t softfactory-files:X.Y.Z .": "as without a version",
    "docker run --name files -p 127.0.0.1:8000:8000 -v softfactory:/data softfactory-files": (
        "test_image.py"
    ),
    ".venv/bin/python scripts/create_bucket.py": "has its own test below, with an S3 server",
    "docker exec files ./files users create NAME EMAIL --password ...": "test_image.py",
}
"""What is not run as a whole; of those that make does, its rules are read at least."""

PROGRAMS = re.compile(
    r"(make|\./files|bash|docker|flask|git|gunicorn|pip|python3?|\.venv/bin/\w+|tests/servers/\S+)"
    r"( |$)"
)
SERVES = re.compile(r"make run|\S*gunicorn ")
STANDS_FOR = {
    "EMAIL": "{name}@example.com",
    "NAME": "{name}",
    "...": "Secure1Pass",
    "DAYS": "1",
    "MIB": "1000",
}

AT_SCALE = {
    "postgresql://...": "sqlite:///scale.db",
    "redis://...": os.environ.get("TEST_REDIS_URL") or "redis://127.0.0.1:6379/15",
    "UPLOAD_STORAGE_HANDLER=s3": "UPLOAD_STORAGE_HANDLER=local",
    "...": "a-value-of-more-than-thirty-two-characters",
}


def code(document: str) -> list[str]:
    """Return all pieces of code of a document: lines of blocks, and what stands in backticks."""
    text = (ROOT / document).read_text("utf-8")
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    lines += re.findall(r"(?m)^    (\S.*)$", text)
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return [re.sub(r"\s+#.*", "", piece) for piece in [*lines, *re.findall("`([^`]+)`", prose)]]


COMMANDS = sorted(
    {
        piece.replace("\\|", "|")
        for document in ("README.md", "CONTRIBUTING.md")
        for piece in code(document)
        if PROGRAMS.match(piece) and not piece.startswith((".venv/bin/gunicorn", "make .venv"))
    }
)
"""Without those of the section "At scale", which mean something in their order only."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, sqlite_template: bytes) -> Path:
    """The project after its first ``make run`` and ``make test``."""
    clone = tmp_path_factory.mktemp("clone") / "a clone"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout
    for name in files.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    for environment in (".venv", ".venv-dev"):
        (clone / environment).mkdir(exist_ok=True)
        for part in ("bin", "lib", "pyvenv.cfg"):
            (clone / environment / part).symlink_to(Path(sys.prefix) / part)
        (clone / environment / ".installed").touch()
    run(clone, ".venv/bin/python scripts/write_env.py")
    (clone / "instance").mkdir()
    (clone / "instance" / "softfactory.db").write_bytes(sqlite_template)
    make_users(clone)
    return clone


def environment_of(clone: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(clone),
        # What a second `make run` on this machine would want as well.
        "BIND": f"127.0.0.1:{free_port()}",
    }


def run(clone: Path, command: str) -> None:
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=clone,
        env=environment_of(clone),
        input="y\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"


def serve(clone: Path, command: str) -> None:
    """Run a command that serves until it is ready, and stop it."""
    log = clone / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=clone,
            env=environment_of(clone),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 60
        while "is ready on" not in log.read_text():
            assert process.poll() is None, f"{command}\n{log.read_text()}"
            assert time.monotonic() < deadline, f"{command}\n{log.read_text()}"
            time.sleep(0.1)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def filled_in(command: str, name: str) -> str:
    """Return a command with all its options, and values for what stands for some."""
    command = re.sub(r"\|[^] ]*", "", command).replace("[", "").replace("]", "")
    for word, value in STANDS_FOR.items():
        command = command.replace(word, value.format(name=name))
    return command


def name_in(command: str) -> str:
    """Return the name of the user of a command, who is of no other's."""
    return f"user{COMMANDS.index(command)}"


def make_users(clone: Path) -> None:
    """Make the user of every command that does not make its own."""
    url = f"sqlite:///{clone}/instance/softfactory.db"
    app = create_app(Config(app_env="testing", database_url=url, media_root=clone / "media"))
    with app.app_context():
        for name in (name_in(one) for one in COMMANDS if " NAME" in one and " create " not in one):
            accounts().create_confirmed(name, f"{name}@example.com", "Secure1Pass", is_admin=False)
        db.session.remove()
        db.engine.dispose()


@pytest.mark.parametrize("command", [one for one in COMMANDS if one not in EXCUSED])
def test_a_documented_command_runs(clone: Path, command: str) -> None:
    if SERVES.match(command):
        serve(clone, command.replace(":8000", f":{free_port()}"))
    else:
        run(clone, filled_in(command, name_in(command)))


@pytest.mark.parametrize("command", [one for one in EXCUSED if one.startswith("make ")])
def test_make_knows_what_it_would_do_for_a_command_that_is_not_run(
    clone: Path, command: str
) -> None:
    run(clone, command.replace("make", "make --dry-run", 1))


def test_nothing_is_excused_that_is_not_documented() -> None:
    assert set(EXCUSED) - set(COMMANDS) == set()


def test_the_commands_of_the_scaled_form_serve_in_their_order(clone: Path) -> None:
    section = (ROOT / "README.md").read_text("utf-8").split("## At scale")[1]
    block = re.search(r"```console\n(.*?)```", section, re.DOTALL)
    assert block is not None
    script = block[1].replace("$ ", "").replace("WEB_CONCURRENCY=4", "WEB_CONCURRENCY=2")
    for word, value in AT_SCALE.items():
        script = script.replace(word, value)

    serve(clone, f'export GUNICORN_CMD_ARGS="--bind $BIND"\n{script}')


def test_the_bucket_of_an_s3_server_is_made_as_documented(clone: Path, moto_server: str) -> None:
    settings = (
        f"UPLOAD_STORAGE_HANDLER=s3 AWS_S3_BUCKET=of-the-readme AWS_S3_ENDPOINT_URL={moto_server} "
        "AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing "
    )
    command = ".venv/bin/python scripts/create_bucket.py"

    run(clone, f"{settings} {command} && {settings} {command}")
