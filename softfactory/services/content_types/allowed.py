"""Which types the files API takes, and what a claim that contradicts the content gets."""

import re
from types import MappingProxyType

from softfactory.errors import InvalidInput
from softfactory.services.content_types.ole import EXCEL, OLE, WORD
from softfactory.services.content_types.opc import DOCX, XLSX, ZIP

ALLOWED_TYPES = MappingProxyType(
    {
        "image/jpeg": "image",
        "image/png": "image",
        "image/webp": "image",
        "image/gif": "image",
        "video/mp4": "video",
        "video/quicktime": "video",
        "video/x-msvideo": "video",
        "application/pdf": "document",
        WORD: "document",
        DOCX: "document",
        EXCEL: "document",
        XLSX: "document",
    }
)
"""Category by content type (contracts, files: File Categories & Supported Types)."""

EXTENSIONS = MappingProxyType(
    {
        **dict.fromkeys(("jpg", "jpeg", "jpe", "jfif"), "image/jpeg"),
        "png": "image/png",
        "webp": "image/webp",
        "gif": "image/gif",
        **dict.fromkeys(("mp4", "m4v"), "video/mp4"),
        **dict.fromkeys(("mov", "qt"), "video/quicktime"),
        "avi": "video/x-msvideo",
        "pdf": "application/pdf",
        "doc": WORD,
        "docx": DOCX,
        "xls": EXCEL,
        "xlsx": XLSX,
    }
)
"""Content type by extension, lower case and without the dot."""

_OTHER_NAMES = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "video/x-m4v": "video/mp4",
    "video/avi": "video/x-msvideo",
    "video/msvideo": "video/x-msvideo",
    "video/vnd.avi": "video/x-msvideo",
    "application/x-pdf": "application/pdf",
}
"""Names that browsers use for allowed types, Windows' registry among them (``video/avi``)."""

_CLAIMS_NOTHING = frozenset({"", "application/octet-stream", "binary/octet-stream"})

_EXTENSION = re.compile(r"[^.].*\.(?!\d+\Z)([A-Za-z0-9_+-]{1,16})[. ]*\Z", re.DOTALL)
"""A last part that looks like an extension; neither ``.profile`` nor ``2024.02.26`` has one."""

_SUPPORTED = "Send a JPEG, PNG, WebP, GIF, MP4, MOV, AVI, PDF, DOC, DOCX, XLS or XLSX file."


def category_of(content_type: str) -> str:
    """Return ``image``, ``video``, ``document`` or ``other``; parameters are ignored."""
    base = _base_type(content_type)
    family = base.partition("/")[0]
    return family if family in ("image", "video") else ALLOWED_TYPES.get(base, "other")


def may_become_allowed(head_type: str) -> bool:
    """Whether a file whose first bytes are of this type can turn out to be of an allowed one."""
    return head_type in ALLOWED_TYPES or head_type in (OLE, ZIP)


def check_allowed(*, detected: str, claimed: str | None, filename: str) -> None:
    """Accept an upload of an allowed type that claims nothing of another category.

    Args:
        detected: what the content is.
        claimed: the client's Content-Type; none and ``application/octet-stream`` claim nothing.
        filename: its extension is a claim too; a name without one claims nothing.

    Raises:
        InvalidInput: the content, the claim or the extension is not of an allowed type, or of
            another category than the content. Another type of the same category is fine.
    """
    if detected not in ALLOWED_TYPES:
        raise _not_allowed(f"the content is {detected}.")
    category = ALLOWED_TYPES[detected]
    claim = _base_type(claimed or "")
    if claim not in _CLAIMS_NOTHING:
        claimed_category = ALLOWED_TYPES.get(_OTHER_NAMES.get(claim, claim))
        if claimed_category != category:
            raise _not_allowed(f"it was sent as another type than its content, {detected}.")
    if found := _EXTENSION.match(filename):
        extension = found[1].lower()
        if ALLOWED_TYPES.get(EXTENSIONS.get(extension, "")) != category:
            raise _not_allowed(f"the name ends in .{extension}, the content is {detected}.")


def _base_type(content_type: str) -> str:
    """Return the type without parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def _not_allowed(reason: str) -> InvalidInput:
    return InvalidInput.of("file", f"File type not allowed: {reason} {_SUPPORTED}")
