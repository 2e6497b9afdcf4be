"""Threads that compute stay on one processor; those of hashing and of transfers run on all."""

import os
import threading
from collections.abc import Callable

import pytest

from softfactory.processors import run_anywhere, settle, stay_home
from softfactory.services.threads import threads

ALL = os.sched_getaffinity(0)

pytestmark = pytest.mark.skipif(len(ALL) == 1, reason="this machine has one processor")


def in_a_thread(work: Callable[[], object]) -> None:
    """Leave the processors of the test's own thread as they are."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_threads_that_stay_home_are_on_the_one_processor_where_it_was_settled() -> None:
    seen: list[set[int]] = []

    def work() -> None:
        stay_home()
        seen.append(os.sched_getaffinity(0))

    def settle_on_the_last() -> None:
        os.sched_setaffinity(0, {max(ALL)})
        settle()

    in_a_thread(settle_on_the_last)
    in_a_thread(work)
    in_a_thread(work)

    assert seen == [{max(ALL)}] * 2


def test_a_thread_can_leave_home_and_come_back() -> None:
    seen: list[int] = []

    def work() -> None:
        settle()
        for go in (stay_home, run_anywhere, stay_home):
            go()
            seen.append(len(os.sched_getaffinity(0)))

    in_a_thread(work)

    assert seen == [1, len(ALL), 1]


def test_work_beside_the_interpreter_runs_anywhere_whoever_began_it() -> None:
    seen: list[set[int]] = []

    def work() -> None:
        settle()
        stay_home()
        pool = threads("test-processors", 1)
        seen.append(pool.submit(os.sched_getaffinity, 0).result())
        pool.shutdown()

    in_a_thread(work)

    assert seen == [ALL]
