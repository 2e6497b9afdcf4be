"""Make the configured bucket on an S3 server of one's own: versions kept, browsers let in, no ACLs.

For compose.yaml and development; safe to repeat. On AWS, whoever owns the account makes the bucket.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config as ClientConfig
from botocore.exceptions import ClientError

# Run by its path, Python looks beside this file alone.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from config import Config, ConfigError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EXPOSED = [
    # What uploads in parts need.
    "ETag",
    # What readers of ranges need, such as pdf.js.
    "Accept-Ranges",
    "Content-Encoding",
    "Content-Length",
    "Content-Range",
    # What else S3 says.
    "Content-Disposition",
    "Last-Modified",
    "x-amz-request-id",
    "x-amz-version-id",
]


_NOT_KNOWN = (400, 404, 405, 501)
"""What servers answer to a request that they do not know."""


def create_bucket(config: Config) -> None:
    """Create the bucket, where it is missing, and set versioning and CORS.

    Raises:
        botocore.exceptions.ClientError: the server refuses.
        botocore.exceptions.EndpointConnectionError: there is no server.
    """
    client = boto3.client(
        "s3",
        endpoint_url=config.aws_s3_endpoint_url or config.aws_endpoint_url,
        region_name=config.aws_s3_region,
        aws_access_key_id=config.aws_access_key_id,
        aws_secret_access_key=config.aws_secret_access_key,
        config=ClientConfig(
            s3={"addressing_style": "path"}, request_checksum_calculation="when_required"
        ),
    )
    bucket = config.aws_s3_bucket or ""
    if bucket not in {found["Name"] for found in client.list_buckets()["Buckets"]}:
        client.create_bucket(Bucket=bucket)
    if config.local_versioning:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    _ignore_public_acls(client, bucket)
    if config.cors_origins:
        client.put_bucket_cors(
            Bucket=bucket,
            CORSConfiguration={
                "CORSRules": [
                    {
                        "AllowedOrigins": list(config.cors_origins),
                        # POST and DELETE are for SDKs in browsers, by credentials of their users.
                        "AllowedMethods": ["GET", "HEAD", "PUT", "POST", "DELETE"],
                        "AllowedHeaders": ["*"],
                        "ExposeHeaders": EXPOSED,
                        "MaxAgeSeconds": 3600,
                    }
                ]
            },
        )


def _ignore_public_acls(client: "S3Client", bucket: str) -> None:
    """Let nobody open an object to everybody by its ACL, whoever may write it.

    Amazon's buckets do so from the start. Ceph's gateway does, but of the other two settings
    ``BlockPublicAcls`` has it refuse every PUT (16); SeaweedFS has no such ACLs.
    """
    try:
        client.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
                "BlockPublicAcls": False,
                "BlockPublicPolicy": False,
            },
        )
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] not in _NOT_KNOWN:
            raise


if __name__ == "__main__":
    try:
        create_bucket(Config.from_env())
    except ConfigError as error:
        # A sentence that names the variables, instead of a traceback.
        raise SystemExit(str(error)) from None
