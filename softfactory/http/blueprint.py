"""Blueprints whose input is checked by schemas and refused in the one error body."""

from collections.abc import Mapping
from typing import Any, NoReturn

import flask
import flask_smorest
import marshmallow as ma
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge

from softfactory.errors import FieldErrors, InvalidInput, UnsupportedMediaType


class ArgumentsParser(FlaskParser):
    """Reads arguments strictly: invalid input is 400, and only JSON is taken as JSON."""

    DEFAULT_VALIDATION_STATUS = 400
    DEFAULT_UNKNOWN_BY_LOCATION = dict.fromkeys(  # as webargs declares it
        ("json", "form", "query", "headers", "cookies", "files"), ma.EXCLUDE
    )

    def load_json(self, req: flask.Request, schema: ma.Schema) -> Any:  # noqa: ANN401  # any JSON
        """Return the parsed body.

        Raises:
            UnsupportedMediaType: it is there and not declared as JSON.
            InvalidInput: it is not JSON, or not a JSON object.
            RequestEntityTooLarge: it is too large.
        """
        data = req.get_data()
        # Werkzeug cuts a chunked body off there without a word.
        if req.content_length is None and len(data) == req.max_content_length:
            raise RequestEntityTooLarge
        if not data and not any(field.required for field in schema.fields.values()):
            return {}  # every field has a default, and so may go without saying
        if not req.is_json:
            raise UnsupportedMediaType("Send the body as JSON, with Content-Type application/json.")
        try:
            body = req.get_json(silent=True)
            is_text = _is_text(body)
        except RecursionError as error:
            raise InvalidInput("The body is nested too deeply. Send a flat JSON object.") from error
        if not isinstance(body, dict):
            raise InvalidInput("The body is not a JSON object. Send one, such as {}.")
        if not is_text:
            raise InvalidInput("The body has a NUL character or half a surrogate pair in a string.")
        return body

    def handle_error(
        self,
        error: ma.ValidationError,
        req: flask.Request,  # webargs' signature
        schema: ma.Schema,
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,
    ) -> NoReturn:
        """Raise the domain error for what a schema refused."""
        raise invalid_input(error)


class Blueprint(flask_smorest.Blueprint):
    """A flask-smorest blueprint with this project's parser, whose URLs are text throughout."""

    ARGUMENTS_PARSER = ArgumentsParser()

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  # as the base class
        """Make the blueprint; its arguments are flask-smorest's."""
        super().__init__(*args, **options)
        self.before_request(_refuse_nul)

    def arguments(self, schema: type[ma.Schema] | ma.Schema, **options: Any) -> Any:  # noqa: ANN401  # as the base class
        """Declare what a view takes; its schema is made here, and not anew for each request."""
        return super().arguments(schema() if isinstance(schema, type) else schema, **options)


def _refuse_nul() -> None:
    """Refuse what PostgreSQL can't look for and no key can hold, in path and query."""
    if "\0" in flask.request.path or b"%00" in flask.request.query_string:
        raise InvalidInput("The URL has a NUL character in it. Leave it out.")


def load(schema: ma.Schema, data: Mapping[str, Any]) -> Any:  # noqa: ANN401  # as the schema says
    """Return ``data`` loaded by ``schema``; for input that is no JSON body and no query.

    Raises:
        InvalidInput: the schema refuses it.
    """
    try:
        return schema.load(data, unknown=ma.EXCLUDE)
    except ma.ValidationError as error:
        raise invalid_input(error) from error


def invalid_input(error: ma.ValidationError) -> InvalidInput:
    """Return the domain error with a message that names the first field at fault."""
    messages: dict[str, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]
    # webargs nests the messages below the location; a schema loaded by hand does not.
    if len(messages) == 1 and (only := next(iter(messages.values()))) and isinstance(only, dict):
        location = next(iter(messages))
        messages = only if location in ("json", "query", "form", "path") else messages
    fields: FieldErrors = dict(_flatten(messages))
    name, first = next(iter(fields.items()))
    text = first[0]
    return InvalidInput(text if name in text else f"{name}: {text}", errors=fields)


def _is_text(value: Any) -> bool:  # noqa: ANN401  # any JSON
    """Whether every string in ``value`` is text that databases and storages can keep."""
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
    if isinstance(value, dict):
        return all(_is_text(name) and _is_text(item) for name, item in value.items())
    if isinstance(value, list):
        return all(map(_is_text, value))
    return True


def _flatten(messages: Mapping[Any, Any], prefix: str = "") -> list[tuple[str, list[str]]]:
    """Turn nested messages into ``("parts.0.etag", [messages])`` pairs."""
    flat: list[tuple[str, list[str]]] = []
    for name, value in messages.items():
        if isinstance(value, Mapping):
            flat.extend(_flatten(value, f"{prefix}{name}."))
        else:
            flat.append((f"{prefix}{name}", [str(message) for message in value]))
    return flat
