"""The types that the files API takes, and their categories."""

from types import MappingProxyType

from softfactory.services.content_types.ole import EXCEL, WORD
from softfactory.services.content_types.opc import DOCX, XLSX

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
"""Category by content type (docs/api/files.md, Types and categories)."""
