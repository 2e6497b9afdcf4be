"""Sending an object: ranges, conditions, and headers that let no browser execute it.

RFC 9110 sections 13 (conditions) and 14 (ranges); one range an answer, several get the whole.
"""

from collections.abc import Iterator
from http import HTTPStatus

from flask import Response, request
from werkzeug.datastructures import Range
from werkzeug.exceptions import PreconditionFailed, RequestedRangeNotSatisfiable
from werkzeug.http import http_date, parse_range_header, quote_etag
from werkzeug.sansio.http import is_resource_modified

from softfactory.storage.base import ObjectInfo, StoredObject
from softfactory.storage.disposition import safe_content_type

SENDFILE_BLOCK = 1024 * 1024
"""Bytes read at a time where the server has no sendfile."""

IN_ONE_PIECE = 128 * 1024
"""Bytes that are read and sent at once: that is cheaper than to have the kernel send a file."""

SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""CSP of everything that users uploaded: shown, at most, in an origin of its own, without scripts."""


def send_object(stored: StoredObject, *, content_type: str, disposition: str) -> Response:
    """Return the answer to a GET or HEAD of an open object, which the answer closes.

    Args:
        content_type: the type to send, made harmless here.
        disposition: the Content-Disposition (RFC 6266).

    Raises:
        PreconditionFailed: the request is for another version of it.
        RequestedRangeNotSatisfiable: the range lies behind its end.
    """
    try:
        return _answer(stored, content_type, disposition)
    except BaseException:
        stored.close()
        raise


def _answer(stored: StoredObject, content_type: str, disposition: str) -> Response:
    info = stored.info
    if _precondition_failed(info):
        raise PreconditionFailed("The file has changed since. Fetch it again without conditions.")
    response = Response(status=HTTPStatus.OK)
    headers = response.headers
    headers.extend(
        {
            "ETag": quote_etag(info.etag),
            "Last-Modified": http_date(info.last_modified),
            "Accept-Ranges": "bytes",
            "Cache-Control": "private, no-cache",
            "Content-Security-Policy": SANDBOX,
            "Content-Disposition": disposition,
        }
    )
    if not is_resource_modified(
        http_if_modified_since=request.headers.get("If-Modified-Since"),
        http_if_none_match=request.headers.get("If-None-Match"),
        etag=info.etag,
        last_modified=info.last_modified,
    ):
        stored.close()
        headers.pop("Content-Type")
        response.status_code = HTTPStatus.NOT_MODIFIED
        return response

    headers["Content-Type"] = safe_content_type(content_type)
    if info.content_encoding is not None:
        # Ranges are of the encoded bytes (RFC 9110 section 14.1.2), as everywhere else here.
        headers["Content-Encoding"] = info.content_encoding
    start, stop = 0, info.size
    if (wanted := _wanted_range(stored)) is not None:
        bounds = _bounds(wanted, info.size)
        if bounds is None:
            message = f"The range lies behind the end of the file, which has {info.size} bytes."
            raise RequestedRangeNotSatisfiable(info.size, description=message)
        start, stop = bounds
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{info.size}"
        response.status_code = HTTPStatus.PARTIAL_CONTENT
    headers["Content-Length"] = str(stop - start)
    _attach_body(response, stored, start, stop)
    return response


def _bounds(wanted: Range, size: int) -> tuple[int, int] | None:
    """Return where the one range begins and ends; None where it lies behind the end."""
    begin, _ = wanted.ranges[0]
    if begin < 0 < size:
        # RFC 9110 section 14.1.2: a suffix longer than the file is the whole of it.
        return max(0, size + begin), size
    return wanted.range_for_length(size)


def _attach_body(response: Response, stored: StoredObject, start: int, stop: int) -> None:
    """Give the server the file itself where it can sendfile, else the bytes in pieces."""
    if request.method == "HEAD":
        stored.close()
        return
    if stop - start <= IN_ONE_PIECE:
        with stored:
            response.set_data(b"".join(stored.chunks(start, stop)))
        return
    wrapper = request.environ.get("wsgi.file_wrapper")
    file = stored.file()
    if wrapper is None or file is None:
        response.response = _ClosingChunks(stored, start, stop)
        return
    # PEP 3333: the server sends from the file's position; Content-Length bounds what it sends.
    file.seek(start)
    response.response = wrapper(_OwnedFile(stored, stop - start), SENDFILE_BLOCK)
    response.direct_passthrough = True


class _OwnedFile:
    """The file of a stored object, read up to a bound, whose closing closes the object."""

    def __init__(self, stored: StoredObject, length: int) -> None:
        file = stored.file()
        if file is None:
            raise ValueError("the object has no file")
        self._stored, self._file, self._left = stored, file, length
        self.fileno = file.fileno

    def read(self, size: int) -> bytes:
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._stored.close()


class _ClosingChunks:
    """An iterable body that closes its object when the server is done with it."""

    def __init__(self, stored: StoredObject, start: int, stop: int) -> None:
        self._stored, self._chunks = stored, stored.chunks(start, stop)

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        self._stored.close()


def _wanted_range(stored: StoredObject) -> Range | None:
    """Return the one byte range that the request asks for and If-Range allows."""
    # RFC 9110 section 14.2: a range means something to GET only.
    if request.method != "GET":
        return None
    wanted = parse_range_header(request.headers.get("Range"))
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return None
    condition = request.if_range
    # RFC 9110 section 13.1.5: the comparison is the strong one, which no weak ETag passes.
    is_weak = request.headers.get("If-Range", "").startswith("W/")
    if condition.etag is not None and (is_weak or condition.etag != stored.info.etag):
        return None
    modified = stored.info.last_modified.replace(microsecond=0)
    # The same: a date matches exactly or not at all.
    if condition.date is not None and condition.date != modified:
        return None
    return wanted


def _precondition_failed(info: ObjectInfo) -> bool:
    """Whether If-Match or, without it, If-Unmodified-Since is for an older version.

    RFC 9110 sections 13.1.1 and 13.1.4.
    """
    if request.if_match:
        return not request.if_match.contains(info.etag)
    since = request.if_unmodified_since
    return since is not None and info.last_modified.replace(microsecond=0) > since
