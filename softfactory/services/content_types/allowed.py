"""Which types the files API takes, and what a claim that contradicts the content gets."""

import re
from types import MappingProxyType

from softfactory.errors import InvalidInput
from softfactory.services.content_types.allowed_types import ALLOWED_TYPES
from softfactory.services.content_types.claims import base_type, contradicts
from softfactory.services.content_types.ole import ENCRYPTED, EXCEL, OLE, WORD
from softfactory.services.content_types.opc import DOCX, XLSX, ZIP

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

_EXTENSION = re.compile(r"[^.].*\.(?!\d+\Z)([A-Za-z0-9_+-]{1,16})[. ]*\Z", re.DOTALL)
"""A last part that looks like an extension; neither ``.profile`` nor ``2024.02.26`` has one."""

_SUPPORTED = "Send a JPEG, PNG, WebP, GIF, MP4, MOV, AVI, PDF, DOC, DOCX, XLS or XLSX file."


def category_of(content_type: str) -> str:
    """Return ``image``, ``video``, ``document`` or ``other``; parameters are ignored."""
    base = base_type(content_type)
    family = base.partition("/")[0]
    return family if family in ("image", "video") else ALLOWED_TYPES.get(base, "other")


def may_become_allowed(head_type: str) -> bool:
    """Whether a file whose first bytes are of this type can turn out to be of an allowed one."""
    return head_type in ALLOWED_TYPES or head_type in (OLE, ZIP)


def check_allowed(*, detected: str, claimed: str | None, filename: str) -> None:
    """Accept an upload of an allowed type that claims nothing of another category.

    Args:
        detected: what the content is.
        claimed: the client's Content-Type, which may say nothing.
        filename: its extension is a claim too; a name without one claims nothing.

    Raises:
        InvalidInput: the content, the claim or the extension is not of an allowed type, or of
            another category than the content. Another type of the same category is fine.
    """
    if detected == ENCRYPTED:
        raise InvalidInput.of(
            "file",
            "File type not allowed: the file is an Office document that is protected by a "
            "password. Remove the password and send it again.",
        )
    if detected not in ALLOWED_TYPES:
        raise _not_allowed(f"the content is {detected}.")
    category = ALLOWED_TYPES[detected]
    if contradicts(claimed or "", category):
        raise _not_allowed(f"it was sent as another type than its content, {detected}.")
    if found := _EXTENSION.match(filename):
        extension = found[1].lower()
        if ALLOWED_TYPES.get(EXTENSIONS.get(extension, "")) != category:
            raise _not_allowed(f"the name ends in .{extension}, the content is {detected}.")


def _not_allowed(reason: str) -> InvalidInput:
    return InvalidInput.of("file", f"File type not allowed: {reason} {_SUPPORTED}")
