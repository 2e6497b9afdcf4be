"""What a client's claim of a type says, if anything: many name a program, or what the file is in."""

from mimetypes import MimeTypes

from puremagic.main import magic_header_array

from softfactory.services.content_types.allowed_types import ALLOWED_TYPES
from softfactory.services.content_types.ole import EXCEL, OLE, WORD
from softfactory.services.content_types.opc import ZIP

_OTHER_NAMES = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "video/x-m4v": "video/mp4",
    "video/avi": "video/x-msvideo",
    "video/msvideo": "video/x-msvideo",
    "video/vnd.avi": "video/x-msvideo",
    **dict.fromkeys(
        ("application/x-pdf", "application/acrobat", "text/pdf", "text/x-pdf"), "application/pdf"
    ),
    **dict.fromkeys(("application/doc", "application/vnd.msword", "application/x-msword"), WORD),
    **dict.fromkeys(
        ("application/excel", "application/msexcel", "application/x-msexcel", "application/xls"),
        EXCEL,
    ),
}
"""Names that browsers use for allowed types, Windows' registry among them (``video/avi``)."""

_SAYS_NOTHING = frozenset(
    {
        "application/octet-stream",
        "binary/octet-stream",
        "application/x-binary",
        "application/force-download",
        "application/x-download",
        "multipart/form-data",
        ZIP,
        "application/x-zip",
        "application/x-zip-compressed",
        "multipart/x-zip",
        OLE,
        "application/vnd.ms-office",
        "application/vnd.openxmlformats",
        "application/vnd.openxmlformats-officedocument",
    }
)
"""Any bytes, ways to send them, and what DOCX and XLSX, DOC and XLS are made of."""

_FAMILIES = ("image", "video", "audio", "text", "font", "model", "message")
"""Top-level types that say what kind of content a type is of, whatever its second half says."""

_KNOWN_TYPES = frozenset(
    {
        *(mime.lower().strip() for table in MimeTypes().types_map for mime in table.values()),
        *(magic.mime_type.lower().strip() for magic in magic_header_array),
        "application/vnd.ms-word.document.macroenabled.12",
        "application/x-dosexec",
        "application/x-httpd-php",
        "application/x-msdownload",
        "application/x-php",
        "application/xhtml+xml",
        "image/avif",
        "image/heic",
        "image/heif",
    }
) - {""}
"""Types that Python and the ``puremagic`` library have an extension or a signature of."""


def base_type(content_type: str) -> str:
    """Return the type without parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def contradicts(claimed: str, category: str) -> bool:
    """Whether a Content-Type says something else than an allowed type of this category.

    It does where it is a known type that is not allowed, or one of another category. Wildcards,
    names of programs and of containers, and names that nobody knows say nothing.
    """
    claim = base_type(claimed)
    claim = _OTHER_NAMES.get(claim, claim)
    family, slash, subtype = claim.partition("/")
    if not slash or subtype == "*" or claim in _SAYS_NOTHING:
        return False
    if claim in ALLOWED_TYPES:
        return ALLOWED_TYPES[claim] != category
    return claim in _KNOWN_TYPES or (family in _FAMILIES and family != category)
