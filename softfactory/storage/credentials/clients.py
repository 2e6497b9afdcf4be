"""The clients of STS and IAM: made once, in the process that uses them."""

import threading
from functools import cached_property
from typing import Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import UnknownRegionError

CONNECT_TIMEOUT = 5
"""Seconds; a server that does not answer by then is down."""

READ_TIMEOUT = 20
"""Seconds; a person waits for the answer, and STS and IAM move no bytes."""

MAX_ATTEMPTS = 3
"""Tries of one request; throttling and 5xx are retried with backoff (botocore: standard mode)."""


class Aws:
    """One AWS account and a bucket of it, or a server that speaks their protocol."""

    def __init__(
        self,
        *,
        bucket: str,
        region: str = "us-east-1",
        endpoint_url: str | None = None,
        role_arn: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
    ) -> None:
        self._bucket = bucket
        self._region = region
        self._endpoint_url = endpoint_url
        self._role_arn = role_arn
        self._access_key_id = access_key_id
        self._secret_access_key = secret_access_key
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}

    @cached_property
    def _partition(self) -> str:
        try:
            return boto3.Session().get_partition_for_region(self._region)
        except UnknownRegionError:
            return "aws"  # the region of another server

    def _client(self, service: Literal["iam", "sts"]) -> Any:  # noqa: ANN401  # botocore makes them at run time
        # Made on first use, in the process that uses it: no connection goes through a fork.
        with self._lock:
            if service not in self._clients:
                session = boto3.Session(
                    aws_access_key_id=self._access_key_id,
                    aws_secret_access_key=self._secret_access_key,
                    region_name=self._region,
                )
                self._clients[service] = session.client(
                    service, endpoint_url=self._endpoint_url, config=_client_config()
                )
            return self._clients[service]


def _client_config() -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
        # The configuration of this service alone says where AWS is.
        ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # newer than the stubs
    )
