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
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from softfactory.errors import InvalidInput
from softfactory.storage.keys import Key
from softfactory.storage.s3.bucket import Bucket

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

MAX_EXPIRY = timedelta(days=7)
"""S3: SigV4 presigned URLs live no longer."""

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Signer(Bucket):
    """The verbs that make URLs; none of them reaches for the network."""

    def object_url(self, key: str) -> str:
        """Return the unsigned URL that names the object."""
        return self._public_base + _encoded(key, safe="/")

    def presign_get(
        self,
        key: Key,
        *,
        expires_in: timedelta,
        version_id: str | None = None,
        content_type: str | None = None,
        content_disposition: str | None = None,
    ) -> str:
        """Return a URL that gives the object's bytes."""
        asked = {
            "versionId": version_id,
            "response-content-type": content_type,
            "response-content-disposition": content_disposition,
        }
        query = {name: value for name, value in asked.items() if value is not None}
        return self._signed("GET", key, [query], expires_in)[0]

    def presign_put(self, key: Key, *, expires_in: timedelta) -> str:
        """Return a URL that takes the bytes; no header but the host is signed."""
        return self._signed("PUT", key, [{}], expires_in)[0]

    def presign_parts(
        self, key: Key, upload_id: str, part_numbers: Iterable[int], *, expires_in: timedelta
    ) -> list[str]:
        """Return a URL for each part, in the order asked."""
        queries = ({"partNumber": str(n), "uploadId": upload_id} for n in part_numbers)
        return self._signed("PUT", key, queries, expires_in)

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

    def _signed(
        self, method: str, key: str, queries: Iterable[Mapping[str, str]], expires_in: timedelta
    ) -> list[str]:
        if not timedelta(seconds=1) <= expires_in <= MAX_EXPIRY:
            raise InvalidInput.of("expires_in", "A signed URL lives 1 second to 7 days.")
        url = urlsplit(self.object_url(key))
        host = url.netloc.removesuffix(_DEFAULT_PORTS.get(url.scheme, ""))
        now = self._clock().astimezone(UTC)
        credentials = self.credentials
        scope = f"{now:%Y%m%d}/{self.region}/s3/aws4_request"
        moment = f"{now:%Y%m%dT%H%M%SZ}"
        authorization = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{credentials.access_key}/{scope}",
            "X-Amz-Date": moment,
            "X-Amz-Expires": str(int(expires_in.total_seconds())),
            "X-Amz-SignedHeaders": "host",
        }
        if credentials.token:
            authorization["X-Amz-Security-Token"] = credentials.token
        # "X-Amz-..." sorts before every parameter of an operation, all in lower case.
        fixed = _query_string(authorization)
        signing_key = _signing_key(credentials, now, self.region)
        base = f"{url.scheme}://{url.netloc}{url.path}?"
        signed = []
        for query in queries:
            string = f"{fixed}&{_query_string(query)}" if query else fixed
            canonical = f"{method}\n{url.path}\n{string}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
            digest = hashlib.sha256(canonical.encode()).hexdigest()
            to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
            signature = hmac.digest(signing_key, to_sign.encode(), "sha256").hex()
            signed.append(f"{base}{string}&X-Amz-Signature={signature}")
        return signed


def _signing_key(credentials: "ReadOnlyCredentials", now: datetime, region: str) -> bytes:
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (f"{now:%Y%m%d}", region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _query_string(query: Mapping[str, str]) -> str:
    return "&".join(f"{_encoded(name)}={_encoded(query[name])}" for name in sorted(query))


def _encoded(text: str, *, safe: str = "") -> str:
    """Percent-encode all but the unreserved characters (SigV4: UriEncode)."""
    return quote(text, safe=safe)
