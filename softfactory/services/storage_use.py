"""Bytes of storage: what a user holds and may hold, and what an upload will come to."""

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from softfactory.errors import QuotaExceeded, TooManyUploads

FIRST_BYTES = 1024 * 1024
"""What is reserved for a file of unknown size, before it is asked for more."""


class Expected(NamedTuple):
    """How many bytes of a file will come, as far as that is known before they do.

    Attributes:
        most: None where nobody says.
    """

    least: int
    most: int | None

    @classmethod
    def exactly(cls, size: int) -> Self:
        """Return the expectation of a declared size."""
        return cls(size, size)

    def within(self, limit: int) -> "Expected":
        """Return what is left to expect where no more than ``limit`` bytes are taken."""
        return Expected(
            min(self.least, limit), limit if self.most is None else min(self.most, limit)
        )

    @property
    def first(self) -> int:
        """What to reserve before the first byte."""
        return FIRST_BYTES if self.most is None else self.most


@dataclass(frozen=True, slots=True)
class StorageUse:
    """What a user holds of storage; bytes.

    Attributes:
        used: of files and, where storage counts them, of their older versions.
        reserved: promised to open uploads.
        quota: None where there is no limit.
        versions: of ``used``, those of older and deleted versions.
    """

    used: int
    reserved: int
    open_uploads: int
    quota: int | None
    versions: int = 0

    def with_upload(self, size: int, *, max_open_uploads: int) -> "StorageUse":
        """Return the use with one more upload of ``size`` bytes.

        Raises:
            QuotaExceeded, TooManyUploads: there is no room for it.
        """
        if self.open_uploads >= max_open_uploads:
            raise TooManyUploads(
                f"{self.open_uploads} of your uploads are open, and {max_open_uploads} may be at "
                "once. Complete or abort some, then try again."
            )
        self.require(size)
        return replace(self, reserved=self.reserved + size, open_uploads=self.open_uploads + 1)

    def require(self, size: int, *, already: int = 0) -> None:
        """Return if ``size`` more bytes fit; what is no growth always does.

        Args:
            already: bytes of the same upload that are reserved; the sentence tells the whole.

        Raises:
            QuotaExceeded: they do not.
        """
        held = self.used + self.reserved
        if self.quota is not None and size > 0 and held + size > self.quota:
            raise QuotaExceeded.of(
                used=held - already,
                quota=self.quota,
                asked=size + already,
                versions=self.versions,
            )
