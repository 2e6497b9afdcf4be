"""Stand-ins that tests share: a clock that is told, storages that fail when told or count."""

from datetime import datetime, timedelta
from typing import Any

from softfactory.errors import StorageError
from softfactory.storage.base import Storage


class FakeClock:
    """A clock that stands still until it is told."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **amount: float) -> None:
        """Let ``timedelta(**amount)`` pass."""
        self.now += timedelta(**amount)


class FailingStorage:
    """A storage whose named verbs raise ``StorageError``, before or after doing their work."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.fail_before: set[str] = set()
        self.fail_after: set[str] = set()

    def __getattr__(self, verb: str) -> Any:
        real = getattr(self._storage, verb)

        def call(*args: Any, **kwargs: Any) -> Any:
            if verb in self.fail_before:
                raise StorageError
            result = real(*args, **kwargs)
            if verb in self.fail_after:
                raise StorageError
            return result

        return call


class CountingStorage:
    """A storage that notes each verb that is asked of it, with what is asked first."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.asked: list[tuple[Any, ...]] = []

    def __getattr__(self, verb: str) -> Any:
        real = getattr(self._storage, verb)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.asked.append((verb, *args[:1]))
            return real(*args, **kwargs)

        return call
