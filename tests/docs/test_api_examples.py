"""The examples of ``docs/api`` are requests that this service answers as they say."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse

from tests import samples
from tests.conftest import Caller
from tests.stacks import one_stack

PAGES = Path(__file__).resolve().parents[2] / "docs" / "api"
SAME_TEXT = ("message", "status", "code", "token_type", "upload_status", "tier")
"""Fields whose texts are promised to the letter; of others, examples show the type."""

FILES = {"document.pdf": samples.SAMPLES["application/pdf"](), "file.txt": b"Some plain text."}

_BLOCK = re.compile(r"^```http\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Reader:
    """Sends the requests of one page in turn, and remembers what the answers said."""

    app: Flask
    seen: dict[str, Any] = field(default_factory=dict)

    def send(self, text: str) -> TestResponse:
        head, _, body = self._filled(text).partition("\n\n")
        method, target = head.splitlines()[0].split(" ", 1)
        headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
        options: dict[str, Any] = {"data": body.removesuffix("\n")}
        if headers.get("Content-Type") == "multipart/form-data":
            options["data"] = {name: _value(value) for name, value in _form(body)}
        if "access_token" in self.seen and not target.startswith("http"):
            headers["Authorization"] = f"Bearer {self.seen['access_token']}"
        path = target.replace("http://localhost:8000", "").replace("http://localhost", "")
        answer = self.app.test_client().open(path, method=method, headers=headers, **options)
        if answer.is_json:
            self._remember(answer.json)
        elif "ETag" in answer.headers:
            self.seen["etag"] = answer.get_etag()[0]
        return answer

    def _filled(self, text: str) -> str:
        if "{mailed_code}" in text:
            found = re.findall(r"\b\d{6}\b", self.app.extensions["mailman"].outbox[-1].body)
            self.seen["mailed_code"] = found[-1]
        return re.sub(r"\{(\w+)\}", lambda name: str(self.seen[name[1]]), text)

    def _remember(self, value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                self._remember(inner)
                if isinstance(inner, str | int):
                    self.seen[name] = inner
        for inner in value if isinstance(value, list) else ():
            self._remember(inner)


def _form(body: str) -> Iterator[tuple[str, str]]:
    for line in body.strip().splitlines():
        name, _, value = line.partition("=")
        yield name, value


def _value(value: str) -> str | FileStorage:
    if not value.startswith("@"):
        return value
    return FileStorage(BytesIO(FILES[value[1:]]), value[1:])


def _check(shown: Any, got: Any, where: str) -> None:
    """Fail unless ``got`` has what is shown: the fields, the types, and the promised texts."""
    if isinstance(shown, dict):
        for name, inner in shown.items():
            assert name in got, f"{where}.{name} is missing in {got}"
            _check(inner, got[name], f"{where}.{name}")
    elif isinstance(shown, list):
        assert isinstance(got, list), f"{where}: {got}"
        assert bool(got) == bool(shown), f"{where}: {got}"
        for inner in shown:
            _check(inner, got[0], f"{where}[0]")
    elif isinstance(shown, bool) or shown is None or where.rpartition(".")[2] in SAME_TEXT:
        assert got == shown, where
    else:
        assert type(got) is type(shown), f"{where}: {got!r}"


def _examples(page: str) -> list[tuple[str, str]]:
    blocks = _BLOCK.findall((PAGES / page).read_text())
    pairs = list(zip(blocks[::2], blocks[1::2], strict=True))
    assert all(answer.startswith("HTTP/1.1 ") for _, answer in pairs), page
    return pairs


def _run(reader: Reader, page: str) -> None:
    for request, answer in _examples(page):
        status_line, _, shown = answer.partition("\n\n")
        status = int(status_line.split()[1])
        got = reader.send(request)
        assert got.status_code == status, f"{request}\n{got.text}"
        assert status_line.split(" ", 2)[2].strip() == HTTPStatus(status).phrase.upper()
        if shown.strip():
            _check(json.loads(shown), got.json, request.splitlines()[0])


@pytest.fixture
def reader(app: Flask) -> Reader:
    """Somebody who reads a page and tries its examples."""
    return Reader(app)


@one_stack
def test_the_examples_of_accounts_answer_as_they_say(reader: Reader) -> None:
    _run(reader, "accounts.md")


@one_stack
@pytest.mark.parametrize("page", ["files.md", "drive.md", "browser.md", "simple.md", "uploads.md"])
def test_the_examples_of_each_contract_answer_as_they_say(
    reader: Reader, sign_in: Callable[..., Caller], page: str
) -> None:
    reader.seen["access_token"] = sign_in("username").access_token

    _run(reader, page)


@pytest.mark.parametrize(
    ("database_url", "storage_settings"), [("sqlite", "s3-moto")], indirect=True
)
def test_the_examples_of_credentials_answer_as_they_say(
    reader: Reader, sign_in: Callable[..., Caller]
) -> None:
    reader.seen["access_token"] = sign_in("username").access_token

    _run(reader, "credentials.md")


@pytest.mark.parametrize("page", sorted(path.name for path in PAGES.glob("*.md")))
def test_every_link_between_the_pages_leads_to_a_section(page: str) -> None:
    for target in re.findall(r"\]\(([\w.]*\.md)?(?:#([\w-]+))?\)", (PAGES / page).read_text()):
        name, anchor = target
        text = (PAGES / (name or page)).read_text()
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        anchors = {
            re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings
        }

        assert not anchor or anchor in anchors, target
