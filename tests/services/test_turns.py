"""Turns: so many at once, and nobody's flood in front of the others."""

from collections.abc import Callable, Sequence
from threading import Event, Thread

import pytest

from softfactory.errors import Busy
from softfactory.services.turns import Turns
from tests.e2e.waiting import wait_for

PATIENCE = 20


class Crowd:
    """Threads that want a turn; the order in which they had it."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.had: list[str] = []
        self.sent_away: list[str] = []
        self.go_on = Event()
        self.threads: list[Thread] = []

    def ask(self, name: str, parties: Sequence[str]) -> None:
        """Ask in a thread of its own, and return when that runs, waits, or was sent away."""
        before = self._seen()

        def run() -> None:
            try:
                with self.turns.turn(parties):
                    self.had.append(name)
                    self.go_on.wait(PATIENCE)
            except Busy:
                self.sent_away.append(name)

        self.threads.append(Thread(target=run))
        self.threads[-1].start()
        wait_for(lambda: self._seen() > before)

    def finish(self) -> None:
        self.go_on.set()
        for thread in self.threads:
            thread.join(PATIENCE)

    def _seen(self) -> int:
        turns = self.turns
        return len(turns._running) + len(turns._waiting) + len(self.sent_away)


@pytest.fixture
def crowd() -> Callable[..., Crowd]:
    return lambda **options: Crowd(Turns(patience=PATIENCE, **options))


def test_whoever_asks_most_waits_behind_the_others(crowd: Callable[..., Crowd]) -> None:
    people = crowd(at_once=1, waiting=9)
    for n in range(5):
        people.ask(f"flood {n}", ["10.0.0.1", f"name {n}"])
    people.ask("other", ["10.0.0.2", "alice"])

    people.finish()

    assert people.had[:2] == ["flood 0", "other"]
    assert people.had[2:] == [f"flood {n}" for n in range(1, 5)]


def test_a_flood_for_one_account_from_many_addresses_is_one_too(
    crowd: Callable[..., Crowd],
) -> None:
    people = crowd(at_once=1, waiting=9)
    for n in range(5):
        people.ask(f"flood {n}", [f"10.0.0.{n}", "victim"])
    people.ask("other", ["10.0.1.1", "alice"])

    people.finish()

    assert people.had[:2] == ["flood 0", "other"]


def test_where_all_places_are_taken_the_greediest_gives_one_up(
    crowd: Callable[..., Crowd],
) -> None:
    people = crowd(at_once=1, waiting=3)
    for n in range(4):
        people.ask(f"flood {n}", ["10.0.0.1"])
    people.ask("other", ["10.0.0.2"])

    people.finish()

    assert people.sent_away == ["flood 3"]
    assert people.had == ["flood 0", "other", "flood 1", "flood 2"]


def test_whoever_has_as_many_places_as_the_others_is_sent_away(
    crowd: Callable[..., Crowd],
) -> None:
    people = crowd(at_once=1, waiting=2)
    for n in range(3):
        people.ask(f"flood {n}", ["10.0.0.1"])

    with pytest.raises(Busy), people.turns.turn(["10.0.0.1"]):
        pass
    people.finish()


def test_nobody_waits_for_ever() -> None:
    turns = Turns(at_once=1, waiting=1, patience=0.01)

    with turns.turn(["a"]), pytest.raises(Busy), turns.turn(["b"]):
        pass

    with turns.turn(["b"]):
        assert len(turns._running) == 1


def test_a_turn_that_fails_is_given_back() -> None:
    turns = Turns(at_once=1, waiting=1, patience=0.01)

    for _ in range(3):
        with pytest.raises(KeyError), turns.turn(["a"]):
            raise KeyError

    assert (turns._running, turns._waiting) == ([], [])
