"""What STS, IAM and their SDK raise, as the errors that an issuer promises.

No message repeats what the server said: that holds account numbers and names of roles. It stays in
``__cause__``, for the log; AWS names no secret there.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from softfactory.errors import NotConfigured, NotFound, SoftFactoryError, StorageError
from softfactory.storage.credentials.base import MAX_KEYS

REFUSED = (
    "This server's AWS credentials may not issue credentials. Tell the operator to allow it: "
    "the log names the permission that is missing."
)
NO_CREDENTIALS = (
    "This server has no AWS credentials to issue others with. Tell the operator to set "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or to give the machine a role."
)
UNSUPPORTED = (
    "The server at AWS_ENDPOINT_URL does not issue such credentials. Tell the operator to set "
    "AWS_ROLE_ARN, or to use a server with STS and IAM."
)
TROUBLE = "AWS could not issue or change the credentials. Try again later."
TWO_KEYS = (
    f"There are {MAX_KEYS} access keys already, and AWS allows no more. Delete one, or rotate one."
)

_REFUSALS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_UNSUPPORTED = frozenset({"InvalidAction", "MethodNotAllowed", "NotImplemented"})


@contextmanager
def aws_errors(missing: SoftFactoryError | None = None) -> Iterator[None]:
    """Raise our errors in place of the SDK's; others pass through.

    Args:
        missing: what "no such entity" means to the request; by default that AWS is in trouble.
    """
    try:
        yield
    except ClientError as error:
        raise _meaning(error_code(error), missing) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise NotConfigured(NO_CREDENTIALS) from error
    except BotoCoreError as error:
        raise StorageError(TROUBLE) from error


def no_such_key() -> NotFound:
    """Return the error for a key that is unknown, or another account's."""
    return NotFound("Access key not found.")


def error_code(error: ClientError) -> str:
    """Return AWS's code for ``error``; Ceph puts it where others have a whole element."""
    answer = error.response
    return answer.get("Error", {}).get("Code") or str(answer.get("Code", ""))


def _meaning(code: str, missing: SoftFactoryError | None) -> SoftFactoryError:
    if code == "NoSuchEntity" and missing is not None:
        return missing
    if code in _REFUSALS:
        return NotConfigured(REFUSED)
    if code in _UNSUPPORTED:
        return NotConfigured(UNSUPPORTED)
    return StorageError(TROUBLE)
