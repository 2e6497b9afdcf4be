"""The two names in a form part's Content-Disposition: of its field, and of its file.

Clients put a file's name in ``filename`` as raw UTF-8 (browsers), in ``filename*`` (RFC 8187: .NET,
old urllib3), in numbered pieces (RFC 2231: mail libraries), in encoded words (RFC 2047: .NET, old
Java), or percent-encoded in ``filename`` (aiohttp).
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from softfactory.errors import InvalidInput
from softfactory.http.encoded_words import decode_words, text_in

_PARAMETER = re.compile(
    r"\s*+([\w!#$%&'*+.^`|~-]++)\s*+=\s*+"
    r'(?:("(?:[^"\\]|\\.)*+"|"[^"]*+")\s*+(?:;|\Z)|([^;]*+)(?:;|\Z))',
    re.ASCII | re.DOTALL,
)
"""``name="value"`` or ``name=value``. The second kind of quoted value ends in a backslash of its
own: browsers escape quotes, by a percent sign, and no backslashes."""

_EXTENDED = re.compile(r"([\w.:+-]{1,40})'[\w-]*'(.*)", re.ASCII | re.DOTALL)
"""Character set, language and percent-encoded value (RFC 8187 section 3.2.1)."""

_WHOLLY_ENCODED = re.compile(r"(?:[\w.~!'()*-]|%[0-9A-F]{2})*+", re.ASCII)
"""All that has to be is percent-encoded, as by aiohttp (and by JavaScript's encodeURIComponent)."""

_PERCENT_ENCODED = re.compile(r"(?:[^%\x00-\x1f\x7f]|%[0-9A-Fa-f]{2})*+")
_PIECE = re.compile(r"filename\*(0|[1-9][0-9]?)(\*?)")
_WINDOWS_PATH = re.compile(r"[A-Za-z]:\\|\\\\")


def field_name(parameters: Mapping[str, str]) -> str:
    """Return the name of the part's field; empty where it has none.

    Args:
        parameters: those of the header, as ``parameters_of`` returned them.

    Raises:
        InvalidInput: the name is not valid UTF-8.
    """
    try:
        return _unquoted(parameters.get("name", ""))
    except UnicodeDecodeError as error:
        raise InvalidInput("The name of a field is not valid UTF-8. Send it in UTF-8.") from error


def file_name(parameters: Mapping[str, str], *, field: str) -> str | None:
    """Return the name that the client gave the file; None where the part is no file.

    ``filename*`` wins over ``filename`` (RFC 6266 section 4.3) unless it is malformed. An empty
    name means that no file was chosen.

    Args:
        parameters: those of the header, as ``parameters_of`` returned them.
        field: the field that an error is about.

    Raises:
        InvalidInput: none of the places has a name in UTF-8, or in a character set that it names.
    """
    has_other_places = any(parameter.startswith("filename*") for parameter in parameters)
    if has_other_places:
        name = _extended(parameters.get("filename*", "")) or _continued(parameters)
        if name:
            return name
    try:
        if "filename" in parameters:
            value = parameters["filename"]
            return _wholly_decoded(value) or _base_name(decode_words(_unquoted(value)))
    except UnicodeDecodeError as error:
        raise InvalidInput.of(
            field,
            "The name of the file is not valid UTF-8. Send it in UTF-8, or percent-encoded as "
            "filename*=UTF-8''<name>.",
        ) from error
    if has_other_places:
        raise InvalidInput.of(
            field,
            "The name of the file is malformed. Send it as filename*=UTF-8''<name>, in UTF-8 and "
            "percent-encoded (RFC 8187).",
        )
    return None


def parameters_of(disposition: str) -> dict[str, str]:
    """Return the parameters as they were sent, by lower-case name; the last of a name counts.

    Args:
        disposition: the header's value, decoded as latin-1.
    """
    parameters: dict[str, str] = {}
    at = disposition.find(";") + 1
    while 0 < at < len(disposition):
        if found := _PARAMETER.match(disposition, at):
            parameters[found[1].lower()] = found[2] or found[3].strip(" \t")
            at = found.end()
        else:
            at = disposition.find(";", at) + 1
    return parameters


def _unquoted(value: str) -> str:
    r"""Return a value without its quotes, with what it escapes as it is.

    Browsers write ``%22``, ``%0D`` and ``%0A`` (HTML, multipart/form-data encoding algorithm),
    others quoted pairs (RFC 2045): where a quote is escaped so, or every backslash is.

    Raises:
        UnicodeDecodeError: it is not valid UTF-8.
    """
    if value.startswith('"'):
        value = value[1:].removesuffix('"')
    if "\\" in value and ('\\"' in value or "\\" not in value.replace("\\\\", "")):
        value = re.sub(r'\\([\\"])', r"\1", value)
    if "%" in value:
        value = value.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
    return value.encode("latin-1").decode()


def _wholly_decoded(value: str) -> str:
    """Return the name that a client percent-encoded in ``filename``; empty where it did not.

    Only letters that are not ASCII prove it: ``a%20b`` may be what a file is called.
    """
    value = value.strip('"')
    if "%" not in value or not _WHOLLY_ENCODED.fullmatch(value):
        return ""
    name = text_in(_percent_decoded(value), "utf-8") or ""
    return "" if name.isascii() else name


def _base_name(name: str) -> str:
    r"""Return a name without the Windows folder that Internet Explorer sent: ``C:\folder\name``."""
    return name.rpartition("\\")[2] if _WINDOWS_PATH.match(name) else name


def _extended(value: str) -> str:
    """Return the text of an extended value; empty where it is malformed."""
    parsed = _EXTENDED.fullmatch(value.strip('"'))
    if parsed is None or not _PERCENT_ENCODED.fullmatch(parsed[2]):
        return ""
    return text_in(_percent_decoded(parsed[2]), parsed[1]) or ""


def _continued(parameters: Mapping[str, str]) -> str:
    """Return a name in numbered pieces (RFC 2231 section 3); empty where it is malformed."""
    pieces = {
        int(found[1]): (value, bool(found[2]))
        for name, value in parameters.items()
        if (found := _PIECE.fullmatch(name))
    }
    charset, data = "utf-8", b""
    for number in range(len(pieces)):
        value, is_extended = pieces.get(number, ("%", True))
        if number == 0 and is_extended and (parsed := _EXTENDED.fullmatch(value)):
            charset, value = parsed[1], parsed[2]
        if is_extended and not _PERCENT_ENCODED.fullmatch(value):
            return ""
        data += _percent_decoded(value) if is_extended else value.strip('"').encode("latin-1")
    return text_in(data, charset) or ""


def _percent_decoded(value: str) -> bytes:
    return unquote_to_bytes(value.encode("latin-1"))
