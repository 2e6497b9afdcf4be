"""What a name alone says of the content: the type that its extension stands for."""

from mimetypes import MimeTypes

from softfactory.storage.disposition import OCTET_STREAM

_TYPES = MimeTypes()
"""Python's own table, the same on every machine."""


def type_by_name(filename: str) -> str:
    """Return the type that the extension says, for a file whose type nobody said."""
    content_type, encoding = _TYPES.guess_type(filename)
    # What is compressed, such as a.tar.gz, is not of the type that is inside.
    return content_type if content_type and not encoding else OCTET_STREAM
