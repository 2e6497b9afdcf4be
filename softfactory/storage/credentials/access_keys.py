"""Lasting keys, by one IAM user an account."""

import re
from datetime import UTC
from typing import Any

from botocore.exceptions import ClientError

from softfactory.errors import InvalidInput
from softfactory.storage.credentials.base import AccessKey, KeyStatus
from softfactory.storage.credentials.clients import Aws
from softfactory.storage.credentials.errors import TWO_KEYS, aws_errors, error_code, no_such_key
from softfactory.storage.credentials.policy import policy_json, scoped_policy
from softfactory.storage.keys import Roots

USER_PATH = "/softfactory/"
"""IAM: users of one path can be named together in the permissions of the service."""

POLICY_NAME = "softfactory-files"

_KEY_ID = re.compile(r"[A-Za-z0-9_]{16,128}")
"""IAM: the shape of an access key id; anything else is no key, and not worth a request."""


class AccessKeys(Aws):
    """The verbs of lasting keys."""

    def create_key(self, account: str, roots: Roots) -> AccessKey:
        """Make a key of the account's IAM user, who is made with the first."""
        with aws_errors():
            policy = scoped_policy(self._bucket, roots, partition=self._partition)
            self._ensure_user(account, policy)
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
