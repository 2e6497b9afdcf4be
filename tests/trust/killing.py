"""Rounds of mixed load, each ended by kill -9, and what is left after each."""

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import requests

from tests.conftest import Caller
from tests.e2e.server import Server
from tests.trust.client import Client
from tests.trust.ledger import Ledger
from tests.trust.remote import Account, RemoteClient, make_accounts
from tests.trust.settling import settle
from tests.trust.verdict import check

USERS = 3
CLIENTS = 8
ROOM = 10
"""Files of one client: few enough that all of a user's stand on one page of every list."""


@dataclass
class Tally:
    """The figures of a run."""

    kills: int = 0
    lost_answers: Counter[str] = field(default_factory=Counter)
    checked: int = 0
    settled: int = 0
    put_in_order: int = 0

    def report(self, seed: int, clients: Sequence[Client]) -> str:
        """Return the figures as text."""
        operations = sum((Counter(client.operations) for client in clients), Counter())
        outcomes = sum((client.ledger.outcomes for client in clients), Counter())
        lines = [
            f"crash: seed {seed}: {self.kills} kills, {operations.total()} operations answered",
            f"  lost answers: {self.lost_answers.total()}, {dict(self.lost_answers)}",
            f"  which came to: {dict(outcomes)}",
            f"  files compared bit for bit: {self.checked}; lost: 0",
            f"  cleanups: {self.settled}; differences put in order: {self.put_in_order}",
            f"  answered: {dict(operations)}",
        ]
        return "\n".join([*lines, ""])


class Killing:
    """A server with clients that work until it is killed, and look at what is left."""

    def __init__(self, server: Server, seed: int) -> None:
        self.tally = Tally()
        self._server, self._seed = server, seed
        self._random = random.Random(seed)
        self._accounts = make_accounts(server, USERS)
        self._tokens = {a: a.sign_in(server.url).access_token for a in self._accounts}
        self._owners = [self._accounts[number % USERS] for number in range(CLIENTS)]
        self.clients = [
            Client(n, self._caller(owner), Ledger(), random.Random(f"{seed}-{n}"), room=ROOM)
            for n, owner in enumerate(self._owners)
        ]

    def round(self, *, longest: float, settles: bool) -> None:
        """Work, kill at a random moment of the next ``longest`` seconds, restart and compare.

        Args:
            settles: reconcile and clean up, too, and find nothing else left.
        """
        try:
            self._work_until_killed(self._random.uniform(0.02, longest))
            self._server.start()
            self._ask_again()
            self._check(is_settled=False)
            if settles:
                self.tally.put_in_order += settle(self._server)
                self.tally.settled += 1
                self._check(is_settled=True)
        except AssertionError as error:
            error.add_note(f"seed {self._seed}, kill {self.tally.kills}; {self._server.log}")
            raise

    def _work_until_killed(self, seconds: float) -> None:
        is_over, failures = threading.Event(), list[Exception]()

        def work(client: Client) -> None:
            try:
                while not is_over.is_set():
                    client.step()
            except requests.RequestException as error:
                if not is_over.is_set():
                    failures.append(error)
            except Exception as error:  # noqa: BLE001  # raised below, where pytest sees it
                failures.append(error)

        doubts = self._doubts()
        threads = [threading.Thread(target=work, args=(client,)) for client in self.clients]
        for client, owner in zip(self.clients, self._owners, strict=True):
            client.caller = self._caller(owner)
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        is_over.set()
        self._server.kill()
        for thread in threads:
            thread.join()
        self.tally.kills += 1
        self.tally.lost_answers += self._doubts() - doubts
        if failures:
            raise AssertionError(f"a client failed before the kill: {failures}") from failures[0]

    def _ask_again(self) -> None:
        """Let half the clients ask for the same again, as they would; it is done then."""
        for client, owner in zip(self.clients, self._owners, strict=True):
            client.caller = self._caller(owner)
            for doubt in [*client.ledger.doubts]:
                if doubt.again is not None and self._random.random() < 0.5 and doubt.again():
                    client.ledger.resolve(doubt, doubt.after)

    def _check(self, *, is_settled: bool) -> None:
        for account in self._accounts:
            pairs = zip(self.clients, self._owners, strict=True)
            ledgers = [client.ledger for client, owner in pairs if owner == account]
            self.tally.checked += check(self._caller(account), ledgers, is_settled=is_settled)

    def _doubts(self) -> Counter[str]:
        return Counter(doubt.what for client in self.clients for doubt in client.ledger.doubts)

    def _caller(self, account: Account) -> Caller:
        return account.with_token(RemoteClient(self._server.url), self._tokens[account])
