"""What credentials allow: a user's below their three roots, and those that sign uploads."""

import json
from typing import Any

from softfactory.storage.keys import Roots

_OBJECT_ACTIONS = (
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:PutObject",
    # No version is deleted for good: a stolen session must not destroy what it can reach.
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    "s3:RestoreObject",
    # The AWS CLI takes the tags along when it copies in parts.
    "s3:GetObjectTagging",
    "s3:PutObjectTagging",
)

_LIST_ACTIONS = ("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads")
"""Actions on the bucket as a whole that take a prefix."""

_PUBLIC_ACLS = ("public-read", "public-read-write", "authenticated-read")
"""Amazon S3: the canned ACLs that open an object to others."""

_NO_GRANT = {
    "Null": {
        f"s3:x-amz-grant-{permission}": "true"
        for permission in ("read", "write", "read-acp", "write-acp", "full-control")
    }
}
"""Amazon S3: that none of the headers is there which open an object to others by name."""


def scoped_policy(bucket: str, roots: Roots, *, partition: str = "aws") -> dict[str, Any]:
    """Return the IAM policy that allows the three roots of one user and nothing else.

    The roots end in a slash and hold no wildcard, since usernames are letters, digits, ``.``,
    ``_`` and ``-``: neither a longer name nor a pattern gets in.
    """
    arn = _arn(bucket, partition)
    patterns = [f"{root}*" for root in roots]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": list(_OBJECT_ACTIONS),
                "Resource": [f"{arn}/{pattern}" for pattern in patterns],
                "Condition": _NO_GRANT,
            },
            {
                "Effect": "Allow",
                "Action": list(_LIST_ACTIONS),
                "Resource": [arn],
                "Condition": {"StringLike": {"s3:prefix": patterns}},
            },
        ],
    }


def session_policy(bucket: str, roots: Roots, *, partition: str = "aws") -> dict[str, Any]:
    """Return ``scoped_policy`` for a session, which opens nothing to the public either.

    On AWS that takes ``s3:PutObjectAcl``, which nobody here has; other servers have to be told.
    """
    policy = scoped_policy(bucket, roots, partition=partition)
    policy["Statement"].append(_no_public_acl(_arn(bucket, partition)))
    return policy


def upload_policy(bucket: str, root: str, *, partition: str = "aws") -> dict[str, Any]:
    """Return the policy of what signs URLs that write: to put objects below one root.

    A client may add to its request what a server obeys unsigned; so it must be of no use. With
    nothing to read there is nothing to copy from.

    Args:
        root: without its last slash.
    """
    arn = _arn(bucket, partition)
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:PutObject"],
                "Resource": [f"{arn}/{root}/*"],
                "Condition": _NO_GRANT,
            },
            _no_public_acl(arn),
        ],
    }


def _arn(bucket: str, partition: str) -> str:
    return f"arn:{partition}:s3:::{bucket}"


def _no_public_acl(arn: str) -> dict[str, Any]:
    # A denial, because Ceph evaluates the names of ACLs in no condition of what is allowed.
    return {
        "Effect": "Deny",
        "Action": ["s3:PutObject"],
        "Resource": [f"{arn}/*"],
        "Condition": {"StringEquals": {"s3:x-amz-acl": list(_PUBLIC_ACLS)}},
    }


def policy_json(policy: dict[str, Any]) -> str:
    """Return the policy without a space: STS takes 2048 characters, and Ceph no spaces at all."""
    return json.dumps(policy, separators=(",", ":"))
