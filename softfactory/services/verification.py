"""Reading bytes back: every version of every object is compared with what is known of it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from softfactory.errors import InvalidKey, StorageError
from softfactory.models import FileUpload
from softfactory.services.access import askable, holds_its_key
from softfactory.storage.base import Damage, ObjectVersion, Storage, Verdict

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Checked:
    """A version that was looked at; ``verdict`` is None where storage failed to tell."""

    version: ObjectVersion
    verdict: Verdict | None


@dataclass(slots=True)
class Throttle:
    """Lets bytes go by at no more than ``rate`` a second; None lets all go by."""

    rate: float | None
    pause: Callable[[float], object] = time.sleep
    now: Callable[[], float] = time.monotonic
    _due: float = field(default=0.0, init=False)

    def wait(self, size: int) -> None:
        """Wait until as many bytes may follow."""
        if self.rate:
            moment = self.now()
            self._due = max(self._due, moment) + size / self.rate
            if self._due > moment:
                self.pause(self._due - moment)


@dataclass(frozen=True, slots=True)
class Verification:
    """The operator's look at all bytes; changes nothing, and is safe beside live traffic."""

    session: Session
    storage: Storage
    throttle: Throttle

    def run(self, *, since: datetime | None = None, after: str = "") -> Iterator[Checked]:
        """Yield what became of each version, in key order, newest first of each key.

        Args:
            since: only what was written since then.
            after: only keys behind this one: where an earlier run was stopped.

        Raises:
            StorageError: storage could not list.
        """
        for version in self.storage.all_versions(start_after=after):
            if since is not None and version.last_modified < since:
                continue
            try:
                verdict = self._verify(version)
            except (InvalidKey, StorageError) as error:
                log.warning("verify.unreadable", key=version.key, exc_info=error)
                yield Checked(version, None)
                continue
            if verdict is not None:
                yield Checked(version, verdict)

    def _verify(self, version: ObjectVersion) -> Verdict | None:
        expected, size, content = self._sha256_of(version), 0, sha256()

        def read(chunk: bytes) -> None:
            nonlocal size
            size += len(chunk)
            if expected is not None:
                content.update(chunk)
            self.throttle.wait(len(chunk))

        verdict = self.storage.verify(version, read)
        is_readable = verdict is not None and verdict.damage is None and size == version.size > 0
        if expected is None or not is_readable:
            return verdict
        is_same = content.hexdigest() == expected
        return Verdict() if is_same else Verdict(Damage.WRONG_CONTENT)

    def _sha256_of(self, version: ObjectVersion) -> str | None:
        """Return the hash that the file's row has of these bytes, if it has one."""
        if not version.is_latest or not askable([version.key]):
            return None
        query = select(FileUpload.sha256).where(
            FileUpload.file_key == version.key, FileUpload.etag == version.etag, holds_its_key()
        )
        found = self.session.scalar(query)
        self.session.rollback()
        return found
