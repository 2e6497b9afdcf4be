"""URLs that carry their own permission: this service's signed object and part URLs."""

import hmac
import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from hashlib import sha256
from typing import Any

from itsdangerous import Signer

from softfactory.clock import Clock, utc_now
from softfactory.errors import InvalidInput, InvalidSignature, SignatureExpired
from softfactory.storage.base import SignedUrl, size_of_part
from softfactory.storage.url_path import url_path

MAX_EXPIRY = timedelta(days=7)
"""S3: a SigV4 presigned URL lives at most seven days."""

BaseUrl = str | Callable[[], str]
"""What this service's URLs begin with, or who says it for each URL."""

_SALT = b"softfactory.storage.media"
_encode = json.JSONEncoder(separators=(",", ":")).encode
_quoted = lru_cache(maxsize=1024)(url_path)

_LONG = 1024
"""Bytes of a payload from which on it is compressed: a name percent-encoded becomes half as long."""


@lru_cache(maxsize=1024)
def _digest(key: str) -> str:
    """Return what stands for the key in a token; the key itself stands in the URL already."""
    return _base64(sha256(key.encode()).digest())


class TokenSigner:
    """Signs tokens for one purpose, and takes back exactly those, letter for letter."""

    def __init__(self, secret: str, salt: bytes) -> None:
        """Sign with ``secret`` for the purpose that ``salt`` names."""
        # Deriving the key takes longer than a signature, so it is done here, once.
        signer = Signer(secret, salt, key_derivation="hmac", digest_method=sha256)
        self._key = signer.derive_key()

    def sign(self, payload: str) -> str:
        """Return ``payload`` with its signature, as itsdangerous does, in a tenth of its time.

        An upload has up to 10,000 part URLs.
        """
        signature = hmac.digest(self._key, payload.encode(errors="replace"), "sha256")
        return f"{payload}.{_base64(signature)}"

    def payload_of(self, token: str) -> str:
        """Return what ``token`` was signed for.

        Raises:
            InvalidSignature: it is forged or damaged.
        """
        payload = token.rpartition(".")[0]
        signed = self.sign(payload).encode(errors="replace")
        # Compared as text: of the last base64 letter two bits say nothing, and a token that is
        # changed there must be no second token.
        if not hmac.compare_digest(signed, token.encode(errors="replace")):
            raise InvalidSignature
        return payload


class UrlSigner:
    """Signs URLs below ``<base_url>/media/`` and checks what comes back.

    A token says everything it allows: method, key, expiry and the claims it was signed with. A
    URL's query holds nothing else, so there is nothing in it that could be changed. The longest
    key and name make a URL of 6 KB.
    """

    def __init__(self, secret: str, base_url: BaseUrl, clock: Clock = utc_now) -> None:
        """Sign with ``secret`` for the service that clients reach at ``base_url``."""
        self._base_url = base_url if callable(base_url) else partial(str, base_url.rstrip("/"))
        self._clock = clock
        self._signer = TokenSigner(secret, _SALT)

    def object_url(self, key: str) -> str:
        """Return the unsigned URL that names the object; it gives no bytes."""
        return f"{self._base_url()}/media/{_quoted(key)}"

    def sign(
        self, method: str, key: str, expires_in: timedelta, **claims: str | int | None
    ) -> SignedUrl:
        """Return a URL that is good for ``method`` on ``key`` until it expires.

        Args:
            method: ``GET`` (which covers HEAD) or ``PUT``.
            expires_in: 1 second to 7 days; counted in whole seconds.
            claims: what else the token is bound to; those that are None are left out.

        Raises:
            InvalidInput: ``expires_in`` is out of range.
        """
        said = {name: value for name, value in claims.items() if value is not None}
        return self._sign_all(method, key, expires_in, [said])[0]

    def sign_put(self, key: str, expires_in: timedelta, *, size: int) -> SignedUrl:
        """Return a URL that takes the object's ``size`` bytes."""
        return self.sign("PUT", key, expires_in, size=size)

    def sign_parts(
        self,
        key: str,
        upload_id: str,
        part_numbers: Iterable[int],
        expires_in: timedelta,
        *,
        part_size: int | None,
        size: int | None,
    ) -> list[SignedUrl]:
        """Return a URL for each part, in the order asked; as ``Storage.presign_parts``."""
        claims = []
        for number in part_numbers:
            said: dict[str, str | int] = {"upload_id": upload_id, "part_number": number}
            if (exactly := size_of_part(number, part_size=part_size, size=size)) is not None:
                said["size"] = exactly
            claims.append(said)
        return self._sign_all("PUT", key, expires_in, claims)

    def verify(self, token: str, *, method: str, key: str) -> dict[str, Any]:
        """Return the claims that ``token`` was signed with, if it allows ``method`` on ``key``.

        Raises:
            SignatureExpired: it did, until its time ran out.
            InvalidSignature: it is forged, damaged, or was signed for something else.
        """
        payload = self._signer.payload_of(token)
        padded = payload + "=" * (-len(payload) % 4)
        data = urlsafe_b64decode(padded)
        if not data.startswith(b"["):
            data = zlib.decompress(data)
        signed_method, signed_key, expires, claims = json.loads(data)
        wanted = "GET" if method == "HEAD" else method
        if (signed_method, signed_key) != (wanted, _digest(key)):
            raise InvalidSignature
        if self._clock().timestamp() >= expires:
            raise SignatureExpired
        return dict(claims)

    def _sign_all(
        self,
        method: str,
        key: str,
        expires_in: timedelta,
        claims: Iterable[Mapping[str, str | int]],
    ) -> list[SignedUrl]:
        """Return a URL of one object for each of ``claims``; what they share is made once."""
        if not timedelta(seconds=1) <= expires_in <= MAX_EXPIRY:
            raise InvalidInput.of("expires_in", "A URL can live from 1 second to 7 days.")
        now = self._clock().timestamp()
        expires = int(now + expires_in.total_seconds())
        signed_at = datetime.fromtimestamp(int(now), UTC)
        expires_at = datetime.fromtimestamp(expires, UTC)
        digest, begin = _digest(key), f"{self.object_url(key)}?token="
        return [
            SignedUrl(begin + self._token([method, digest, expires, said]), signed_at, expires_at)
            for said in claims
        ]

    def _token(self, said: list[Any]) -> str:
        payload = _encode(said).encode()
        if len(payload) > _LONG:
            payload = zlib.compress(payload)
        return self._signer.sign(_base64(payload))


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
