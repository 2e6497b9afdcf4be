"""How much of storage a user may fill: looked at in the transaction that reserves it.

Whoever reserves writes the row of the upload first, and asks here afterwards. The user's row is
locked then, so that of two who reserve at once the second sees what the first has got.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text

from softfactory.errors import QuotaExceeded, TooManyUploads
from softfactory.models import User, UserQuota, UserStorage
from softfactory.services.generations import raise_generations
from softfactory.storage.base import Storage, VersionBytes
from softfactory.storage.keys import Roots

FIRST_BYTES = 1024 * 1024
"""What is reserved for a file of unknown size, before it is asked for more."""

_FOUND = (
    select(
        User.id,
        User.uuid,
        User.username,
        func.coalesce(UserStorage.used, 0).label("used"),
        func.coalesce(UserStorage.reserved, 0).label("reserved"),
        func.coalesce(UserStorage.open_uploads, 0).label("open_uploads"),
        UserQuota.user_id.is_not(None).label("has_own"),
        UserQuota.quota,
    )
    .outerjoin(UserStorage, UserStorage.user_id == User.id)
    .outerjoin(UserQuota, UserQuota.user_id == User.id)
    .where(User.id == bindparam("user_id"))
)
_COUNT_NOW = text("SET CONSTRAINTS user_storage_counts IMMEDIATE")
"""PostgreSQL counts at the commit, which is too late to look (migration 0007)."""

_QUOTAS = UserQuota.metadata.tables[UserQuota.__tablename__]


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


@dataclass(frozen=True, slots=True)
class Quotas:
    """Tells what a user holds, and refuses what goes past their quota.

    Attributes:
        default: bytes for users without a quota of their own; None where there is no limit.
        max_open_uploads: uploads of one user that may be open at once.
    """

    storage: Storage
    default: int | None
    max_open_uploads: int

    def use(self, connection: Connection, user_id: int) -> StorageUse:
        """Return what the user holds, old versions included."""
        return self._use(connection, user_id, with_versions=True)

    def is_limited(self, connection: Connection, user_id: int) -> bool:
        """Whether the user has a quota at all."""
        return self._use(connection, user_id).quota is not None

    def locked_use(self, connection: Connection, user_id: int) -> StorageUse:
        """Return what the user holds and may hold; nobody else reserves until the commit.

        Old versions count where there is a quota to compare them with.
        """
        raise_generations(connection, user_id)
        if connection.dialect.name == "postgresql":
            connection.execute(_COUNT_NOW)
        return self._use(connection, user_id)

    def require(
        self,
        connection: Connection,
        user_id: int,
        *,
        least: int,
        most: int,
        already: int = 0,
        begins_upload: bool = False,
    ) -> int:
        """Return how many of the ``most`` bytes, which this transaction reserved, may stay.

        Args:
            least: how many have to.
            already: how many the same upload had reserved before.
            begins_upload: the transaction added the row of an upload.

        Raises:
            QuotaExceeded: they do not.
            TooManyUploads: the upload is one too many.
        """
        held = self.locked_use(connection, user_id)
        before = replace(held, reserved=held.reserved - most)
        if begins_upload:
            before = replace(before, open_uploads=held.open_uploads - 1)
            before.with_upload(0, max_open_uploads=self.max_open_uploads)
        if held.quota is None:
            return most
        before.require(least, already=already)
        return max(0, min(most, held.quota - before.used - before.reserved))

    def set_own(self, connection: Connection, user_id: int, quota: int | None) -> None:
        """Give a user who has none a quota of their own, in bytes; None is no limit at all."""
        connection.execute(insert(_QUOTAS).values(user_id=user_id, quota=quota))

    def forget_own(self, connection: Connection, user_id: int) -> None:
        """Let the user have the configured quota again."""
        connection.execute(delete(_QUOTAS).where(_QUOTAS.c.user_id == user_id))

    def _use(
        self, connection: Connection, user_id: int, *, with_versions: bool = False
    ) -> StorageUse:
        found = connection.execute(_FOUND, {"user_id": user_id}).mappings().one()
        quota = found["quota"] if found["has_own"] else self.default
        versions = 0
        if with_versions or quota is not None:
            versions = self._version_bytes(found)
        return StorageUse(
            used=found["used"] + versions,
            reserved=found["reserved"],
            open_uploads=found["open_uploads"],
            quota=quota,
            versions=versions,
        )

    def _version_bytes(self, user: Mapping[Any, Any]) -> int:
        if not isinstance(self.storage, VersionBytes):
            return 0
        roots = Roots.of(uuid=user["uuid"], user_id=user["id"], username=user["username"])
        return self.storage.noncurrent_bytes(roots)
