"""Keys that XML 1.0 cannot say: read out of answers all the same, and kept out of requests.

Clients name objects by control characters too. Servers write those into their answers as they are,
or as references such as ``&#x01;``; neither is XML (section 2.2), so one such key would make a
list unreadable for everybody. Each is exchanged for a character that no one uses (of plane 15, for
private use) before the answer is parsed, and back afterwards.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_NAMING_KEYS = (
    "CompleteMultipartUpload",
    "CreateMultipartUpload",
    "DeleteObjects",
    "ListMultipartUploads",
    "ListObjectVersions",
    "ListObjectsV2",
    "ListParts",
)
"""The operations whose answers repeat keys, prefixes or positions."""

_HEAD = 200
"""Bytes within which an answer says what it is."""

_FIRST = 0xF0000
"""The first code point of plane 15; a character's own number is added to it."""

_BARE = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]|&#(x[0-9A-Fa-f]+|[0-9]+);")
_EXCHANGED = re.compile("[\U000f0000-\U000f001f\U000ffffe\U000fffff]")
_NOT_XML = frozenset({*range(0x20), 0xFFFE, 0xFFFF} - {0x9, 0xA, 0xD})
_UNSPEAKABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\r\ufffe\uffff]|^\\s|\\s\\Z")


def read_any_key(client: "S3Client") -> None:
    """Let ``client`` read answers that repeat such a key; ``key_of`` returns what they mean."""
    for operation in _NAMING_KEYS:
        client.meta.events.register(f"before-parse.s3.{operation}", _make_readable)


def _make_readable(response_dict: dict[str, Any], **_: Any) -> None:  # noqa: ANN401  # botocore's events
    readable = _BARE.sub(_exchanged, response_dict["body"])
    if readable == response_dict["body"]:
        return
    response_dict["body"] = readable
    # botocore has looked at it before, and takes what is no XML for a failure of the server's.
    if b"<Error" not in readable[:_HEAD]:
        response_dict["status_code"] = HTTPStatus.OK


def key_of(answer: Mapping[str, Any], text: str) -> str:
    """Return the key that ``text``, a part of ``answer``, stands for."""
    if answer.get("EncodingType") == "url":  # it was percent-encoded, and botocore has decoded it
        return text
    return restored(text)


def restored(text: str) -> str:
    """Return ``text``, which came as it is, with the characters that the server meant."""
    return _EXCHANGED.sub(lambda found: chr(ord(found[0]) - _FIRST), text)


def is_sayable(key: str) -> bool:
    """Whether a request's XML can name ``key``, whatever the server does with white space."""
    return not _UNSPEAKABLE.search(key)


def _exchanged(found: re.Match[bytes]) -> bytes:
    reference = found[1]
    if reference is None:
        code = ord(found[0].decode())
    else:
        code = int(reference[1:], 16) if reference[:1] in b"xX" else int(reference)
        if code not in _NOT_XML:
            return found[0]
    return chr(_FIRST + code).encode()
