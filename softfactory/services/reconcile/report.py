"""What a comparison found."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class ReconcileReport:
    """What differs, by key where it is a file, and how many of them were put in order.

    Attributes:
        wrong_totals: names of users whose counted bytes are not the sum of their files'.
        unreadable: keys that storage could not answer for; whether they differ, nobody knows.
    """

    objects_without_row: list[str] = field(default_factory=list)
    rows_without_object: list[str] = field(default_factory=list)
    size_mismatches: list[str] = field(default_factory=list)
    wrong_totals: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    fixed: int = 0

    @property
    def is_in_order(self) -> bool:
        """Whether no difference remains, for all that is known."""
        found = (
            self.objects_without_row,
            self.rows_without_object,
            self.size_mismatches,
            self.wrong_totals,
        )
        return sum(map(len, found)) == self.fixed and not self.unreadable

    def as_dict(self) -> dict[str, Any]:
        """Return the lists and the count by name."""
        return asdict(self)
