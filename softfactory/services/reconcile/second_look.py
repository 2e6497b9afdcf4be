"""What looked like a difference, looked at again with the rows locked, and put in order.

Many at a time, because each transaction costs a commit. Rows are locked, and keys taken, in one
order, so that two of these at once never wait for each other; live traffic waits for one batch.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.errors import SoftFactoryError
from softfactory.models import FileUpload, UploadStatus
from softfactory.services.access import askable, is_alive, owner_of
from softfactory.services.catalog import Catalog
from softfactory.services.heads import Heads, head_each, is_listed
from softfactory.services.reconcile.report import ReconcileReport
from softfactory.services.unit_of_work import write
from softfactory.storage.base import ObjectInfo, Storage
from softfactory.storage.keys import StoredKey, root_of

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SecondLook:
    """Judges suspects and writes what it finds into ``report``; each call is one transaction."""

    session: Session
    storage: Storage
    catalog: Catalog
    clock: Clock
    pool: Executor
    report: ReconcileReport
    fix: bool
    owners: dict[str, int | None] = field(default_factory=dict)
    """Whose each root is, of those that were asked for."""

    def objects(self, keys: Sequence[str]) -> None:
        """Judge objects that had no row."""
        owned: dict[StoredKey, int] = {}
        nobodys: list[str] = []
        for key in keys:
            owner_id = self._owner_id(key)
            if owner_id is None:
                nobodys.append(key)
            else:
                owned[StoredKey(key)] = owner_id
        adopted = Heads()
        if owned:
            adopted = self.catalog.adopt_unknown(owned, pool=self.pool, dry_run=not self.fix)
        found = [*adopted.infos, *self._present(nobodys)]
        self.report.objects_without_row.extend(sorted(found))
        self.report.unreadable.extend(sorted(adopted.unreadable))
        self.report.fixed += len(adopted.infos) if self.fix else 0

    def rows(self, file_ids: Sequence[int]) -> None:
        """Judge rows whose object was not there; one that is gone becomes ``failed``."""
        gone: list[str] = []
        with write(self.session):
            for file, info in self._locked(file_ids):
                if info is None:
                    gone.append(file.file_key)
                    if self.fix:
                        file.status = UploadStatus.FAILED.value
                        file.last_activity_at = self.clock()
        self.report.rows_without_object.extend(gone)
        self.report.fixed += len(gone) if self.fix else 0

    def sizes(self, file_ids: Sequence[int]) -> None:
        """Judge rows whose size was another than their object's."""
        wrong: list[str] = []
        with write(self.session):
            for file, info in self._locked(file_ids):
                if info is not None and info.size != file.file_size:
                    wrong.append(file.file_key)
                    if self.fix:
                        self.catalog.describe(file, info)
        self.report.size_mismatches.extend(wrong)
        self.report.fixed += len(wrong) if self.fix else 0

    def _locked(self, file_ids: Sequence[int]) -> Iterator[tuple[FileUpload, ObjectInfo | None]]:
        """Yield the rows that should still have an object, held, each with what storage says."""
        query = select(FileUpload).where(FileUpload.id.in_(file_ids), is_alive(self.clock()))
        files = self.session.scalars(query.order_by(FileUpload.id).with_for_update()).all()
        heads = head_each(self.pool, self.storage, [StoredKey(file.file_key) for file in files])
        self.report.unreadable.extend(heads.unreadable)
        for file in files:
            if file.file_key not in heads.unreadable:
                yield file, heads.infos.get(file.file_key)

    def _owner_id(self, key: str) -> int | None:
        """Return whose file the object can become; None where it lies below nobody's root.

        Nor can one whose name no row can have.
        """
        root = root_of(key) + "/"
        if not key.startswith(root) or not askable([key]):
            return None
        if root not in self.owners:
            owner = owner_of(self.session, key)
            # uploads/07/ is not the root of the user 7.
            is_owned = owner is not None and owner.roots.owns(key)
            self.owners[root] = owner.id if owner is not None and is_owned else None
            self.session.rollback()
        return self.owners[root]

    def _present(self, keys: Sequence[str]) -> list[str]:
        """Return those of ``keys`` that storage still has."""

        def attempt(key: str) -> bool | None:
            try:
                return is_listed(self.storage, key)
            except SoftFactoryError as error:
                log.warning("reconcile.unreadable", key=key, exc_info=error)
                return None

        there = dict(zip(keys, self.pool.map(attempt, keys), strict=True))
        self.report.unreadable.extend(key for key in keys if there[key] is None)
        return [key for key in keys if there[key]]
