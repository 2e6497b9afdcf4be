"""The OpenAPI document: valid, complete, and with every answer, right or wrong, described."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import validate

from softfactory.http.identity import is_login_optional, is_public
from tests.stacks import one_stack

pytestmark = one_stack

PAGES = {"/api/docs", "/api/redoc", "/api/openapi.json", "/api/docs/assets/{name}"}
"""What shows the document, and does not stand in it."""

OPENAPI_PATH = re.compile("<(?:[^<>]*:)?([^<>:]*)>")
"""What a rule has where OpenAPI has ``{name}``."""

Operation = dict[str, Any]


@pytest.fixture
def spec(app: Flask) -> dict[str, Any]:
    """The document, as it is served."""
    document: dict[str, Any] = app.test_client().get("/api/openapi.json").get_json()
    return document


def operations(spec: dict[str, Any]) -> Iterator[tuple[str, str, Operation]]:
    """Yield method, path and description of every operation."""
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield method.upper(), path, operation


def routed(app: Flask) -> dict[tuple[str, str], Any]:
    """Return the view of every route, by method and path as OpenAPI writes it."""
    return {
        (method, path): app.view_functions[rule.endpoint]
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if (path := OPENAPI_PATH.sub(r"{\1}", rule.rule)).rstrip("/") not in PAGES
    }


def bodies(operation: Operation, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what is described of each JSON body of an operation, by status or ``request``."""
    places = {"request": operation.get("requestBody", {}), **operation["responses"]}
    shared = spec["components"]["responses"]
    found = {
        place: (shared[body["$ref"].rpartition("/")[2]] if "$ref" in body else body).get(
            "content", {}
        )
        for place, body in places.items()
    }
    return {
        place: content["application/json"]
        for place, content in found.items()
        if "application/json" in content
    }


def test_the_document_is_valid(spec: dict[str, Any]) -> None:
    validate(spec)


def test_every_route_is_an_operation_and_every_operation_a_route(
    app: Flask, spec: dict[str, Any]
) -> None:
    described = {(method, path) for method, path, _ in operations(spec)}

    assert described == set(routed(app))


def test_every_operation_says_what_it_does_and_where_it_belongs(spec: dict[str, Any]) -> None:
    silent = [
        (method, path)
        for method, path, operation in operations(spec)
        if not operation.get("summary") or not operation["tags"]
    ]

    assert silent == []


def test_every_operation_is_named_by_its_blueprint_and_function(
    app: Flask, spec: dict[str, Any]
) -> None:
    names = [operation["operationId"] for _, _, operation in operations(spec)]

    assert len(set(names)) == len(names)
    assert set(names) <= {endpoint.replace(".", "_") for endpoint in app.view_functions}
    assert {"auth_login", "drive_details", "files_upload", "health_alive"} <= set(names)


def test_the_document_says_how_to_get_a_token(spec: dict[str, Any]) -> None:
    told = spec["info"]["description"]

    assert "POST /api/auth/login" in told
    assert "Authorization: Bearer" in told


def test_bytes_are_octets_wherever_they_go(spec: dict[str, Any]) -> None:
    binary = {"type": "string", "format": "binary"}
    bodies = [
        body["content"]
        for _, _, operation in operations(spec)
        for body in [operation.get("requestBody", {}), *operation["responses"].values()]
        if "content" in body
    ]

    kinds = {kind for content in bodies for kind in content}

    assert kinds == {"application/json", "application/octet-stream", "multipart/form-data"}
    octets = [content["application/octet-stream"] for content in bodies if len(content) == 1
              and "application/octet-stream" in content]  # fmt: skip
    assert len(octets) >= 8
    assert all(each == {"schema": binary} for each in octets)


def test_every_field_of_an_answer_is_there_or_said_to_be_optional(spec: dict[str, Any]) -> None:
    answers = {
        name
        for _, _, operation in operations(spec)
        for status, body in bodies({"responses": operation["responses"]}, spec).items()
        if status < "300"
        for name in names_in(body["schema"], spec)
    }

    optional = {
        (name, field)
        for name in answers
        for field in spec["components"]["schemas"][name]["properties"]
        if field not in spec["components"]["schemas"][name].get("required", ())
    }

    assert {name for name, _ in optional} <= {"DriveBegun", "Error", "DriveRestoring"}


def names_in(schema: Any, spec: dict[str, Any]) -> set[str]:
    """Return the names of the schemas that one is made of."""
    if isinstance(schema, list):
        return {name for item in schema for name in names_in(item, spec)}
    if not isinstance(schema, dict):
        return set()
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return {name} | names_in(spec["components"]["schemas"][name], spec)
    return {name for value in schema.values() for name in names_in(value, spec)}


def test_every_success_has_a_schema_or_bytes_or_nothing(spec: dict[str, Any]) -> None:
    vague = [
        (method, path, status)
        for method, path, operation in operations(spec)
        for status, response in operation["responses"].items()
        if status in ("200", "201", "206")
        and not all("schema" in content for content in response.get("content", {"": {}}).values())
        and method != "PUT"  # of an object: an ETag in the headers and no body
    ]

    assert vague == []


def test_every_operation_has_a_success(spec: dict[str, Any]) -> None:
    hopeless = [
        (method, path)
        for method, path, operation in operations(spec)
        if not {"200", "201", "204"} & set(operation["responses"])
    ]

    assert hopeless == []


def test_every_failure_has_the_one_body(spec: dict[str, Any]) -> None:
    fields = set(spec["components"]["schemas"]["Error"]["properties"])

    others = [
        (method, path, status)
        for method, path, operation in operations(spec)
        for status, body in bodies(operation, spec).items()
        if "400" <= status < "600" and path not in ("/healthz", "/readyz")
        for schema in body["schema"].get("anyOf", [body["schema"]])
        if not fields <= set(resolved(schema, spec).get("properties", {}))
    ]

    assert others == []


def test_every_operation_says_who_may_call_it(app: Flask, spec: dict[str, Any]) -> None:
    bearer: dict[str, list[str]] = {"bearer": []}
    views = routed(app)

    told = {
        (method, path): operation.get("security", spec["security"])
        for method, path, operation in operations(spec)
    }

    assert spec["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert told == {
        route: [] if is_public(view) else [bearer, {}] if is_login_optional(view) else [bearer]
        for route, view in views.items()
    }


def test_an_upload_takes_a_form_or_json(spec: dict[str, Any]) -> None:
    upload = spec["paths"]["/api/files/upload"]["post"]

    assert set(upload["requestBody"]["content"]) == {"multipart/form-data", "application/json"}
    assert {"200", "201"} <= set(upload["responses"])


def test_every_json_body_has_an_example(spec: dict[str, Any]) -> None:
    bare = [
        (method, path, place)
        for method, path, operation in operations(spec)
        for place, body in bodies(operation, spec).items()
        if place < "400" or place == "request"
        if "example" not in body and not has_examples(body["schema"], spec)
    ]

    assert bare == []


def test_every_example_is_what_its_schema_says(spec: dict[str, Any]) -> None:
    wrong = {
        (method, path, place): errors
        for method, path, operation in operations(spec)
        for place, body in bodies(operation, spec).items()
        if "example" in body and (errors := faults(body["example"], body["schema"], spec))
    }

    assert wrong == {}


def test_every_example_names_each_documented_field(spec: dict[str, Any]) -> None:
    """A field of an example that its schema does not know is one that the service forgot."""
    unknown = {
        (method, path, place): extra
        for method, path, operation in operations(spec)
        for place, body in bodies(operation, spec).items()
        if (extra := strangers(body.get("example"), body["schema"], spec))
    }

    assert unknown == {}


def resolved(schema: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    """Return the schema behind a reference."""
    if "$ref" in schema:
        found: dict[str, Any] = spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found
    return schema


def has_examples(schema: dict[str, Any], spec: dict[str, Any]) -> bool:
    """Whether a schema shows what its values look like, or says it all by itself."""
    if "anyOf" in schema:
        return all(has_examples(choice, spec) for choice in schema["anyOf"])
    properties = resolved(schema, spec).get("properties", {})
    return set(properties) == {"message"} or any(
        "example" in value for value in properties.values()
    )


def faults(example: Any, schema: dict[str, Any], spec: dict[str, Any]) -> list[str]:
    """Return what keeps an example from being what its schema says."""
    validator = OAS30Validator({**schema, "components": spec["components"]})
    return [error.message for error in validator.iter_errors(example)]


def strangers(example: Any, schema: dict[str, Any], spec: dict[str, Any]) -> set[str]:
    """Return the names in an example that its schema does not have."""
    schema = resolved(schema, spec)
    if isinstance(example, list):
        return {name for item in example for name in strangers(item, schema.get("items", {}), spec)}
    choices = schema.get("oneOf") or schema.get("anyOf")
    if choices:
        return set.intersection(*(strangers(example, choice, spec) for choice in choices))
    properties = schema.get("properties")
    if not isinstance(example, dict) or properties is None:
        return set()
    found = set(example) - set(properties)
    for name in set(example) & set(properties):
        found |= strangers(example[name], properties[name], spec)
    return found


@pytest.mark.parametrize("base", ["https://example.com/files", "http://localhost:8211"])
def test_the_document_names_the_server_that_clients_reach(make_app: Any, base: str) -> None:
    client = make_app(public_base_url=base).test_client()

    assert client.get("/api/openapi.json").get_json()["servers"] == [{"url": base}]
