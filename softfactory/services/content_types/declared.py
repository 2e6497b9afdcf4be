"""The type that a client declares for bytes which never pass through this service."""

import re

MAX_TYPE_LENGTH = 255
"""Characters of a content type (RFC 6838 4.2: names of 127 at most, on both sides of a slash)."""

_NAME = r"[\w!#$&^.+-]{1,127}"
_TYPE = re.compile(rf"{_NAME}/{_NAME}([ \t]*;[ -~\t]*)?", re.ASCII)
_WILDCARD = re.compile(rf"(?:\*|{_NAME})/\*", re.ASCII)


def said_type(content_type: str) -> str | None:
    """Return the type that is declared; None where that is empty or a wildcard: nothing is said.

    Raises:
        ValueError: it is no media type (RFC 9110 section 8.3.1), or longer than 255 characters.
    """
    content_type = content_type.strip(" \t")
    if not content_type or _WILDCARD.fullmatch(content_type):
        return None
    if len(content_type) > MAX_TYPE_LENGTH or not _TYPE.fullmatch(content_type):
        raise ValueError("no media type")
    return content_type
