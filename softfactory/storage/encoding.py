"""Content-Encoding of stored objects: kept as it came, and given back with the bytes."""

import re

from softfactory.errors import InvalidInput

_FRAMING = "aws-chunked"
"""How an SDK frames the body of one request, with a signature in each piece; not what is stored
(Amazon S3 API: Signature calculations for the authorization header, transferring in chunks)."""

_VALUE = re.compile(r"[ -~]{0,255}")


def checked_encoding(header: str | None) -> str | None:
    """Return what is to be kept of a request's Content-Encoding.

    Raises:
        InvalidInput: it is not printable ASCII, or longer than 255 characters.
    """
    if header and not _VALUE.fullmatch(header):
        raise InvalidInput.of(
            "Content-Encoding", "Content-Encoding must be up to 255 characters of printable ASCII."
        )
    return stored_encoding(header)


def stored_encoding(header: str | None) -> str | None:
    """Return what a stored Content-Encoding (RFC 9110 section 8.4) says of the bytes; maybe None."""
    if not header:
        return None
    codings = [coding.strip() for coding in header.split(",")]
    if not any(coding.lower() == _FRAMING for coding in codings):
        return header.strip() or None
    return ",".join(c for c in codings if c and c.lower() != _FRAMING) or None
