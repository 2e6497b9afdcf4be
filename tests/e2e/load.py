"""Clients that ask all the time, and what they were answered."""

import threading
from abc import ABC, abstractmethod
from collections import Counter
from typing import Self

from tests.e2e.waiting import wait_for

CLIENTS = 4


class Load(ABC):
    """Four clients, each in a thread of its own, while its block lasts.

    Attributes:
        answers: how often each status came, or what came instead.
    """

    def __init__(self) -> None:
        self.answers: Counter[object] = Counter()
        self.is_over = threading.Event()
        self._threads = [threading.Thread(target=self.work, args=(n,)) for n in range(CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.is_over.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self, number: int) -> None:
        """Wait until so many more were answered."""
        goal = self.answers.total() + number
        wait_for(lambda: self.answers.total() >= goal)

    @abstractmethod
    def work(self, number: int) -> None:
        """Ask until it is over, as the client of this number: 0 to 3."""
