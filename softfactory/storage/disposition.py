"""The one decision about how stored bytes may be shown: in the browser, or only as a download."""

import re
import unicodedata
from urllib.parse import quote

OCTET_STREAM = "application/octet-stream"

INLINE_TYPES = frozenset(
    {
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/webp",
        "video/mp4",
        "video/quicktime",
        "text/plain",
    }
)
"""Passive types: a browser shows them and runs nothing. Text is passive under ``nosniff``.

PDF is not among them: it can carry scripts, and under the sandboxing CSP that all bytes are
served with, Chrome and Safari show a blocked or empty page instead of the document. A download
opens everywhere. AVI is not, because no browser plays it.
"""

_NAME = r"[A-Za-z0-9!#$&^_.+-]{1,127}"
_TYPE = re.compile(rf"({_NAME}/{_NAME})[ \t]*(;[\x20-\x7e\t]*)?")
"""A media type with parameters (RFC 6838 4.2: the characters of a name)."""

_CHARSET = re.compile(rf';[ \t]*charset="?({_NAME})"?[ \t]*(?=;|\Z)', re.IGNORECASE)

_ACTIVE = re.compile(
    r"(?:multipart|message)/.*"
    r"|.*/(?:xml|.*\+xml|.*html.*|.*script.*|css|xsl|xslt|.*flash.*|x-xpinstall|cache-manifest)"
)
"""What a browser runs, or builds a page or a part of one from: HTML, SVG and all other XML,
scripts, style sheets, MHTML and ``x-mixed-replace``."""

_ATTR_CHARS = "!#$&+-.^_`|~"
"""What stands for itself in ``filename*`` besides letters and digits (RFC 8187 3.2.1)."""

_UNSAFE_IN_FALLBACK = re.compile(r'[^\x20-\x7e]|["\\/%;]')
"""What a quoted string must not or had better not hold (RFC 6266 appendix D; ``;`` confuses
clients that split before they unquote)."""

_CONTROLS = re.compile("[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What turns the direction of text (Unicode: Bidi_Control), so that ``exe.fdp`` reads as
``pdf.exe``, and what ends a line."""


def safe_content_type(content_type: str) -> str:
    """Return what to send as Content-Type: the given type, unless a browser would act on it.

    Active and malformed types become ``application/octet-stream``, not ``text/plain``: shown as
    text they would look like the file but not be it, and scripts must not load from here. Of the
    parameters only ``charset`` is kept.
    """
    parsed = _TYPE.fullmatch(content_type.strip(" \t"))
    if parsed is None:
        return OCTET_STREAM
    base = parsed[1].lower()
    if _ACTIVE.fullmatch(base):
        return OCTET_STREAM
    charset = _CHARSET.search(parsed[2] or "")
    return f"{base}; charset={charset[1].lower()}" if charset else base


def content_disposition(filename: str, content_type: str, *, download: bool = False) -> str:
    """Return the Content-Disposition (RFC 6266) to send bytes of this name and type with.

    ``inline`` for a short list of passive types, ``attachment`` for everything else. The value is
    printable ASCII, whatever the name holds: an approximation in ``filename``, and the name
    itself, less its control characters, those of direction among them, in ``filename*`` (RFC 8187).

    Args:
        filename: the client's name for the file, without a folder.
        download: the client asked to save the file; always ``attachment``.
    """
    base = safe_content_type(content_type).partition(";")[0]
    shown = "inline" if base in INLINE_TYPES and not download else "attachment"
    name = "".join(c for c in filename if unicodedata.category(c) not in ("Cc", "Cs"))
    name = _CONTROLS.sub("", name).strip() or "download"
    encoded = quote(name, safe=_ATTR_CHARS)
    return f"{shown}; filename=\"{_ascii(name)}\"; filename*=UTF-8''{encoded}"


def _ascii(name: str) -> str:
    """Return an approximation of ``name`` that is safe in a quoted string and keeps the extension.

    Accents are dropped, other characters become ``_``; of a name with nothing left, the
    extension stays behind ``download``.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    plain = _UNSAFE_IN_FALLBACK.sub("_", unicodedata.normalize("NFC", plain))
    stem, dot, extension = plain.rpartition(".")
    if dot and not stem.strip("_. "):
        return f"download.{extension}" if extension.strip("_ ") else "download"
    return plain if plain.strip("_. ") else "download"
