"""The comparison as a whole: a first sight, a pause, and a second look at what was found."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from softfactory.clock import Clock
from softfactory.models import FileUpload
from softfactory.services.access import is_alive
from softfactory.services.catalog import Catalog
from softfactory.services.heads import HEADS_AT_ONCE
from softfactory.services.reconcile.first_sight import FirstSight, Progress
from softfactory.services.reconcile.report import ReconcileReport
from softfactory.services.reconcile.second_look import SecondLook
from softfactory.services.reconcile.totals import Totals
from softfactory.storage.base import Storage

BATCH = 200
"""Suspects judged in one transaction: live traffic on the same files waits for so many heads."""

SETTLE_SECONDS = 1.0
"""How long a change may be between storage and its row's commit before it is looked at again."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The comparison; safe beside live traffic, on several machines at once, and to interrupt."""

    session: Session
    storage: Storage
    catalog: Catalog
    clock: Clock
    pause: Callable[[float], object] = time.sleep

    def count(self) -> int:
        """Return how many rows a comparison looks at now; for a progress bar's length."""
        query = select(func.count()).select_from(FileUpload).where(is_alive(self.clock()))
        return self.session.scalar(query) or 0

    def run(
        self, *, fix: bool = False, progress: Progress = lambda _count: None
    ) -> ReconcileReport:
        """Compare all files; with ``fix``, put in order what can be.

        An object below a user's root gets its row; one below nobody's stays, and stays a
        difference. A row whose object is gone becomes ``failed``. A size is what storage says. What a
        user holds is the sum of their rows.
        Expired files, unfinished uploads and folder markers are other people's business.

        Raises:
            StorageError: storage failed half-way; what was put in order until then is.
        """
        suspects = FirstSight(self.session, self.storage, self.clock).suspects(progress)
        if suspects:
            self.pause(SETTLE_SECONDS)
        report = ReconcileReport()
        with ThreadPoolExecutor(HEADS_AT_ONCE) as pool:
            look = SecondLook(
                self.session, self.storage, self.catalog, self.clock, pool, report, fix
            )
            for keys in _batches(suspects.unknown_keys):
                look.objects(keys)
            for file_ids in _batches(suspects.missing_ids):
                look.rows(file_ids)
            for file_ids in _batches(suspects.mismatched_ids):
                look.sizes(file_ids)
        totals = Totals(self.session)
        for user_id, username in totals.wrong():
            report.wrong_totals.append(username)
            if fix:
                totals.mend(user_id)
                report.fixed += 1
        return report


def _batches(found: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(found), BATCH):
        yield found[start : start + BATCH]
