"""What has no signature but can be read: plain text, HTML, SVG, XML and JSON."""

import codecs
import json
import re

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
"""Bytes that no text has (WHATWG MIME Sniffing, binary data bytes)."""

_PREAMBLE = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s++|<\?.*?\?>|<!--.*?-->|<!DOCTYPE\s[^<>\[]*+(?:\[.*?\])?\s*>)*+",
    re.DOTALL | re.IGNORECASE,
)
"""What may stand before the first element."""

_ELEMENT = re.compile(rb"<(?:[a-z_][\w.-]*+:)?([a-z_][\w.-]*+)", re.IGNORECASE)
_HTML_DOCTYPE = re.compile(rb"<!DOCTYPE\s+html", re.IGNORECASE)

_HTML_ELEMENTS = frozenset(
    b"html head body title script style iframe object embed form table div span font link meta "
    b"base a b p br img h1 h2 h3 h4 h5 h6 video audio input button template".split()
)
"""A file that begins with one of these is a page to a browser that guesses."""


UTF_8_TEXT = "text/plain; charset=utf-8"
"""What plain text is stored and served as where all of it was seen to be UTF-8."""

_ESCAPE = 0x1B
_SHIFT = re.compile(rb"\x1b[$(]")
"""How ISO-2022 announces other characters in bytes of ASCII (RFC 1468)."""


class Utf8Proof:
    """Follows a file to its end, or to the first byte that is no UTF-8."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._last = b""
        self._holds = True

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the file."""
        if not self._holds:
            return
        try:
            self._decoder.decode(chunk)
        except UnicodeDecodeError:
            self._holds = False
        if _ESCAPE in chunk or self._last == b"\x1b":
            self._holds &= _SHIFT.search(self._last + chunk) is None
        self._last = chunk[-1:]

    def holds(self) -> bool:
        """Whether all of it is UTF-8, ASCII included; to be asked at the end."""
        pending, _ = self._decoder.getstate()
        return self._holds and not pending


def shown_type(content_type: str) -> str:
    """Return a stored type as the contracts show it: without the charset that was found."""
    return "text/plain" if content_type == UTF_8_TEXT else content_type


def text_type(head: bytes, *, is_whole: bool) -> str | None:
    """Return the type of what reads as text, or None where it does not.

    Text is valid UTF-8 (a character cut by the end of ``head`` is fine) without control
    characters, or UTF-16 with a byte order mark.

    Args:
        is_whole: ``head`` is all there is; JSON is told only then.
    """
    if not head:
        return None
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "text/plain" if _is_utf16(head, is_whole=is_whole) else None
    if _CONTROL.search(head) or not _decodes(head, "utf-8", is_whole=is_whole):
        return None
    return _markup_type(head) or _json_type(head, is_whole=is_whole) or "text/plain"


def _decodes(head: bytes, encoding: str, *, is_whole: bool) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(head, final=is_whole)
    except UnicodeDecodeError:
        return False
    return True


def _is_utf16(head: bytes, *, is_whole: bool) -> bool:
    """Whether this is UTF-16 without a NUL character; most binary data is not."""
    units = {head[at : at + 2] for at in range(2, len(head) - 1, 2)}
    return b"\0\0" not in units and _decodes(head, "utf-16", is_whole=is_whole)


def _markup_type(head: bytes) -> str | None:
    """Return the type by the first element behind prolog, comments and doctype, if any."""
    preamble = _PREAMBLE.match(head)
    start = preamble.end() if preamble else 0
    before = head[:start].lstrip(b"\xef\xbb\xbf")
    is_xml = before.startswith(b"<?xml")
    if not is_xml and _HTML_DOCTYPE.search(before):
        return "text/html"
    if element := _ELEMENT.match(head, start):
        name = element[1].lower()
        if name == b"svg":
            return "image/svg+xml"
        if name in _HTML_ELEMENTS:
            return "application/xhtml+xml" if is_xml else "text/html"
    return "application/xml" if is_xml else None


def _json_type(head: bytes, *, is_whole: bool) -> str | None:
    """Return JSON's type for a whole object or list; a lone number or word is text."""
    if not is_whole or not head.lstrip().startswith((b"{", b"[")):
        return None
    try:
        json.loads(head)
    except (ValueError, RecursionError):
        return None
    return "application/json"
