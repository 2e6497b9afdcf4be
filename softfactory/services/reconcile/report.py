"""What a comparison found."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class ReconcileReport:
    """What differs, by key where it is a file, and how many of them were put in order."""

    objects_without_row: list[str] = field(default_factory=list)
    rows_without_object: list[str] = field(default_factory=list)
    size_mismatches: list[str] = field(default_factory=list)
    wrong_totals: list[str] = field(default_factory=list)
    """Names of users whose counted bytes are not the sum of their files'."""
    fixed: int = 0

    @property
    def is_in_order(self) -> bool:
        """Whether no difference remains."""
        found = (
            self.objects_without_row,
            self.rows_without_object,
            self.size_mismatches,
            self.wrong_totals,
        )
        return sum(map(len, found)) == self.fixed

    def as_dict(self) -> dict[str, Any]:
        """Return the lists and the count by name."""
        return asdict(self)
