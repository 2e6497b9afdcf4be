"""When a request is worth a thread: as soon as its head is there, and its body if that is small.

A hint, and no more: gunicorn's parser alone decides what a request says.
"""

import re
from collections.abc import Mapping
from typing import Any

MAX_HEAD = 64 * 1024
"""Bytes of request line and fields together; an access token is about 500, a URL at most 8190."""

SMALL_BODY = 64 * 1024
"""Bytes of a body that is waited for without a thread, which covers what JSON clients send."""

_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,5})[ \t]*\r\n", re.IGNORECASE)
_OTHERWISE = re.compile(rb"\r\n(?:expect|transfer-encoding):", re.IGNORECASE)


def is_too_large(received: bytes | bytearray) -> bool:
    """Whether so many bytes came without the end of a head."""
    return len(received) > MAX_HEAD and _END not in received


def is_worth_a_thread(received: bytes | bytearray) -> bool:
    """Whether a thread that takes the request now need not wait, or has to wait for long anyway."""
    end = received.find(_END)
    if end < 0:
        return False
    length = _LENGTH.search(received, 0, end + len(_END))
    if length is None or (size := int(length[1])) > SMALL_BODY:
        return True
    if len(received) >= end + len(_END) + size:
        return True
    # The client waits to be told to go on, or the length is none.
    return _OTHERWISE.search(received, 0, end) is not None


def is_small(environ: Mapping[str, Any]) -> bool:
    """Whether the body of a request, whose fields gunicorn has checked, is small or none."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return length <= SMALL_BODY and not environ.get("HTTP_TRANSFER_ENCODING")
