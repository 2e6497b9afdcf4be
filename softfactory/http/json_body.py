"""The one reader of JSON bodies: what RFC 8259 calls JSON, within bounds, and nothing beside it."""

import json
import math
import re
from contextlib import nullcontext
from threading import Lock
from typing import Any, NoReturn

from flask import Request

from softfactory.errors import BodyTooLarge, InvalidInput, UnsupportedMediaType

MAX_BODY = 64 * 1024
"""Bytes of a body with a few fields; the longest password in escapes is 48 KiB."""

MAX_LIST_BODY = 4 * 1024 * 1024
"""Bytes of a body with a list in it; 1,000 of the longest keys in escapes are 3 MB."""

MAX_DEPTH = 32
"""Lists and objects inside each other; no contract has more than four."""

MAX_MEMBERS = 100_000
"""Lists, objects and their members in one body; 10,000 parts of four members are half of it.

Each costs the parser a microsecond, in which no other thread runs.
"""

_MARKS = (b"[", b"{", b":")
"""What stands in front of each of them."""

_LARGE_ONES = Lock()
"""Held while a body of more than ``MAX_BODY`` is parsed: many at once would be no sooner, but would
take the interpreter from small requests, and memory, so many times."""

_UNKEEPABLE = re.compile(r"\\u(?:0000|d[89a-f])", re.IGNORECASE)
"""What an escaped NUL or half a surrogate pair needs; a whole pair and ``\\\\u0000`` have it too."""


def read_object(request: Request, *, limit: int) -> dict[str, Any]:
    """Return the request's body, a JSON object; an empty one where there is no body.

    Raises:
        BodyTooLarge: it has more than ``limit`` bytes; what is announced so is not read at all.
        UnsupportedMediaType: it is not declared as JSON.
        InvalidInput: as ``loads``, or it is no object.
    """
    if (request.content_length or 0) > limit:
        raise BodyTooLarge.past(limit)
    # Werkzeug cuts off a chunked body without a word.
    request.max_content_length = limit + 1
    data = request.get_data(cache=False)
    if len(data) > limit:
        raise BodyTooLarge.past(limit)
    if not data:
        return {}
    if not request.is_json:
        raise UnsupportedMediaType("Send the body as JSON, with Content-Type application/json.")
    with _LARGE_ONES if len(data) > MAX_BODY else nullcontext():
        body = loads(data)
    if not isinstance(body, dict):
        raise InvalidInput("The body is not a JSON object. Send one, such as {}.")
    return body


def loads(data: bytes) -> Any:  # noqa: ANN401  # any JSON
    """Return what JSON text in UTF-8 says.

    Raises:
        InvalidInput: it is no JSON, NaN and Infinity among it; a name stands twice in one object; a
            number is past what 64 bits of floating point hold; it is nested deeper than
            ``MAX_DEPTH``; it has more than ``MAX_MEMBERS``, which is found out before it is parsed;
            or a string is one that no database keeps (NUL, half a surrogate pair).
    """
    if len(data) > MAX_MEMBERS and _has_too_many(data):
        raise InvalidInput(
            f"The body has more than {MAX_MEMBERS} lists, objects and members of objects in it. "
            "Send fewer with each request."
        )
    try:
        text = data.decode("utf-8-sig")  # RFC 8259 section 8.1: a byte order mark may be ignored
        value = json.loads(
            text, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_object
        )
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:  # Not UTF-8, not JSON, or a whole number of thousands of digits.
        raise InvalidInput("The body is no valid JSON. Send JSON (RFC 8259) in UTF-8.") from error
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth_is_over(value):
        raise _too_deep()
    if _UNKEEPABLE.search(text) and not _is_text(value):
        raise InvalidInput("The body has a NUL character or half a surrogate pair in a string.")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidInput(f"The body has {name} in it, which is no JSON. Send a number or null.")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise InvalidInput("The body has a number in it that is too large.")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise InvalidInput("A name stands twice in one object of the body. Send each name once.")
    return members


def _too_deep() -> InvalidInput:
    return InvalidInput(
        f"The body is nested too deeply: more than {MAX_DEPTH} lists and objects inside each other."
    )


def _has_too_many(data: bytes) -> bool:
    """Whether JSON text has more than ``MAX_MEMBERS``; a mark inside of a string counts for none."""
    if _marks(data) <= MAX_MEMBERS:
        return False
    text = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    if text.count(b'"') > 4 * MAX_MEMBERS:  # a name and a value for each, and no other body's
        return True
    return _marks(b"".join(text.split(b'"')[::2])) > MAX_MEMBERS


def _marks(text: bytes) -> int:
    return sum(map(text.count, _MARKS))


def _depth_is_over(value: Any) -> bool:  # noqa: ANN401  # any JSON
    """Whether containers stand deeper than ``MAX_DEPTH``; level by level, so without recursion."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for outer in level
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True


def _is_text(value: Any) -> bool:  # noqa: ANN401  # any JSON
    """Whether every string in ``value`` is text that databases and storages can keep."""
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
    if isinstance(value, dict):
        return all(_is_text(name) and _is_text(item) for name, item in value.items())
    if isinstance(value, list):
        return all(map(_is_text, value))
    return True
