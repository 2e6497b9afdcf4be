"""URLs: the one that names an object, and those that carry their own permission.

Signing needs no network, and 10,000 parts are signed in one answer. So this is AWS's signature
version 4 itself (Amazon S3 API: Authenticating requests, using query parameters) with what is the
same for every URL worked out once: the date, the signing key and most of the query string. A test
holds every kind of URL against botocore's own signer.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

from softfactory.errors import InvalidInput, StorageError
from softfactory.storage.base import SignedUrl, size_of_part
from softfactory.storage.keys import Key, StoredKey, root_of
from softfactory.storage.s3.bucket import Bucket, SigningCredentials
from softfactory.storage.url_path import url_path

MAX_EXPIRY = timedelta(days=7)
"""S3: SigV4 presigned URLs live no longer."""

_NEVER = datetime.max.replace(tzinfo=UTC)

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Signer(Bucket):
    """The verbs that make URLs.

    None of them reaches for the network, but for a session that signs URLs to a root it has not
    signed for before, or not for half an hour.
    """

    def object_url(self, key: str) -> str:
        """Return the unsigned URL that names the object."""
        return self._public_base + url_path(key)

    def presign_get(
        self,
        key: StoredKey,
        *,
        expires_in: timedelta,
        version_id: str | None = None,
        content_type: str | None = None,
        content_disposition: str | None = None,
    ) -> SignedUrl:
        """Return a URL that gives the object's bytes."""
        asked = {
            "versionId": version_id,
            "response-content-type": content_type,
            "response-content-disposition": content_disposition,
        }
        query = {name: value for name, value in asked.items() if value is not None}
        return self._signed("GET", key, [(query, None)], expires_in, self.credentials)[0]

    def presign_put(self, key: Key, *, size: int, expires_in: timedelta) -> SignedUrl:
        """Return a URL that takes the bytes; host and number of bytes are signed."""
        if self._upload_signer is not None:
            return self._upload_signer.sign_put(key, expires_in, size=size)
        return self._signed(
            "PUT", key, [({}, size)], expires_in, self._signs_uploads(key, expires_in)
        )[0]

    def presign_parts(
        self,
        key: Key,
        upload_id: str,
        part_numbers: Iterable[int],
        *,
        expires_in: timedelta,
        part_size: int | None = None,
        size: int | None = None,
    ) -> list[SignedUrl]:
        """Return a URL for each part, in the order asked."""
        if self._upload_signer is not None:
            return self._upload_signer.sign_parts(
                key, upload_id, part_numbers, expires_in, part_size=part_size, size=size
            )
        requests = (
            (
                {"partNumber": str(number), "uploadId": upload_id},
                size_of_part(number, part_size=part_size, size=size),
            )
            for number in part_numbers
        )
        return self._signed("PUT", key, requests, expires_in, self._signs_uploads(key, expires_in))

    @property
    def _public_base(self) -> str:
        """The URL of the bucket, up to and including the slash before the key."""
        if self._public_endpoint_url is not None:
            return f"{self._public_endpoint_url.rstrip('/')}/{self.bucket}/"
        host = f"s3.{self.region}.amazonaws.com" + (".cn" if self.region.startswith("cn-") else "")
        # A dot in a bucket's name fits no wildcard certificate.
        if "." in self.bucket:
            return f"https://{host}/{self.bucket}/"
        return f"https://{self.bucket}.{host}/"

    def _signs_uploads(self, key: Key, expires_in: timedelta) -> SigningCredentials:
        """Return what signs a URL that writes to ``key``, and lives long enough where that can be.

        Servers other than Amazon's obey headers that nobody signed; those who sign these URLs may
        nothing but put objects below the key's own root.
        """
        if self._upload_sessions is None:
            return self.credentials
        session = self._upload_sessions.of(root_of(key), expires_in)
        return SigningCredentials(
            session.access_key_id,
            session.secret_access_key,
            session.session_token,
            session.expiration,
        )

    def _signed(
        self,
        method: str,
        key: str,
        requests: Iterable[tuple[Mapping[str, str], int | None]],
        expires_in: timedelta,
        credentials: SigningCredentials,
    ) -> list[SignedUrl]:
        """Return a URL for each request: its query, and its number of bytes where that is signed.

        Raises:
            StorageError: the credentials end within the second.
        """
        if not timedelta(seconds=1) <= expires_in <= MAX_EXPIRY:
            raise InvalidInput.of("expires_in", "A signed URL lives 1 second to 7 days.")
        url = urlsplit(self.object_url(key))
        # The server signs the path that it decodes, so where this one says %2F it reads a slash.
        path = urlsplit(self._public_base).path + _encoded(key, safe="/")
        host = url.netloc.removesuffix(_DEFAULT_PORTS.get(url.scheme, ""))
        now = self._clock().astimezone(UTC)
        signed_at = now.replace(microsecond=0)
        expires_at = min(now + expires_in, credentials.expires_at or _NEVER).replace(microsecond=0)
        lifetime = int((expires_at - signed_at).total_seconds())
        if lifetime < 1:
            raise StorageError
        scope = f"{now:%Y%m%d}/{self.region}/s3/aws4_request"
        moment = f"{now:%Y%m%dT%H%M%SZ}"
        # The first is of requests whose number of bytes is open, the second of all others.
        open_, exact = (
            _query_string(_authorization(credentials, scope, moment, lifetime, headers))
            for headers in ("host", "content-length;host")
        )
        signing_key = _signing_key(credentials, now, self.region)
        base = f"{url.scheme}://{url.netloc}{url.path}?"
        signed = []
        for query, size in requests:
            # "X-Amz-..." sorts before every parameter of an operation, all in lower case.
            fixed = open_ if size is None else exact
            string = f"{fixed}&{_query_string(query)}" if query else fixed
            headers = (
                f"host:{host}\n\nhost"
                if size is None
                else f"content-length:{size}\nhost:{host}\n\ncontent-length;host"
            )
            canonical = f"{method}\n{path}\n{string}\n{headers}\nUNSIGNED-PAYLOAD"
            digest = hashlib.sha256(canonical.encode()).hexdigest()
            to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
            signature = hmac.digest(signing_key, to_sign.encode(), "sha256").hex()
            whole = f"{base}{string}&X-Amz-Signature={signature}"
            signed.append(SignedUrl(whole, signed_at, expires_at))
        return signed


def _authorization(
    credentials: SigningCredentials, scope: str, moment: str, lifetime: int, headers: str
) -> dict[str, str]:
    said = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{credentials.access_key_id}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(lifetime),
        "X-Amz-SignedHeaders": headers,
    }
    if credentials.session_token:
        said["X-Amz-Security-Token"] = credentials.session_token
    return said


def _signing_key(credentials: SigningCredentials, now: datetime, region: str) -> bytes:
    key = f"AWS4{credentials.secret_access_key}".encode()
    for part in (f"{now:%Y%m%d}", region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _query_string(query: Mapping[str, str]) -> str:
    return "&".join(f"{_encoded(name)}={_encoded(query[name])}" for name in sorted(query))


def _encoded(text: str, *, safe: str = "") -> str:
    """Percent-encode all but the unreserved characters (SigV4: UriEncode)."""
    return quote(text, safe=safe)
