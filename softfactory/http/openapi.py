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

from softfactory.http.fields import UTCTime
from softfactory.http.identity import is_login_optional, is_public
from softfactory.http.limits import UNLIMITED, budget_of
from softfactory.http.schemas import OCTETS, Error

Document = dict[str, Any]
"""JSON."""

View = Callable[..., Any]

DESCRIPTION = """\
Several contracts on one set of files. Sizes are bytes, times are UTC in ISO 8601 with a `Z`.

**How to get a token.** `POST /api/auth/register` mails a code, `POST /api/auth/confirm` takes it, and
`POST /api/auth/login` answers with `access_token`. Send it with every request as
`Authorization: Bearer <access_token>`. It lives an hour by default (`expires_in`);
`POST /api/auth/refresh` renews it with the login's `refresh_token`. URLs that an answer calls signed
or presigned need no token.

**Failures** all have one body: `error` and `detail` say the same for people, `code` is for programs,
and `errors` names the fields that were wrong, 20 at most.

**Deleting.** Routes that delete take their fields in the body or, for clients and proxies that drop
the body of a DELETE, as query parameters; a field that stands in both has to be the same.

**Bytes of files** are described as `application/octet-stream`; an answer has the type of its file.
"""

BEARER = "bearer"
"""The name of the one security scheme."""

ERROR = {"$ref": "#/components/schemas/Error"}
"""The schema of the one body of every failure."""

METHODS = ("get", "post", "put", "patch", "delete")

EVERYWHERE = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
}
"""How every operation can fail."""

OF_BYTES = {
    HTTPStatus.PRECONDITION_FAILED,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
}
"""How operations that give the bytes of a file can fail besides."""

OF_BODIES = {
    HTTPStatus.LENGTH_REQUIRED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}
"""How operations that take a body can fail besides."""

FAILURES: dict[str, set[HTTPStatus]] = {
    "auth": {HTTPStatus.UNAUTHORIZED, HTTPStatus.CONFLICT},
    "credentials": {HTTPStatus.NOT_FOUND, HTTPStatus.NOT_IMPLEMENTED},
    "drive": {HTTPStatus.ACCEPTED, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT},
    "files": {
        HTTPStatus.ACCEPTED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
    },
    "media": {
        HTTPStatus.ACCEPTED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
    },
    "s3": {
        HTTPStatus.ACCEPTED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
    },
    "simple": {
        HTTPStatus.ACCEPTED,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
    },
    "uploads": {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT},
}
"""How the operations of a domain can fail besides; a view adds its own by ``alt_response``."""

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
        self.register_field(UTCTime, "string", None)
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
    spec["info"]["description"] = DESCRIPTION
    spec["components"]["responses"] = {
        status.name: {
            "description": status.phrase,
            "content": {"application/json": {"schema": ERROR}},
        }
        for status in HTTPStatus
        if status >= HTTPStatus.BAD_REQUEST or status == HTTPStatus.ACCEPTED
    }
    spec["components"]["securitySchemes"] = {
        BEARER: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The access_token of POST /api/auth/login.",
        }
    }
    spec["security"] = [{BEARER: []}]
    spec["paths"].update(deepcopy(PLAIN))
    for path, method, endpoint in _operations(app):
        operation, view = spec["paths"].get(path, {}).get(method), app.view_functions[endpoint]
        if operation is not None:
            operation["operationId"] = endpoint.replace(".", "_")
            _tell_who_may_call(operation, view)
            _tell_what_can_fail(operation, method, view)
            name = re.sub("{[^}]*}", "{}", path).rstrip("/")
            _illustrate(operation, f"{method.upper()} {name}")
    return spec


def _merge(operation: Document, other: Document) -> None:
    """Add to an operation what another contract takes and answers on the same URL."""
    operation["tags"] = [*other["tags"], *operation["tags"]]
    operation["summary"] = f"{other['summary']} {operation['summary']}"
    content = operation["requestBody"]["content"]
    operation["requestBody"]["content"] = {**other["requestBody"]["content"], **content}
    # openapi-python-client 0.29 forgets an import where each of two kinds of body is required.
    operation["requestBody"]["required"] = False
    operation["responses"] = {**other["responses"], **operation["responses"]}


def _operations(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Yield path, method and endpoint of every operation; of two on one URL, the first."""
    seen = set()
    for rule in app.url_map.iter_rules():
        path = re.sub("<(?:[^<>]*:)?([^<>:]*)>", r"{\1}", rule.rule)
        for method in rule.methods or ():
            if (path, method) not in seen:
                seen.add((path, method))
                yield path, method.lower(), rule.endpoint


def _tell_who_may_call(operation: Document, view: View) -> None:
    if is_public(view):
        operation["security"] = []
    elif is_login_optional(view):
        operation["security"] = [{BEARER: []}, {}]


def _tell_what_can_fail(operation: Document, method: str, view: View) -> None:
    statuses = EVERYWHERE.union(*(FAILURES.get(tag, set()) for tag in operation["tags"]))
    if not is_public(view):
        statuses.add(HTTPStatus.UNAUTHORIZED)
    if budget_of(view) != UNLIMITED:
        statuses.add(HTTPStatus.TOO_MANY_REQUESTS)
    if method != "get":
        statuses.add(HTTPStatus.INSUFFICIENT_STORAGE)
    if "requestBody" in operation:
        statuses |= OF_BODIES
    responses = operation["responses"]
    if OCTETS in responses.get("200", {}).get("content", {}):
        statuses |= OF_BYTES
        responses["206"] = {**responses["200"], "description": "The range that was asked for"}
        responses["304"] = {"description": HTTPStatus.NOT_MODIFIED.phrase}
    for status in sorted(statuses):
        own = responses.get(str(status.value), {}).get("content", {}).get("application/json")
        if own is None:
            responses[str(status.value)] = {"$ref": f"#/components/responses/{status.name}"}
        else:
            own["schema"] = {"anyOf": [own["schema"], ERROR]}


def _illustrate(operation: Document, name: str) -> None:
    """Show the examples of the contracts, where the view has none of its own."""
    examples = EXAMPLES.get(name, {})
    bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
    for place, body in bodies.items():
        content = body.get("content", {}).get("application/json")
        if content is not None and place in examples:
            content.setdefault("example", examples[place])
