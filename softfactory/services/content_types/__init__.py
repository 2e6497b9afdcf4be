"""What a file's content is, decided by its own signature, and which types the files API takes."""

from softfactory.services.content_types.allowed import (
    EXTENSIONS,
    category_of,
    check_allowed,
    may_become_allowed,
)
from softfactory.services.content_types.allowed_types import ALLOWED_TYPES
from softfactory.services.content_types.declared import said_type
from softfactory.services.content_types.sniffer import ContentSniffer
from softfactory.services.content_types.text import shown_type
from softfactory.storage.types_by_name import type_by_name

__all__ = [
    "ALLOWED_TYPES",
    "EXTENSIONS",
    "ContentSniffer",
    "category_of",
    "check_allowed",
    "may_become_allowed",
    "said_type",
    "shown_type",
    "type_by_name",
]
