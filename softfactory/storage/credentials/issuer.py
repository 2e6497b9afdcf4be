"""Issues AWS credentials: temporary ones by STS, lasting keys by one IAM user an account.

The service's own credentials need ``sts:AssumeRole`` on the configured role (without a role:
``sts:GetFederationToken``), and on ``arn:aws:iam::*:user/softfactory/*``: ``iam:CreateUser``,
``iam:GetUserPolicy``, ``iam:PutUserPolicy``, ``iam:CreateAccessKey``, ``iam:ListAccessKeys``,
``iam:UpdateAccessKey`` and ``iam:DeleteAccessKey``. A federated session can do no more than they
can themselves, a role's no more than the role: either needs what the policy in ``credentials`` has,
and the role ``s3:PutObject`` on the bucket's objects for the sessions that sign upload URLs.
"""

from urllib.parse import urlsplit

from softfactory.errors import NotConfigured, StorageError
from softfactory.storage.credentials.access_keys import AccessKeys
from softfactory.storage.credentials.base import MIN_SESSION
from softfactory.storage.credentials.errors import UNSUPPORTED
from softfactory.storage.credentials.sessions import Sessions
from softfactory.storage.keys import Roots

NOBODY = "softfactorycheck"
"""An account that no user has: theirs are 32 hexadecimal digits."""

_ROOTS = Roots.of(uuid=NOBODY, user_id=0, username=f".{NOBODY}")  # no username begins with a dot


class AwsIssuer(Sessions, AccessKeys):
    """STS and IAM of one AWS account, or of a server that speaks their protocol."""

    def check(self) -> list[str]:
        """Issue a session to nobody, and list nobody's keys, which makes nothing in IAM."""
        attempts = (
            ("Temporary credentials", lambda: self.issue_session(NOBODY, _ROOTS, MIN_SESSION)),
            ("Access keys", lambda: self.list_keys(NOBODY)),
        )
        problems = []
        for what, attempt in attempts:
            try:
                attempt()
            except (NotConfigured, StorageError) as error:
                if error.message != UNSUPPORTED:
                    problems.append(f"{what}: {error.message}")
        return problems


def is_amazon(url: str) -> bool:
    """Whether the endpoint is one of Amazon's own, such as a VPC's."""
    host = urlsplit(url).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))
