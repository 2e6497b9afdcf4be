"""Issues AWS credentials: temporary ones by STS, lasting keys by one IAM user an account.

The service's own credentials need ``sts:AssumeRole`` on the configured role (without a role:
``sts:GetFederationToken``), and on ``arn:aws:iam::*:user/softfactory/*``: ``iam:CreateUser``,
``iam:GetUserPolicy``, ``iam:PutUserPolicy``, ``iam:CreateAccessKey``, ``iam:ListAccessKeys``,
``iam:UpdateAccessKey`` and ``iam:DeleteAccessKey``. A federated session can do no more than they
can themselves, a role's no more than the role: either needs what the policy in ``credentials`` has.
"""

import re
import threading
from datetime import UTC, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, UnknownRegionError

from softfactory.errors import InvalidInput, NotConfigured
from softfactory.storage.credentials.base import AccessKey, KeyStatus, SessionCredentials
from softfactory.storage.credentials.errors import (
    REFUSED,
    TWO_KEYS,
    aws_errors,
    duration_errors,
    error_code,
    no_such_key,
)
from softfactory.storage.credentials.policy import policy_json, scoped_policy
from softfactory.storage.keys import Roots

CONNECT_TIMEOUT = 5
"""Seconds; a server that does not answer by then is down."""

READ_TIMEOUT = 20
"""Seconds; a person waits for the answer, and STS and IAM move no bytes."""

MAX_ATTEMPTS = 3
"""Tries of one request; throttling and 5xx are retried with backoff (botocore: standard mode)."""

USER_PATH = "/softfactory/"
"""IAM: users of one path can be named together in the permissions of the service."""

POLICY_NAME = "softfactory-files"

_KEY_ID = re.compile(r"[A-Za-z0-9_]{16,128}")
"""IAM: the shape of an access key id; anything else is no key, and not worth a request."""


class AwsIssuer:
    """STS and IAM of one AWS account, or of a server that speaks their protocol."""

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

    def issue_session(self, account: str, roots: Roots, lifetime: timedelta) -> SessionCredentials:
        """Assume the role within the user's policy; without a role, federate the user."""
        arguments: dict[str, Any] = {
            "Policy": policy_json(self._policy(roots)),
            "DurationSeconds": int(lifetime.total_seconds()),
        }
        with aws_errors(missing=NotConfigured(REFUSED)):
            sts = self._client("sts")
            if self._role_arn is None:
                answer = sts.get_federation_token(Name=account, **arguments)
            else:
                with duration_errors(lifetime):
                    answer = sts.assume_role(
                        RoleArn=self._role_arn, RoleSessionName=account, **arguments
                    )
        issued = answer["Credentials"]
        return SessionCredentials(
            access_key_id=issued["AccessKeyId"],
            secret_access_key=issued["SecretAccessKey"],
            session_token=issued["SessionToken"],
            expiration=issued["Expiration"].astimezone(UTC),
        )

    def create_key(self, account: str, roots: Roots) -> AccessKey:
        """Make a key of the account's IAM user, who is made with the first."""
        with aws_errors():
            self._ensure_user(account, self._policy(roots))
            try:
                answer = self._client("iam").create_access_key(UserName=_user_name(account))
            except ClientError as error:
                if error_code(error) == "LimitExceeded":
                    raise InvalidInput(TWO_KEYS) from error
                raise
        return _access_key(answer["AccessKey"])

    def list_keys(self, account: str) -> list[AccessKey]:
        """Return the keys of the account's IAM user; none where there is no such user yet."""
        with aws_errors():
            try:
                answer = self._client("iam").list_access_keys(UserName=_user_name(account))
            except ClientError as error:
                if error_code(error) == "NoSuchEntity":
                    return []
                raise
        keys = [_access_key(item) for item in answer["AccessKeyMetadata"]]
        return sorted(keys, key=lambda key: key.create_date, reverse=True)

    def set_key_status(self, account: str, access_key_id: str, status: KeyStatus) -> None:
        """Switch a key of the account's IAM user, and of no other."""
        with aws_errors(missing=no_such_key()):
            self._client("iam").update_access_key(
                UserName=_user_name(account),
                AccessKeyId=_key_id(access_key_id),
                Status=status.value,
            )

    def delete_key(self, account: str, access_key_id: str) -> None:
        """Delete a key of the account's IAM user, and of no other."""
        with aws_errors(missing=no_such_key()):
            self._client("iam").delete_access_key(
                UserName=_user_name(account), AccessKeyId=_key_id(access_key_id)
            )

    def _ensure_user(self, account: str, policy: dict[str, Any]) -> None:
        """Make the IAM user where there is none, and its policy where it is not this one.

        Several may do so at once: each writes the same.
        """
        iam, name = self._client("iam"), _user_name(account)
        try:
            found = iam.get_user_policy(UserName=name, PolicyName=POLICY_NAME)
            if found["PolicyDocument"] == policy:
                return
        except ClientError as error:
            if error_code(error) != "NoSuchEntity":
                raise
            try:
                iam.create_user(UserName=name, Path=USER_PATH)
            except ClientError as again:
                if error_code(again) != "EntityAlreadyExists":
                    raise
        iam.put_user_policy(
            UserName=name, PolicyName=POLICY_NAME, PolicyDocument=policy_json(policy)
        )

    def _policy(self, roots: Roots) -> dict[str, Any]:
        try:
            partition = boto3.Session().get_partition_for_region(self._region)
        except UnknownRegionError:
            partition = "aws"  # the region of another server
        return scoped_policy(self._bucket, roots, partition=partition)

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


def is_amazon(url: str) -> bool:
    """Whether the endpoint is one of Amazon's own, such as a VPC's."""
    host = urlsplit(url).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))


def _client_config() -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
        # The configuration of this service alone says where AWS is.
        ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # newer than the stubs
    )


def _user_name(account: str) -> str:
    return f"softfactory-{account}"


def _key_id(access_key_id: str) -> str:
    if not _KEY_ID.fullmatch(access_key_id):
        raise no_such_key()
    return access_key_id


def _access_key(item: dict[str, Any]) -> AccessKey:
    return AccessKey(
        access_key_id=item["AccessKeyId"],
        create_date=item["CreateDate"].astimezone(UTC),
        status=item["Status"],
        secret_access_key=item.get("SecretAccessKey"),
    )
