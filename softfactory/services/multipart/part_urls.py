"""Where the parts of a declared upload are sent: to this service, or straight to storage."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from softfactory.clock import Clock
from softfactory.errors import InvalidSignature, SignatureExpired
from softfactory.models import MultipartUpload
from softfactory.storage.base import SignedUrl, Storage, size_of_part
from softfactory.storage.keys import Key
from softfactory.storage.signing import TokenSigner

_SALT = b"softfactory.uploads.parts"

_CLAIMS = 5
"""What a token says: upload, file, expiry, number of bytes and number of the part."""


class PartUrls(Protocol):
    """Makes the URLs that take the parts of an upload by a plain PUT."""

    def sign(
        self, upload: MultipartUpload, part_numbers: Iterable[int], expires_in: timedelta
    ) -> list[SignedUrl]:
        """Return a URL for each number, in the order asked, that takes that part's bytes alone."""
        ...


@dataclass(frozen=True, slots=True)
class StoragePartUrls:
    """URLs that lead to the storage itself; no byte passes through this service."""

    storage: Storage

    def sign(
        self, upload: MultipartUpload, part_numbers: Iterable[int], expires_in: timedelta
    ) -> list[SignedUrl]:
        """Return the storage's own presigned URLs."""
        return self.storage.presign_parts(
            Key(upload.file.file_key),
            upload.upload_id,
            part_numbers,
            expires_in=expires_in,
            part_size=upload.part_size,
            size=upload.file.file_size,
        )


class OwnPartUrls:
    """URLs of this service's part route, each with a token for that upload and that part only."""

    def __init__(self, secret: str, base_url: str, clock: Clock) -> None:
        """Sign with ``secret`` for the service that clients reach at ``base_url``."""
        self._base = f"{base_url.rstrip('/')}/v1/files/presigned-uploads/"
        self._clock = clock
        self._signer = TokenSigner(secret, _SALT)

    def sign(
        self, upload: MultipartUpload, part_numbers: Iterable[int], expires_in: timedelta
    ) -> list[SignedUrl]:
        """Return a URL with a token for each part."""
        now = self._clock()
        expires = int(now.timestamp() + expires_in.total_seconds())
        ends = now.replace(microsecond=0), datetime.fromtimestamp(expires, UTC)
        base = f"{self._base}{upload.file_id}/upload-part/"
        claims = f"{upload.upload_id}.{upload.file_id}.{expires}."
        sign, part_size, size = self._signer.sign, upload.part_size, upload.file.file_size
        return [
            SignedUrl(
                f"{base}{n}/?token="
                f"{sign(f'{claims}{size_of_part(n, part_size=part_size, size=size)}.{n}')}",
                *ends,
            )
            for n in part_numbers
        ]

    def verify(self, token: str, *, file_id: int, part_number: int) -> tuple[str, int]:
        """Return the upload that ``token`` was signed for, and the part's number of bytes.

        Raises:
            SignatureExpired: it was, until its time ran out.
            InvalidSignature: it is forged, damaged, for another part or upload, or of a release
                whose tokens said less.
        """
        claims = self._signer.payload_of(token).split(".")
        if len(claims) != _CLAIMS:
            raise InvalidSignature
        upload_id, signed_file_id, expires, size, number = claims
        if (int(signed_file_id), int(number)) != (file_id, part_number):
            raise InvalidSignature("This token is for another part. Use each URL as it was given.")
        if self._clock().timestamp() >= int(expires):
            raise SignatureExpired(
                "This part's URL has expired. Get a new one: GET /v1/files/uploads/<id>/."
            )
        return upload_id, int(size)
