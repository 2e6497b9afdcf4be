"""A client that a program generates from the OpenAPI document, without a word of complaint."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests import samples
from tests.e2e.clients import embedded_and_scaled
from tests.e2e.person import PASSWORD, Person
from tests.e2e.server import Server

SCRIPT = """
import sys
from importlib import import_module
from io import BytesIO
from pkgutil import walk_packages

import softfactory_client
from softfactory_client import AuthenticatedClient, Client
from softfactory_client.api.auth import auth_login, auth_me
from softfactory_client.api.drive import drive_delete, drive_download_file, drive_list_stored
from softfactory_client.api.files import files_info, files_upload
from softfactory_client.api.simple import simple_download, simple_upload
from softfactory_client.models import Credentials, DriveKey, SimpleForm, UploadForm
from softfactory_client.types import File

for module in walk_packages(softfactory_client.__path__, "softfactory_client."):
    import_module(module.name)

url, name, password, path = sys.argv[1:]
content = open(path, "rb").read()
tokens = auth_login.sync(client=Client(url), body=Credentials(username=name, password=password))
client = AuthenticatedClient(url, token=tokens.access_token, raise_on_unexpected_status=True)
assert auth_me.sync(client=client).username == name

form = UploadForm(file=File(BytesIO(content), "report.pdf", "application/pdf"))
sent = files_upload.sync(client=client, body=form)
assert sent.size == len(content)
assert files_info.sync(sent.file_id, client=client).uploaded_at.tzinfo is not None
given = drive_download_file.sync(sent.file_key, client=client)
assert given.payload.read() == content

form = SimpleForm(file=File(BytesIO(content), "again.pdf", "application/pdf"))
key = simple_upload.sync(client=client, body=form).file_key
assert simple_download.sync(key, client=client).payload.read() == content

listed = drive_list_stored.sync(client=client).files
assert len(listed) == 2
for each in listed:
    drive_delete.sync(client=client, body=DriveKey(s3_key=each.s3_key), s3_key=each.s3_key)
assert drive_list_stored.sync(client=client).files == []
print("done")
"""


@pytest.fixture
def generated(tmp_path: Path, make_server: Callable[..., Server]) -> tuple[Server, Path]:
    """A server, and a folder with the client that was made of its document."""
    server = make_server()
    document = tmp_path / "openapi.json"
    described = requests.get(f"{server.url}/api/openapi.json", timeout=30).json()
    document.write_text(json.dumps(described))
    folder = tmp_path / "generated"
    folder.mkdir()
    made = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning"),
            *("--path", str(document), "--meta", "none"),
            *("--output-path", str(folder / "softfactory_client")),
        ],
        cwd=tmp_path,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert "Warning" not in made.stdout + made.stderr
    return server, folder


@embedded_and_scaled
def test_a_generated_client_logs_in_uploads_downloads_and_deletes(
    generated: tuple[Server, Path], tmp_path: Path
) -> None:
    server, folder = generated
    person = Person(server.url, tmp_path / "mail")
    person.register()
    report = tmp_path / "report.pdf"
    report.write_bytes(samples.pdf())

    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, server.url, person.name, PASSWORD, str(report)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.stdout == "done\n", ran.stderr
