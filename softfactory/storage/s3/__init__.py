"""Bytes in one bucket of Amazon S3, or of any server that speaks its protocol.

``S3Storage`` keeps every promise of ``softfactory.storage.base``. A job a module: ``bucket`` (the
client), ``errors``, ``reading``, ``writing``, ``copying``, ``deleting``, ``listing``,
``multipart``, ``archive``, ``signing``, ``sweeping``, ``checking`` and ``upload_checking``.

The credentials need these IAM actions, on the bucket (``arn:aws:s3:::NAME``):

* ``s3:ListBucket``, ``s3:ListBucketVersions``, ``s3:ListBucketMultipartUploads``

and on its objects (``arn:aws:s3:::NAME/*``):

* ``s3:GetObject``, ``s3:GetObjectVersion``, ``s3:PutObject``
* ``s3:DeleteObject``, ``s3:DeleteObjectVersion``
* ``s3:AbortMultipartUpload``, ``s3:ListMultipartUploadParts``
* ``s3:RestoreObject``, for the glacier tier
* ``s3:GetObjectTagging``, ``s3:PutObjectTagging``, only where someone tags objects: a copy takes
  the tags along

and ``sts:AssumeRole`` on the role whose sessions sign upload URLs, where one is configured.
"""

from softfactory.storage.s3.storage import S3Storage

__all__ = ["S3Storage"]
