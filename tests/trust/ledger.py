"""What one client was told of its files, and what may be where an answer was lost.

A file is known by its name, which no other file ever had: keys carry it at their end, whichever
contract made them, also where the answer that would have told the key was lost.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

NAME = re.compile(r"c\d+-\d+\.pdf$")


def digest(body: bytes) -> str:
    """Return what stands for ``body`` where bodies are compared."""
    return sha256(body).hexdigest()


@dataclass(frozen=True)
class Stored:
    """A file as its client knows it.

    Attributes:
        key: empty where the answer that would have told it was lost.
        body: the ``digest`` of its bytes.
    """

    key: str
    body: str

    def is_at(self, key: str, body: str | None) -> bool:
        """Whether this is what lies at ``key``."""
        return self.body == body and self.key in ("", key)


World = Mapping[str, Stored | None]
"""Files by name as they may be; None for one that is not there."""


@dataclass(frozen=True)
class Doubt:
    """An operation whose answer was lost: it was done or it was not, nothing between.

    Attributes:
        again: asks for the same once more; True if it is done now, False if it cannot be told.
        between: what it may be besides, where the storage has no such operation in one step.
    """

    what: str
    before: World
    after: World
    again: Callable[[], bool] | None = None
    between: World | None = None

    @property
    def worlds(self) -> list[World]:
        """What may be; one of them is."""
        return [self.before, self.after, *([self.between] if self.between else [])]

    @property
    def bodies(self) -> set[str]:
        """What may be read while nobody knows."""
        worlds = (*self.before.values(), *self.after.values())
        return {stored.body for stored in worlds if stored}


@dataclass
class Ledger:
    """One client's files: those that it knows of, and the operations whose answers were lost."""

    files: dict[str, Stored] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    """What became of lost operations: done, not done, or between the two."""

    def learn(self, world: World) -> None:
        """Take ``world`` as the truth about the files in it."""
        for name, stored in world.items():
            if stored is None:
                self.files.pop(name, None)
            else:
                self.files[name] = stored

    def doubt(self, doubt: Doubt) -> None:
        """Know no more what became of the files of an operation."""
        self.doubts.append(doubt)
        for name in doubt.before:
            self.files.pop(name, None)

    def resolve(self, doubt: Doubt, world: World) -> None:
        """Take ``world`` as what became of a lost operation, which is no longer in doubt."""
        known = {id(doubt.before): "not done", id(doubt.after): "done"}
        self.outcomes[known.get(id(world), f"{doubt.what} half-way")] += 1
        self.doubts.remove(doubt)
        self.learn(world)

    @property
    def doubtful(self) -> dict[str, Doubt]:
        """The lost operations by the names of their files."""
        return {name: doubt for doubt in self.doubts for name in doubt.before}
