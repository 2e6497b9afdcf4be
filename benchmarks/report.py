"""Rows of figures beside their goals: as a table for people, as JSON for programs."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.rounds import Samples


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound from design.md, "Speed to reach", or a ratio that is only told.

    Attributes:
        column: whose figure is bounded.
        bound: of the figure, or of its ratio to that of ``against``; None where nothing bounds it.
        is_floor: whether more is better.
    """

    column: str
    bound: float | None
    against: str = ""
    is_floor: bool = False

    def reached(self, samples: Samples) -> list[float]:
        """Return what was reached, round by round; nothing where a server was not there."""
        ours = samples.get(self.column, [])
        if not self.against:
            return ours
        theirs = samples.get(self.against, [])
        return [a / b for a, b in zip(ours, theirs, strict=False) if b]

    def is_met(self, samples: Samples) -> bool | None:
        """Whether the median keeps the bound; None where there is no bound, or no figure."""
        reached = self.reached(samples)
        if not reached or self.bound is None:
            return None
        median = statistics.median(reached)
        return median >= self.bound if self.is_floor else median <= self.bound


@dataclass(frozen=True, slots=True)
class Row:
    """One piece of work, its figures by server or by size, and what they are to be."""

    work: str
    unit: str
    samples: Samples
    goals: Sequence[Goal] = ()

    def cell(self, column: str) -> str:
        """Return a column's median with its unit."""
        figures = self.samples.get(column)
        return f"{_number(statistics.median(figures))} {self.unit}" if figures else "-"

    def judgement(self) -> list[str]:
        """Return the goals, what was reached of each (least to most), and whether all are met."""
        goals = "; ".join(map(self.in_words, self.goals))
        reached = "; ".join(map(self._reached, self.goals))
        met = [goal.is_met(self.samples) for goal in self.goals]
        if not met or None in met:
            return [goals, reached, "-"]
        return [goals, reached, "yes" if all(met) else "**no**"]

    def in_words(self, goal: Goal) -> str:
        """Return a goal of this row in words."""
        if goal.bound is None:
            return f"ratio to {goal.against}"
        sign = "≥" if goal.is_floor else "≤"
        if goal.against:
            return f"{sign} {goal.bound:g} of {goal.against}"
        return f"{sign} {goal.bound:g} {self.unit}"

    def _reached(self, goal: Goal) -> str:
        reached = goal.reached(self.samples)
        if not reached:
            return "-"
        middle, least, most = statistics.median(reached), min(reached), max(reached)
        return f"{_number(middle)} ({_number(least)} to {_number(most)})"


@dataclass(frozen=True, slots=True)
class Section:
    """The rows of one kind of work, with the columns that they share."""

    title: str
    columns: Sequence[str]
    rows: list[Row] = field(default_factory=list)

    def table(self) -> str:
        """Return the section as a Markdown table."""
        head = ["work", *self.columns, "goal", "reached (least to most)", "met"]
        lines = [[*head], ["---"] * len(head)]
        lines += [[row.work, *map(row.cell, self.columns), *row.judgement()] for row in self.rows]
        return "\n".join([f"### {self.title}", "", *(f"| {' | '.join(line)} |" for line in lines)])

    def as_json(self) -> dict[str, Any]:
        """Return everything that was measured, every round of it."""
        return {"title": self.title, "rows": [_row_as_json(row) for row in self.rows]}


def write_json(path: Path, machine: Mapping[str, str], sections: Sequence[Section]) -> None:
    """Write all that was measured to ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine, "sections": [section.as_json() for section in sections]}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _row_as_json(row: Row) -> dict[str, Any]:
    goals = [
        {
            "goal": row.in_words(goal),
            "reached": goal.reached(row.samples),
            "met": goal.is_met(row.samples),
        }
        for goal in row.goals
    ]
    return {"work": row.work, "unit": row.unit, "samples": row.samples, "goals": goals}


def _number(value: float) -> str:
    """Return three significant digits, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"
