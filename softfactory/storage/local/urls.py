"""The verbs that name objects by URL; nothing is looked up for any of them."""

from collections.abc import Iterable
from datetime import timedelta

from softfactory.storage.keys import Key
from softfactory.storage.local.base import LocalBase


class Urls(LocalBase):
    """URLs of this service's own; promises as in ``Storage``."""

    def object_url(self, key: str) -> str:
        """Return the unsigned URL that names the object; it gives no bytes."""
        return self._signer.object_url(key)

    def presign_get(
        self,
        key: Key,
        *,
        expires_in: timedelta,
        version_id: str | None = None,
        content_type: str | None = None,
        content_disposition: str | None = None,
    ) -> str:
        """Return a URL that gives the object's bytes to whoever has it, until it expires."""
        return self._signer.sign(
            "GET",
            key,
            expires_in,
            version_id=version_id,
            content_type=content_type,
            content_disposition=content_disposition,
        )

    def presign_put(self, key: Key, *, expires_in: timedelta) -> str:
        """Return a URL that takes the object's bytes by a plain PUT, until it expires."""
        return self._signer.sign("PUT", key, expires_in)

    def presign_parts(
        self, key: Key, upload_id: str, part_numbers: Iterable[int], *, expires_in: timedelta
    ) -> list[str]:
        """Return, for each number, a URL that takes that part's bytes by a plain PUT."""
        return [
            self._signer.sign("PUT", key, expires_in, upload_id=upload_id, part_number=number)
            for number in part_numbers
        ]
