"""How much of storage a user may fill: looked at in the transaction that reserves it.

Whoever reserves writes the row of the upload first, and asks here afterwards. The user's row is
locked then, so that of two who reserve at once the second sees what the first has got.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text

from softfactory.models import User, UserQuota, UserStorage
from softfactory.services.generations import raise_generations
from softfactory.services.storage_use import StorageUse
from softfactory.storage.base import Storage, VersionBytes
from softfactory.storage.keys import Roots

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
