"""Blueprints whose input is checked by schemas and refused in the one error body."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import wraps
from itertools import islice
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

import flask
import flask_smorest
import marshmallow as ma
from webargs.core import Parser
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import MultiDict

from softfactory.errors import InvalidInput, UnsupportedMediaType
from softfactory.http.fields import MAX_ERRORS, BoundedList
from softfactory.http.json_body import MAX_BODY, MAX_LIST_BODY, read_object

JSON_OR_QUERY = "json_or_query"
"""Where the fields of a request to delete stand: in its body, in its URL, or some in each."""


View = Callable[..., Any]


class ArgumentsParser(FlaskParser):
    """Reads arguments strictly: invalid input is 400, and only JSON is taken as JSON."""

    DEFAULT_VALIDATION_STATUS = 400
    DEFAULT_UNKNOWN_BY_LOCATION = dict.fromkeys(  # as webargs declares it
        ("json", JSON_OR_QUERY, "form", "query", "headers", "cookies", "files"), ma.EXCLUDE
    )
    __location_map__ = {**Parser.__location_map__, JSON_OR_QUERY: "load_json_or_query"}  # noqa: RUF012  # as webargs declares it

    def load_json(self, req: flask.Request, schema: ma.Schema) -> dict[str, Any]:
        """Return the body.

        Raises:
            UnsupportedMediaType: it is not declared as JSON, or it is missing and has to be there.
            InvalidInput: it is no JSON object.
            BodyTooLarge: it is larger than what ``schema`` needs.
        """
        body = read_object(req, limit=_limit(schema))
        is_needed = any(field.required for field in schema.load_fields.values())
        if not body and not req.is_json and is_needed:
            raise UnsupportedMediaType("Send the body as JSON, with Content-Type application/json.")
        return body

    def load_querystring(self, req: flask.Request, schema: ma.Schema) -> Any:  # noqa: ANN401  # as the base class
        """Return the query.

        Raises:
            InvalidInput: it is not UTF-8.
        """
        _require_utf8(unquote_to_bytes(req.query_string))
        return super().load_querystring(req, schema)

    def load_json_or_query(self, req: flask.Request, schema: ma.Schema) -> dict[str, Any]:
        """Return the fields of the body and those of the URL's query, for requests to delete.

        RFC 9110 section 9.3.5: a body of DELETE has no generally defined semantics, and there are
        clients and proxies that drop it.

        Raises:
            InvalidInput: a field stands in both with different values, or twice in the query.
            UnsupportedMediaType, BodyTooLarge: as ``load_json``.
        """
        _require_utf8(unquote_to_bytes(req.query_string))
        query = {
            name: _value(name, field, texts)
            for name, field in _by_name(schema)
            if (texts := _texts(name, field, req.args))
        }
        body = read_object(req, limit=_limit(schema))
        for name in query.keys() & body.keys():
            if query[name] != body[name]:
                raise InvalidInput.of(name, f"{name} is one in the body and another in the URL.")
        return {**query, **body}

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
        self.before_request(_refuse_what_is_no_text)

    def arguments(self, schema: type[ma.Schema] | ma.Schema, **options: Any) -> Any:  # noqa: ANN401  # as the base class
        """Declare what a view takes; its schema is made here, and not anew for each request."""
        return super().arguments(schema() if isinstance(schema, type) else schema, **options)

    def delete_arguments(self, schema: type[ma.Schema]) -> Callable[[View], View]:
        """Declare what a view that deletes takes, in its body or as query parameters."""
        places = (("json", schema()), ("query", schema(partial=True)))
        parameters = [{"in": place, "required": False, "schema": made} for place, made in places]
        use = self.ARGUMENTS_PARSER.use_args(schema(), location=JSON_OR_QUERY)

        def decorator(view: View) -> View:
            @wraps(view)
            def described(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # as the view
                return view(*args, **kwargs)

            # What flask-smorest's own decorator notes, which knows one place at a time.
            notes = deepcopy(getattr(view, "_apidoc", {}))
            notes["arguments"] = {"parameters": parameters, "responses": {400: "BAD_REQUEST"}}
            described._apidoc = notes  # type: ignore[attr-defined]  # noqa: SLF001
            used: View = use(described)
            return used

        return decorator


def _refuse_what_is_no_text() -> None:
    """Refuse what PostgreSQL can't look for and no key can hold, in path and query."""
    path = flask.request.path
    if "\0" in path or b"%00" in flask.request.query_string:
        raise InvalidInput("The URL has a NUL character in it. Leave it out.")
    if "\ufffd" in path:  # which Werkzeug puts in the place of each byte that is not UTF-8
        _require_utf8(flask.request.environ["PATH_INFO"].encode("latin-1"))


def _require_utf8(raw: bytes) -> None:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("The URL is not UTF-8. Percent-encode it as UTF-8.") from error


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
        is_location = location in ("json", JSON_OR_QUERY, "query", "form", "path")
        messages = only if is_location else messages
    found = list(islice(_flatten(messages), MAX_ERRORS + 1))
    fields: dict[str, list[str]] = {}
    for name, message in found[:MAX_ERRORS]:
        fields.setdefault(name, []).append(message)
    name, text = found[0]
    text = text if name in text else f"{name}: {text}"
    if len(found) > MAX_ERRORS:
        text = f"{text} There are more errors than the first {MAX_ERRORS}, which are named here."
    return InvalidInput(text, errors=fields)


def _limit(schema: ma.Schema) -> int:
    """Return how many bytes a body may have that ``schema`` loads."""
    has_list = any(isinstance(field, BoundedList) for field in schema.load_fields.values())
    return MAX_LIST_BODY if has_list else MAX_BODY


def _by_name(schema: ma.Schema) -> Iterator[tuple[str, ma.fields.Field[Any]]]:
    """Yield the fields that ``schema`` loads, by the names that clients use."""
    for name, field in schema.load_fields.items():
        yield name if field.data_key is None else field.data_key, field


def _texts(name: str, field: ma.fields.Field[Any], query: MultiDict[str, str]) -> list[str]:
    """Return what stands in a query for a field; for a list also as ``name[]``, as axios sends it."""
    is_list = isinstance(field, ma.fields.List)
    return query.getlist(name) + (query.getlist(f"{name}[]") if is_list else [])


def _value(name: str, field: ma.fields.Field[Any], texts: list[str]) -> Any:  # noqa: ANN401  # any JSON
    """Return what JSON would have for what stands in a query.

    Raises:
        InvalidInput: it stands there twice, and is no list.
    """
    if isinstance(field, ma.fields.List):
        return texts
    if len(texts) > 1:
        raise InvalidInput.of(name, f"{name} stands twice in the URL. Send it once.")
    if isinstance(field, ma.fields.Boolean):
        return {"true": True, "false": False}.get(texts[0], texts[0])
    return texts[0]


def _flatten(messages: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested messages as ``("parts.0.etag", message)``."""
    for name, value in messages.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield from ((f"{prefix}{name}", str(message)) for message in value)
