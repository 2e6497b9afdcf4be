"""Temporary credentials, by STS."""

from datetime import UTC, timedelta
from typing import Any

from softfactory.errors import NotConfigured
from softfactory.storage.credentials.base import SessionCredentials
from softfactory.storage.credentials.clients import Aws
from softfactory.storage.credentials.errors import REFUSED, aws_errors, duration_errors
from softfactory.storage.credentials.policy import policy_json
from softfactory.storage.keys import Roots


class Sessions(Aws):
    """The verb of temporary credentials."""

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
