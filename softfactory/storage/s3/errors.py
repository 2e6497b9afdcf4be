"""What S3 and its SDK raise, as the errors that storage promises.

No message repeats what the server said: that holds key ids and addresses. It stays in
``__cause__``, for the log.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from softfactory.errors import (
    InvalidPart,
    ObjectArchived,
    ObjectNotFound,
    SoftFactoryError,
    StorageError,
    StorageFull,
    UploadNotFound,
)

_MEANING: dict[str, type[SoftFactoryError]] = {
    "404": ObjectNotFound,  # a HEAD has no body, so no code of its own
    "NotFound": ObjectNotFound,
    "NoSuchKey": ObjectNotFound,
    "NoSuchVersion": ObjectNotFound,
    "NoSuchUpload": UploadNotFound,
    "InvalidPart": InvalidPart,
    "InvalidPartOrder": InvalidPart,
    "EntityTooSmall": InvalidPart,
    "InvalidObjectState": ObjectArchived,
    "QuotaExceeded": StorageFull,
    "InsufficientCapacity": StorageFull,
    "XMinioStorageFull": StorageFull,
}
"""Our error by S3's code (Amazon S3 API: Error responses), and by those of servers like it."""

_NO_SUCH_VERSION = frozenset({"400", "405", "InvalidArgument", "MethodNotAllowed"})
"""What a version id gets that is malformed, or a delete marker's (GetObject, HeadObject)."""


@contextmanager
def storage_errors(
    *, version_id: str | None = None, missing: type[SoftFactoryError] = ObjectNotFound
) -> Iterator[None]:
    """Raise the storage's errors in place of the SDK's; others pass through.

    Args:
        version_id: the version that the request names.
        missing: what "not found" means to the request (Ceph has one code for objects and uploads).
    """
    try:
        yield
    except ClientError as error:
        code = error_code(error)
        if version_id is not None and code in _NO_SUCH_VERSION:
            raise ObjectNotFound from error
        meaning = _MEANING.get(code, StorageError)
        raise (missing if meaning is ObjectNotFound else meaning) from error
    except (BotoCoreError, ResponseParserError) as error:
        raise StorageError from error


@contextmanager
def stream_errors() -> Iterator[None]:
    """Raise StorageError for whatever ends a stream before its time."""
    try:
        yield
    except (ClientError, BotoCoreError, HTTPError, OSError, EOFError) as error:
        raise StorageError from error


def error_code(error: ClientError) -> str:
    """Return S3's code for ``error``, or the HTTP status where the answer had no body."""
    return error.response.get("Error", {}).get("Code", "")
