"""Finding out, in plain sentences for the operator, why a bucket does not work."""

import secrets
from collections.abc import Callable

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from softfactory.errors import NotConfigured, SoftFactoryError, StorageError
from softfactory.storage.keys import Key
from softfactory.storage.s3.errors import error_code
from softfactory.storage.s3.upload_checking import UploadChecker

PROBE_FOLDER = ".softfactory-check/"
"""Where the probe objects live, one name a check; no user's root begins with a dot."""

NO_CREDENTIALS = (
    "AWS credentials not found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the "
    "machine a role."
)
NO_BUCKET_NAME = "S3 bucket name not configured. Set AWS_STORAGE_BUCKET_NAME."
UNREACHABLE = (
    "The S3 endpoint can't be reached. Check AWS_S3_ENDPOINT_URL, the network and the firewall."
)
WRONG_REGION = "The S3 bucket is in another region. Set AWS_S3_REGION_NAME to the bucket's region."
BAD_SIGNATURE = (
    "The AWS credentials do not match: the signature was refused. Check AWS_SECRET_ACCESS_KEY."
)
UNKNOWN_KEY = "The AWS access key is unknown or inactive. Check AWS_ACCESS_KEY_ID."
EXPIRED_TOKEN = "The temporary AWS credentials have expired. Renew them."  # noqa: S105
CLOCK_SKEW = "This machine's clock differs from S3's by too much. Set it by NTP."
NO_BUCKET = (
    "The S3 bucket does not exist. Create it, or correct AWS_STORAGE_BUCKET_NAME and "
    "AWS_S3_REGION_NAME."
)

DENIED = (
    "Access Denied: S3 refuses these AWS credentials everything. Check AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, their permissions, and that the bucket is theirs."
)

_SENTENCES = {
    "NoSuchBucket": NO_BUCKET,
    "InvalidBucketName": NO_BUCKET,
    "301": WRONG_REGION,
    "PermanentRedirect": WRONG_REGION,
    "AuthorizationHeaderMalformed": WRONG_REGION,
    "IllegalLocationConstraintException": WRONG_REGION,
    "SignatureDoesNotMatch": BAD_SIGNATURE,
    "InvalidAccessKeyId": UNKNOWN_KEY,
    "ExpiredToken": EXPIRED_TOKEN,
    "InvalidToken": EXPIRED_TOKEN,
    "RequestTimeTooSkewed": CLOCK_SKEW,
}
"""The sentence by S3's code; each of these dooms every other request too."""


class Checker(UploadChecker):
    """The verb that tries the others."""

    def check(self) -> list[str]:
        """Write, read, list, version and delete a probe; return what does not work.

        A cause that dooms everything is returned alone; missing permissions one by one.
        """
        if not self.bucket:
            return [NO_BUCKET_NAME]
        problems: list[str] = []
        attempts = self._attempts()
        for permissions, attempt in attempts:
            try:
                attempt()
            except (SoftFactoryError, BotoCoreError, ClientError) as error:
                cause = _origin(error)
                doom = _doom(cause)
                if doom is not None:
                    return [doom]
                problems.append(_complaint(cause, permissions))
        if len(problems) == len(attempts) and all(said.startswith("Access") for said in problems):
            return [DENIED]  # also what Ceph with STS says of a wrong secret
        return problems or self._region_problems() or self._upload_problems()

    def _attempts(self) -> list[tuple[str, Callable[[], object]]]:
        """Return what to try, in order, each with the permissions that it needs."""
        key = Key(PROBE_FOLDER + secrets.token_hex(8))

        def read() -> None:
            with self.open(key) as opened:
                for _ in opened.chunks():
                    pass

        def upload() -> None:
            upload_id = self.create_multipart(key)
            self.list_parts(key, upload_id)
            self.abort_multipart(key, upload_id)

        return [
            ("s3:ListBucket", lambda: self.list_objects(PROBE_FOLDER, limit=1)),
            ("s3:PutObject", lambda: self.put(key, [b"probe"])),
            ("s3:GetObject, s3:GetObjectVersion", read),
            ("s3:ListBucketVersions", lambda: self.list_versions(key)),
            ("s3:PutObject, s3:ListMultipartUploadParts, s3:AbortMultipartUpload", upload),
            (
                "s3:ListBucketMultipartUploads",
                lambda: next(self.list_multiparts(PROBE_FOLDER), None),
            ),
            ("s3:DeleteObject", lambda: self.delete(key)),
            ("s3:DeleteObject, s3:DeleteObjectVersion", lambda: self.purge(key)),
        ]

    def _upload_problems(self) -> list[str]:
        try:
            return self.upload_url_problems()
        except StorageError as error:
            cause = _origin(error)
            if isinstance(cause, NotConfigured):
                return [cause.message]
            return [_doom(cause) or _complaint(cause, "sts:AssumeRole, s3:PutObject")]

    def _region_problems(self) -> list[str]:
        # botocore follows a bucket to its region, so all of the above works in the wrong one too.
        # URLs that clients use are signed for the configured one, and would not.
        if not self.is_aws:
            return []
        try:
            region = self.client.head_bucket(Bucket=self.bucket).get("BucketRegion")
        except (BotoCoreError, ClientError) as error:
            return [_doom(error) or _complaint(error, "s3:ListBucket")]
        return [WRONG_REGION] if region and region != self.region else []


def _origin(error: Exception) -> BaseException:
    """Return what the SDK raised, where ``error`` stands for it."""
    return error.__cause__ if error.__cause__ is not None else error


def _doom(error: BaseException) -> str | None:
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return NO_CREDENTIALS
    if isinstance(error, EndpointConnectionError | HTTPClientError):
        return UNREACHABLE
    return _SENTENCES.get(error_code(error)) if isinstance(error, ClientError) else None


def _complaint(error: BaseException, permissions: str) -> str:
    code = error_code(error) if isinstance(error, ClientError) else type(error).__name__
    if code in ("403", "AccessDenied", "AllAccessDisabled", "StorageError"):
        return f"Access Denied: the AWS credentials need {permissions} on the bucket."
    return f"S3 refused what {permissions} is for, with the code {code}."
