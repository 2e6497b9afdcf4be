"""Temporary credentials, by STS."""

from datetime import UTC, timedelta
from typing import Any

from softfactory.errors import NotConfigured
from softfactory.storage.credentials.base import SessionCredentials
from softfactory.storage.credentials.clients import Aws
from softfactory.storage.credentials.errors import REFUSED, aws_errors
from softfactory.storage.credentials.policy import policy_json, session_policy, upload_policy
from softfactory.storage.keys import Roots


class Sessions(Aws):
    """The verbs of temporary credentials."""

    @property
    def has_role(self) -> bool:
        """Whether there is a role to be assumed."""
        return self._role_arn is not None

    def issue_session(self, account: str, roots: Roots, lifetime: timedelta) -> SessionCredentials:
        """Assume the role within the user's policy; without a role, federate the user."""
        policy = session_policy(self._bucket, roots, partition=self._partition)
        return self._issue(account, policy, lifetime)

    def issue_upload_session(self, root: str, lifetime: timedelta) -> SessionCredentials:
        """Assume the role within what may put objects below ``root``, and do nothing else."""
        policy = upload_policy(self._bucket, root, partition=self._partition)
        return self._issue(root.replace("/", "."), policy, lifetime)

    def _issue(self, name: str, policy: dict[str, Any], lifetime: timedelta) -> SessionCredentials:
        arguments: dict[str, Any] = {
            "Policy": policy_json(policy),
            "DurationSeconds": int(lifetime.total_seconds()),
        }
        with aws_errors(missing=NotConfigured(REFUSED)):
            sts = self._client("sts")
            if self._role_arn is None:
                answer = sts.get_federation_token(Name=name, **arguments)
            else:
                answer = sts.assume_role(RoleArn=self._role_arn, RoleSessionName=name, **arguments)
        issued = answer["Credentials"]
        return SessionCredentials(
            access_key_id=issued["AccessKeyId"],
            secret_access_key=issued["SecretAccessKey"],
            session_token=issued["SessionToken"],
            expiration=issued["Expiration"].astimezone(UTC),
        )
