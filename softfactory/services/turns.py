"""Turns at something costly: so many at once, the others wait, and whoever asks most waits longest."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Lock

from softfactory.errors import Busy


class _Waiter:
    __slots__ = ("called", "has_turn", "parties", "start")

    def __init__(self, parties: Sequence[str]) -> None:
        self.parties = parties
        self.start = 0
        self.called = Event()
        self.has_turn = False


class Turns:
    """Shares turns out between the parties that ask, such as an address and an account.

    Each party's turns follow each other in a time that goes on by turns, and the earliest is next
    (start-time fair queueing; Goyal, Vin and Cheng, 1996): a flood waits behind everybody else.
    Where all the places to wait are taken, the newest of the party that has the most loses its
    place to one that has clearly fewer. Both the waiting and its time are bounded.
    """

    def __init__(self, *, at_once: int, waiting: int, patience: float) -> None:
        """Make the turns of a process.

        Args:
            patience: seconds after which whoever still waits is sent away.
        """
        self._at_once = at_once
        self._places = waiting
        self._patience = patience
        self._lock = Lock()
        self._running: list[_Waiter] = []
        self._waiting: list[_Waiter] = []
        self._now = 0
        self._ends: dict[str, int] = {}

    @contextmanager
    def turn(self, parties: Sequence[str]) -> Iterator[None]:
        """Wait for a turn, and have it for the block.

        Raises:
            Busy: others wait for one already, and too many or too long.
        """
        mine = _Waiter(parties)
        self._enter(mine)
        try:
            mine.called.wait(self._patience)
            with self._lock:
                if not mine.has_turn:
                    raise Busy
            yield
        finally:
            self._leave(mine)

    def _enter(self, mine: _Waiter) -> None:
        with self._lock:
            is_full = len(self._running) >= self._at_once and len(self._waiting) >= self._places
            if is_full:
                self._make_room(mine)
            mine.start = max([self._now, *(self._ends.get(party, 0) for party in mine.parties)])
            self._ends |= dict.fromkeys(mine.parties, mine.start + 1)
            self._waiting.append(mine)
            self._call_next()

    def _leave(self, mine: _Waiter) -> None:
        with self._lock:
            for place in (self._running, self._waiting):
                if mine in place:
                    place.remove(mine)
            self._call_next()

    def _call_next(self) -> None:
        while self._waiting and len(self._running) < self._at_once:
            chosen = min(self._waiting, key=lambda waiter: waiter.start)
            self._waiting.remove(chosen)
            self._now = max(self._now, chosen.start)
            self._ends = {party: end for party, end in self._ends.items() if end > self._now}
            self._running.append(chosen)
            chosen.has_turn = True
            chosen.called.set()

    def _make_room(self, mine: _Waiter) -> None:
        """Send away the newest of those that have the most places, if that is fair.

        Raises:
            Busy: nobody has clearly more places than ``mine`` would have.
        """
        held = Counter(party for waiter in self._waiting for party in waiter.parties)
        shares = [max((held[p] for p in waiter.parties), default=0) for waiter in self._waiting]
        own = max((held[party] for party in mine.parties), default=0)
        most = max(shares, default=0)
        if most <= own + 1:
            raise Busy
        newest = len(shares) - 1 - shares[::-1].index(most)
        self._waiting.pop(newest).called.set()
