"""A request body that is nothing but the bytes of an object or a part, read as it arrives."""

import base64
import binascii
from collections.abc import Iterator
from hashlib import md5
from typing import IO

from flask import Request, request
from werkzeug.exceptions import ClientDisconnected, LengthRequired

from softfactory.errors import BadDigest, FileTooLarge, InvalidInput

CHUNK_SIZE = 1024 * 1024
"""Bytes asked of the socket at a time; large, because every read costs a system call."""

_MD5_SIZE = 16


def body_size(*, limit: int) -> int:
    """Return the announced size of the body in bytes.

    Raises:
        LengthRequired: it is not announced (S3 answers 411 MissingContentLength then, too).
        FileTooLarge: it is over ``limit`` bytes.
    """
    announced = request.headers.get("Content-Length", "")
    # Werkzeug takes what is no number for 0, and an empty object would replace a full one.
    if request.content_length is None or not announced.isdecimal():
        raise LengthRequired("Send a Content-Length header with the number of bytes.")
    size = request.content_length
    if size > limit:
        raise FileTooLarge(f"The body is larger than the {limit} bytes that are taken.")
    return size


def declared_size(size: int | None, *, limit: int) -> int:
    """Return how many bytes the body is to have, which its URL was signed for.

    A chunked body announces nothing; whether it adds up shows when it is read.

    Args:
        size: None where the URL leaves it to the client, who then has to announce it.

    Raises:
        InvalidInput: another number is announced.
        LengthRequired, FileTooLarge: as ``body_size``.
    """
    is_chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    if size is not None and is_chunked and not request.headers.get("Content-Length"):
        return size
    announced = body_size(limit=limit)
    if size is not None and announced != size:
        raise _wrong_size(size, f"{announced} are announced")
    return announced


def body_stream(request: Request, *, limit: int) -> IO[bytes]:
    """Return what the body is read from; whether more than ``limit`` bytes came is the caller's."""
    request.max_content_length = limit
    if "wsgi.input_terminated" in request.environ:
        # The server ends it where the body ends. Werkzeug's wrapper would copy each byte twice.
        stream: IO[bytes] = request.environ["wsgi.input"]
        return stream
    return request.stream


def read_chunk(stream: IO[bytes], size: int) -> bytes:
    """Return up to ``size`` bytes of a body; none at its end, also where the client hung up.

    Raises:
        InvalidInput: the client chunked it wrongly.
    """
    try:
        return stream.read(size)
    except ClientDisconnected:
        return b""
    except OSError as error:
        # gunicorn's errors of a malformed chunked body, and of a connection that broke, are these.
        raise InvalidInput("The body could not be read to its end. Send it again.") from error


def body_chunks(size: int) -> Iterator[bytes]:
    """Return the body of exactly ``size`` bytes, which its Content-MD5 is checked against.

    What is stored of it must be dropped where iterating raises.

    Raises:
        BadDigest: as it ends: the bytes are not those of Content-MD5 (S3: PutObject, UploadPart).
        InvalidInput: Content-MD5 is malformed, or an SDK framed the body (aws-chunked); or, while
            it is read: the body was cut off, or goes on behind them (which only a chunked one can).
    """
    if "X-Amz-Decoded-Content-Length" in request.headers:
        raise InvalidInput("Send the bytes as they are, not framed as aws-chunked.")
    digest = request.headers.get("Content-MD5")
    chunks = _read_chunks(size)
    return chunks if digest is None else _checked(chunks, _md5(digest))


def _md5(header: str) -> bytes:
    """Return the digest that the header says (RFC 1864: base64 of 128 bits)."""
    try:
        digest = base64.b64decode(header.strip(), validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != _MD5_SIZE:
        message = "Content-MD5 must be the MD5 of the body, 16 bytes in base64."
        raise InvalidInput(message, errors={"Content-MD5": [message]}, code="INVALID_DIGEST")
    return digest


def _checked(chunks: Iterator[bytes], expected: bytes) -> Iterator[bytes]:
    digest = md5(usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
    if digest.digest() != expected:
        raise BadDigest


def _read_chunks(size: int) -> Iterator[bytes]:
    # One byte more shows whether there is more.
    stream, left = body_stream(request, limit=size + 1), size
    while left:
        chunk = read_chunk(stream, min(CHUNK_SIZE, left))
        if not chunk:
            raise InvalidInput(f"The body was cut off {left} bytes before its end. Send it again.")
        left -= len(chunk)
        yield chunk
    if request.content_length is None and read_chunk(stream, 1):
        raise _wrong_size(size, "more were sent")


def _wrong_size(size: int, instead: str) -> InvalidInput:
    return InvalidInput.of(
        "Content-Length",
        f"This URL takes exactly the {size} bytes that were declared, but {instead}. Send the "
        "file as it was declared, or ask for a new URL.",
    )
