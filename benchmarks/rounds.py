"""Rounds: every server in turn, so that a machine that slows down slows all of them down."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Self

Samples = dict[str, list[float]]
"""Figures by column, one a round."""


def interleaved(rounds: int, works: Mapping[str, Callable[[], float]]) -> Samples:
    """Run every work once without counting it, then ``rounds`` times in turn.

    Who begins changes with each round. Dirty pages are written out before each work, so that none
    pays for the one before it.
    """
    names = [*works]
    samples: Samples = {name: [] for name in names}
    for number in range(-1, rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            os.sync()
            figure = works[name]()
            if number >= 0:
                samples[name].append(figure)
    return samples


class Stopwatch:
    """Times a block, in seconds."""

    seconds = 0.0

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._started
