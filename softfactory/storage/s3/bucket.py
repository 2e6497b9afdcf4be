"""One bucket, reached through one client a process."""

import base64
import hashlib
import os
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import NoCredentialsError
from botocore.session import get_session

from softfactory.clock import Clock, utc_now
from softfactory.errors import StorageError
from softfactory.storage.credentials.upload_sessions import UploadSessions
from softfactory.storage.s3.times import read_time
from softfactory.storage.s3.xml_text import read_any_key
from softfactory.storage.signing import UrlSigner

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest
    from mypy_boto3_s3.client import S3Client

CONNECT_TIMEOUT = 5
"""Seconds; a server that does not answer by then is down."""

READ_TIMEOUT = 60
"""Seconds between two bytes; S3 takes this long to put a large object together."""

MAX_ATTEMPTS = 4
"""Tries of one request; throttling and 5xx are retried with backoff (botocore: standard mode)."""

MAX_CONNECTIONS = 128
"""Kept open at once; more than a worker has threads, since a stream holds one until it is read."""


@dataclass(frozen=True, slots=True)
class _Connection:
    process: int
    session: boto3.Session
    client: "S3Client"


@dataclass(frozen=True, slots=True)
class SigningCredentials:
    """What requests and URLs are signed with; ``expires_at`` is None where no end is known."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None


class Bucket:
    """The bucket's name and server, and the client that reaches it."""

    def __init__(  # noqa: PLR0913  # a setting each, and all by name
        self,
        *,
        bucket: str,
        region: str = "us-east-1",
        endpoint_url: str | None = None,
        public_endpoint_url: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        upload_sessions: UploadSessions | None = None,
        upload_signer: UrlSigner | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.bucket = bucket
        self.region = region
        self._endpoint_url = endpoint_url or None
        self._public_endpoint_url = public_endpoint_url or self._endpoint_url
        self._access_key_id = access_key_id or None
        self._secret_access_key = secret_access_key or None
        self._upload_sessions = upload_sessions
        self._upload_signer = upload_signer
        self._clock = clock
        self._lock = threading.Lock()
        self._connection: _Connection | None = None

    @property
    def is_aws(self) -> bool:
        """Whether the server is Amazon's own."""
        return self._endpoint_url is None

    @property
    def client(self) -> "S3Client":
        """The client of this process."""
        return self._connect().client

    @property
    def credentials(self) -> SigningCredentials:
        """The credentials that are good now; temporary ones are renewed before they end.

        Raises:
            StorageError: there are none.
        """
        found = self._connect().session.get_credentials()
        if found is None:
            raise StorageError from NoCredentialsError()
        while True:
            # botocore renews what ends within 15 minutes as it is asked for it, in any thread; it
            # tells the end of what it returned by no public name.
            frozen = found.get_frozen_credentials()
            expires_at = getattr(found, "_expiry_time", None)
            if found.get_frozen_credentials() == frozen:
                return SigningCredentials(
                    frozen.access_key or "", frozen.secret_key or "", frozen.token, expires_at
                )

    def _connect(self) -> _Connection:
        # A client's connections and locks do not survive a fork, and gunicorn forks.
        connection = self._connection
        if connection is None or connection.process != os.getpid():
            with self._lock:
                connection = self._connection
                if connection is None or connection.process != os.getpid():
                    connection = self._connection = self._make_connection()
        return connection

    def _make_connection(self) -> _Connection:
        core = get_session()
        # As the AWS CLI sets its own.
        parsers = core.get_component("response_parser_factory")
        parsers.set_parser_defaults(timestamp_parser=read_time)
        session = boto3.Session(
            botocore_session=core,
            aws_access_key_id=self._access_key_id,
            aws_secret_access_key=self._secret_access_key,
            region_name=self.region,
        )
        client: S3Client = session.client(
            "s3", endpoint_url=self._endpoint_url, config=self._client_config()
        )
        client.meta.events.register("before-sign.s3.DeleteObjects", _add_content_md5)
        read_any_key(client)
        return _Connection(os.getpid(), session, client)

    def _client_config(self) -> Config:
        return Config(
            signature_version="s3v4",
            s3={
                "addressing_style": "auto" if self.is_aws else "path",
                "us_east_1_regional_endpoint": "regional",
            },
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
            max_pool_connections=MAX_CONNECTIONS,
            tcp_keepalive=True,
            # Each body is signed with its SHA-256, which the server verifies, so a checksum beside
            # it adds nothing. And an upload that the SDK begins with one can't be completed from
            # parts that came by plain PUT, without (S3: "The complete request must include the
            # checksum for each part"). Other servers know no such checksums at all.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_supported" if self.is_aws else "when_required",
            # The configuration of this service alone says where the bucket is.
            ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # newer than the stubs
        )


def _add_content_md5(request: "AWSRequest", **_: Any) -> None:  # noqa: ANN401  # botocore's events
    """Give DeleteObjects the MD5 that servers older than S3's newer checksums insist on."""
    body: bytes = request.body  # type: ignore[assignment]  # the stubs say text
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    request.headers["Content-MD5"] = base64.b64encode(digest).decode()
