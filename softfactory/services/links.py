"""The URLs of a file: the plain ones that name it, and the signed one that gives its bytes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from softfactory.clock import Clock
from softfactory.models import FileUpload
from softfactory.services.listed_file import ListedFile
from softfactory.storage.base import Storage
from softfactory.storage.cloudfront import CloudFront
from softfactory.storage.disposition import content_disposition, safe_content_type
from softfactory.storage.filenames import shortened
from softfactory.storage.keys import StoredKey

MAX_URL_LENGTH = 7 * 1024
"""Bytes; CloudFront takes URLs of 8,192, and S3 8 KB of URL and headers together (S3 error codes,
RequestHeaderSectionTooLarge). What names a download is in it percent-encoded twice."""

SHORT_NAME = 255
"""Bytes of a name that makes its URL longer than that; ext4 and most others save no longer one."""


@dataclass(frozen=True, slots=True)
class SignedLink:
    """A URL that gives bytes to whoever has it, and when it stops to (aware UTC)."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Links:
    """Makes the URLs of files; asks no network for any of them."""

    storage: Storage
    cloudfront: CloudFront | None
    clock: Clock

    def s3_url(self, file: FileUpload | ListedFile) -> str:
        """Return the storage's URL of the file; it gives no bytes unsigned."""
        return self.storage.object_url(file.file_key)

    def cdn_url(self, file: FileUpload | ListedFile) -> str:
        """Return the CloudFront URL, or the storage's where there is no CloudFront."""
        if self.cloudfront is None:
            return self.s3_url(file)
        return self.cloudfront.url(file.file_key)

    def download(self, file: FileUpload, lifetime: timedelta) -> SignedLink:
        """Return a signed URL, by CloudFront where a key pair is configured.

        It lives ``lifetime``, but never longer than the file.
        """
        return self.sign(
            StoredKey(file.file_key),
            lifetime,
            filename=file.original_filename,
            content_type=file.content_type,
            ends_at=file.expires_at,
        )

    def sign(
        self,
        key: StoredKey,
        lifetime: timedelta,
        *,
        filename: str,
        content_type: str,
        ends_at: datetime | None = None,
        version_id: str | None = None,
    ) -> SignedLink:
        """Return a signed URL to an object, which need not be a file that is known.

        Args:
            ends_at: when the object's file ends; no URL outlives it.
            version_id: that of an older version; the current one by default.
        """
        now = self.clock()
        expires_at = min(now + lifetime, ends_at or datetime.max.replace(tzinfo=now.tzinfo))
        # Signatures count whole seconds, and so does the answer that tells of them.
        expires_at = expires_at.replace(microsecond=0)
        lifetime = max(expires_at - now, timedelta(seconds=1))

        def signed(name: str) -> SignedLink:
            served = {
                "content_type": safe_content_type(content_type),
                "content_disposition": content_disposition(name, content_type),
                "version_id": version_id,
            }
            if self.cloudfront is not None and self.cloudfront.can_sign:
                by_cdn = self.cloudfront.signed_url(key, expires_at=expires_at, **served)
                return SignedLink(by_cdn, expires_at)
            url = self.storage.presign_get(key, expires_in=lifetime, **served)
            return SignedLink(url, url.expires_at)

        link = signed(filename)
        if len(link.url) > MAX_URL_LENGTH:
            link = signed(shortened(filename, SHORT_NAME))
        return link
