"""The OpenAPI document: what flask-smorest gathers from the views, and what holds for all of them.

Who may call an operation and how it can fail follow from the marks that its view carries, so that
the document says what the application does. The examples are those of the contracts.
"""

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Any

import flask_smorest
from flask import Flask

from softfactory.http.identity import is_login_optional, is_public
from softfactory.http.limits import UNLIMITED, budget_of
from softfactory.http.schemas import Error

Document = dict[str, Any]
"""JSON."""

View = Callable[..., Any]

BEARER = "bearer"
"""The name of the one security scheme."""

METHODS = ("get", "post", "put", "patch", "delete")

FAILURES: dict[str, tuple[HTTPStatus, ...]] = {
    "credentials": (HTTPStatus.NOT_FOUND, HTTPStatus.NOT_IMPLEMENTED),
    "drive": (HTTPStatus.ACCEPTED, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    "files": (HTTPStatus.ACCEPTED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    "media": (
        HTTPStatus.ACCEPTED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
        HTTPStatus.LENGTH_REQUIRED,
        HTTPStatus.PRECONDITION_FAILED,
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    ),
    "s3": (HTTPStatus.ACCEPTED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    "simple": (
        HTTPStatus.ACCEPTED,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
        HTTPStatus.PRECONDITION_FAILED,
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    ),
    "uploads": (
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
        HTTPStatus.LENGTH_REQUIRED,
    ),
}
"""How the operations of a domain can fail, beside what every operation has."""

EXAMPLES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "openapi_examples.json").read_text("utf-8")
)
"""By operation (``GET /v1/files/{}``): its ``request``, and its answers by status."""


def _check(summary: str, *statuses: HTTPStatus) -> Document:
    schema = {
        "type": "object",
        "required": ["status"],
        "properties": {
            "status": {"type": "string"},
            "failing": {"type": "array", "items": {"type": "string"}},
        },
    }
    content = {"application/json": {"schema": schema}}
    responses = {str(s.value): {"description": s.phrase, "content": content} for s in statuses}
    return {"get": {"tags": ["health"], "summary": summary, "responses": responses}}


_URI = {"type": "string", "format": "uri"}
_ROOT: Document = {
    "get": {
        "tags": ["health"],
        "summary": "Tell what this is; a browser is led to the documents.",
        "responses": {
            "200": {
                "description": "OK",
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["name", "version", "docs", "health"],
                            "properties": {
                                "name": {"type": "string"},
                                "version": {"type": "string"},
                                "docs": {**_URI, "nullable": True},
                                "health": _URI,
                            },
                        }
                    }
                },
            },
            "302": {"description": "Found"},
        },
    }
}

PLAIN = {
    "/": _ROOT,
    "/healthz": _check("Tell that the process lives.", HTTPStatus.OK),
    "/readyz": _check(
        "Tell whether database and storage answer.", HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE
    ),
}
"""The operations of plain blueprints, which flask-smorest does not see."""


class Api(flask_smorest.Api):
    """flask-smorest's, with this project's error body, and no failure that nobody has named."""

    ERROR_SCHEMA = Error
    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self._undescribed: list[flask_smorest.Blueprint] = []
        self._describing = Lock()

    def register_blueprint(self, blp: flask_smorest.Blueprint, **options: Any) -> None:  # noqa: ANN401  # as the base class
        """Register a blueprint; its views are described when the document is first asked for.

        Most processes never ask, and describing takes longer than all else that an app starts with.
        """
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blp.name] = self
        self._app.register_blueprint(blp, **options)
        self._undescribed.append(blp)

    def describe(self) -> Document:
        """Return what the views say; where two contracts meet on one URL, what both say."""
        with self._describing:
            while self._undescribed:
                self._describe(self._undescribed.pop(0))
            return deepcopy(self.spec.to_dict())

    def _describe(self, blueprint: flask_smorest.Blueprint) -> None:
        earlier = deepcopy(self.spec.to_dict()["paths"])
        blueprint.register_views_in_doc(
            self, self._app, self.spec, name=blueprint.name, parameters=None
        )
        self.spec.tag({"name": blueprint.name, "description": blueprint.description})
        for path, item in self.spec.to_dict()["paths"].items():
            for method in set(item) & set(METHODS):
                other = earlier.get(path, {}).get(method)
                if other is not None and other["tags"] != item[method]["tags"]:
                    _merge(item[method], other)


def document(app: Flask, api: Api) -> Document:
    """Return the OpenAPI document of all routes of ``app`` but the pages that show it."""
    spec = api.describe()
    spec["components"]["responses"] = {
        status.name: {
            "description": status.phrase,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        for status in HTTPStatus
        if status >= HTTPStatus.BAD_REQUEST or status == HTTPStatus.ACCEPTED
    }
    spec["components"]["securitySchemes"] = {
        BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    spec["security"] = [{BEARER: []}]
    spec["paths"].update(deepcopy(PLAIN))
    for path, method, view in _operations(app):
        operation = spec["paths"].get(path, {}).get(method)
        if operation is not None:
            _tell_who_may_call(operation, view)
            _tell_what_can_fail(operation, view)
            name = re.sub("{[^}]*}", "{}", path).rstrip("/")
            _illustrate(operation, f"{method.upper()} {name}")
    return spec


def _merge(operation: Document, other: Document) -> None:
    """Add to an operation what another contract takes and answers on the same URL."""
    operation["tags"] = [*other["tags"], *operation["tags"]]
    operation["summary"] = f"{other['summary']} {operation['summary']}"
    content = operation["requestBody"]["content"]
    operation["requestBody"]["content"] = {**other["requestBody"]["content"], **content}
    operation["responses"] = {**other["responses"], **operation["responses"]}


def _operations(app: Flask) -> Iterator[tuple[str, str, View]]:
    """Yield path, method and view of every route, as OpenAPI writes them."""
    for rule in app.url_map.iter_rules():
        path = re.sub("<(?:[^<>]*:)?([^<>:]*)>", r"{\1}", rule.rule)
        for method in rule.methods or ():
            yield path, method.lower(), app.view_functions[rule.endpoint]


def _tell_who_may_call(operation: Document, view: View) -> None:
    if is_public(view):
        operation["security"] = []
    elif is_login_optional(view):
        operation["security"] = [{BEARER: []}, {}]


def _tell_what_can_fail(operation: Document, view: View) -> None:
    statuses = {HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR}
    statuses.update(*(FAILURES.get(tag, ()) for tag in operation["tags"]))
    if not is_public(view) or "auth" in operation["tags"]:
        statuses.add(HTTPStatus.UNAUTHORIZED)
    if budget_of(view) != UNLIMITED:
        statuses.add(HTTPStatus.TOO_MANY_REQUESTS)
    if "requestBody" in operation:
        statuses |= {
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            HTTPStatus.INSUFFICIENT_STORAGE,
        }
    for status in sorted(statuses):
        reference = {"$ref": f"#/components/responses/{status.name}"}
        operation["responses"].setdefault(str(status.value), reference)


def _illustrate(operation: Document, name: str) -> None:
    """Show the examples of the contracts, where the view has none of its own."""
    examples = EXAMPLES.get(name, {})
    bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
    for place, body in bodies.items():
        content = body.get("content", {}).get("application/json")
        if content is not None and place in examples:
            content.setdefault("example", examples[place])
