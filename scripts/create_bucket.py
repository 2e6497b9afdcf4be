"""Make the configured bucket on an S3 server of one's own: versions kept, browsers let in.

For compose.yaml and development; safe to repeat. On AWS, whoever owns the account makes the bucket.
"""

import boto3
from botocore.config import Config as ClientConfig

from config import Config


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
    if config.cors_origins:
        client.put_bucket_cors(
            Bucket=bucket,
            CORSConfiguration={
                "CORSRules": [
                    {
                        "AllowedOrigins": list(config.cors_origins),
                        "AllowedMethods": ["GET", "HEAD", "PUT"],
                        "AllowedHeaders": ["*"],
                        # A browser that uploads parts must read each part's ETag.
                        "ExposeHeaders": ["ETag"],
                    }
                ]
            },
        )


if __name__ == "__main__":
    create_bucket(Config.from_env())
