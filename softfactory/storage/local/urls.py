"""The verbs that name objects by URL; nothing is looked up for any of them."""

from collections.abc import Iterable
from datetime import timedelta

from softfactory.storage.base import SignedUrl
from softfactory.storage.keys import Key, StoredKey
from softfactory.storage.local.base import LocalBase


class Urls(LocalBase):
    """URLs of this service's own; promises as in ``Storage``."""

    def object_url(self, key: str) -> str:
        """Return the unsigned URL that names the object; it gives no bytes."""
        return self._signer.object_url(key)

    def presign_get(
        self,
        key: StoredKey,
        *,
        expires_in: timedelta,
        version_id: str | None = None,
        content_type: str | None = None,
        content_disposition: str | None = None,
    ) -> SignedUrl:
        """Return a URL that gives the object's bytes to whoever has it, until it expires."""
        return self._signer.sign(
            "GET",
            key,
            expires_in,
            version_id=version_id,
            content_type=content_type,
            content_disposition=content_disposition,
        )

    def presign_put(self, key: Key, *, size: int, expires_in: timedelta) -> SignedUrl:
        """Return a URL that takes the object's bytes by a plain PUT, until it expires."""
        return self._signer.sign_put(key, expires_in, size=size)

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
        """Return, for each number, a URL that takes that part's bytes by a plain PUT."""
        return self._signer.sign_parts(
            key, upload_id, part_numbers, expires_in, part_size=part_size, size=size
        )
