"""What a user's credentials allow: everything below their three roots, and nothing else."""

import json
from typing import Any

from softfactory.storage.keys import Roots

_OBJECT_ACTIONS = (
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    "s3:RestoreObject",
    # The AWS CLI takes the tags along when it copies in parts.
    "s3:GetObjectTagging",
    "s3:PutObjectTagging",
)

_LIST_ACTIONS = ("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads")
"""Actions on the bucket as a whole that take a prefix."""


def scoped_policy(bucket: str, roots: Roots, *, partition: str = "aws") -> dict[str, Any]:
    """Return the IAM policy that allows the three roots of one user and nothing else.

    The roots end in a slash and hold no wildcard, since usernames are letters, digits, ``.``,
    ``_`` and ``-``: neither a longer name nor a pattern gets in.
    """
    arn = f"arn:{partition}:s3:::{bucket}"
    patterns = [f"{root}*" for root in roots]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": list(_OBJECT_ACTIONS),
                "Resource": [f"{arn}/{pattern}" for pattern in patterns],
            },
            {
                "Effect": "Allow",
                "Action": list(_LIST_ACTIONS),
                "Resource": [arn],
                "Condition": {"StringLike": {"s3:prefix": patterns}},
            },
        ],
    }


def policy_json(policy: dict[str, Any]) -> str:
    """Return the policy without a space: STS takes 2048 characters, and Ceph no spaces at all."""
    return json.dumps(policy, separators=(",", ":"))
