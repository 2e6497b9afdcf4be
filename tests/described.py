"""Every JSON answer that a test gets from the application is held against the OpenAPI document.

A plugin of the suite: an answer whose status is not described for its operation, that lacks a
field which is to be there, has one that nobody described, or a value of another type, fails the
test that got it. A new status of one view is described by ``blueprint.alt_response``, one of a whole
domain in ``softfactory.http.openapi.FAILURES``, and a field that may be absent by ``Answer.optional``.
"""

import json
import re
from collections.abc import Generator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import RLock
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask, Response, request, request_finished

from config import Config
from softfactory.factory import create_app

Json = Any

OPENAPI_PATH = re.compile("<(?:[^<>]*:)?([^<>:]*)>")
"""What a rule has where OpenAPI has ``{name}``."""

unlike: list[str] = []
"""What was found in the running test."""

_making = RLock()


def pytest_configure() -> None:
    """Look at each answer of each application of this process."""
    request_finished.connect(_look, weak=False)


def pytest_runtest_setup() -> None:
    """Begin anew with each test."""
    unlike.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, Json, Json]:
    """Fail the test whose answers, or whose fixtures' answers, are not as described."""
    result = yield
    if unlike:
        found = list(dict.fromkeys(unlike))
        pytest.fail("Answers are not as openapi.json describes them:\n" + "\n".join(found))
    return result


def faults(method: str, rule: str | None, status: int, body: bytes | None) -> list[str]:
    """Return how an answer differs from its description; ``body`` is None where it is no JSON."""
    if rule is None:  # no such route, or not by this method
        return [] if body is None else _errors(_validator_of("Error"), body)
    validator = _validator(method, rule, status)
    if validator is None:
        return ["this status is not described"]
    if body is None or validator is True:
        return []
    return _errors(validator, body)


def _look(app: Flask, response: Response) -> None:
    is_ours = app.name == "softfactory" and request.method != "OPTIONS"
    if not is_ours or request.path.startswith(("/api/docs", "/api/redoc", "/api/openapi.json")):
        return
    rule = None if request.url_rule is None else OPENAPI_PATH.sub(r"{\1}", request.url_rule.rule)
    with _making:
        if rule is not None and rule not in _document()["paths"]:
            return  # a test's own route
    is_json = response.mimetype == "application/json" and request.method != "HEAD"
    method = "get" if request.method == "HEAD" else request.method.lower()
    body = response.get_data() if is_json and not response.direct_passthrough else None
    status = response.status_code
    unlike.extend(
        f"{request.method} {rule or request.path} {status}: {fault}"
        for fault in faults(method, rule, status, body)
    )


def _errors(validator: Json, body: bytes) -> list[str]:
    return [
        f"{'/'.join(map(str, error.instance_path)) or 'the body'}: {error.message[:300]}"
        for error in validator.iter_errors(json.loads(body))
    ]


@cache
def _document() -> Json:
    """Return the document of the application, which is the same in every configuration."""
    with TemporaryDirectory() as folder:
        database_url = f"sqlite:///{folder}/softfactory.db"
        config = Config(app_env="testing", database_url=database_url, media_root=Path(folder))
        client = create_app(config).test_client()
        return _strict(client.get("/api/openapi.json").get_json())


@cache
def _validator(method: str, rule: str, status: int) -> Json:
    """Return what validates; True where the answer is no JSON, None where the status is unknown."""
    with _making:
        document = _document()
    response = document["paths"][rule][method]["responses"].get(str(status))
    if response is None:
        return None
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    content = response.get("content", {}).get("application/json")
    return True if content is None else _made(content["schema"])


@cache
def _validator_of(name: str) -> Json:
    return _made({"$ref": f"#/components/schemas/{name}"})


def _made(schema: Json) -> Json:
    components = {"components": _document()["components"]}
    return jsonschema_rs.Draft7Validator({"allOf": [schema], **components}, validate_formats=True)


def _strict(schema: Json) -> Json:
    """Return the schemas as JSON Schema has them: null by type, and no field but those described."""
    if isinstance(schema, list):
        return [*map(_strict, schema)]
    if not isinstance(schema, dict):
        return schema
    made = {name: _strict(value) for name, value in schema.items() if name != "nullable"}
    if "properties" in made and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") is True else made
