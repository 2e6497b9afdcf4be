"""What ``flask files verify`` tells."""

from dataclasses import asdict, dataclass, field
from typing import Any

from softfactory.services.verification import Checked


@dataclass(slots=True)
class VerifyReport:
    """What was found so far.

    Attributes:
        after: the last key all of whose versions were looked at; where to go on.
        not_compared: versions of which no hash is known that could tell.
        damaged: ``key``, ``version_id`` and ``reason`` of each.
        unreadable: likewise, of those that storage failed for.
    """

    after: str
    verified: int = 0
    bytes: int = 0
    not_compared: int = 0
    damaged: list[dict[str, str]] = field(default_factory=list)
    unreadable: list[dict[str, str]] = field(default_factory=list)
    _current: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether everything that was looked at is as it should be."""
        return not self.damaged and not self.unreadable

    def add(self, checked: Checked) -> None:
        """Count one version."""
        version, verdict = checked.version, checked.verdict
        if self._current not in ("", version.key):
            self.after = self._current
        self._current = version.key
        self.verified += 1
        self.bytes += version.size
        named = {"key": version.key, "version_id": version.version_id}
        if verdict is None:
            self.unreadable.append({**named, "reason": "storage failed"})
        elif verdict.damage is not None:
            self.damaged.append({**named, "reason": verdict.damage.value})
        elif not verdict.is_compared:
            self.not_compared += 1

    def finish(self) -> None:
        """Say that there are no more versions."""
        self.after = self._current or self.after

    def as_dict(self) -> dict[str, Any]:
        """Return all of it by name."""
        return {name: value for name, value in asdict(self).items() if not name.startswith("_")}
