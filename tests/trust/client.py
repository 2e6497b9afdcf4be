"""A client that works on files of its own through all contracts, and keeps a ledger of them.

Only the last request of each operation makes a difference that others see. So an answer that is
lost before it leaves no doubt: nothing may have changed.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests

from tests import samples
from tests.conftest import Caller
from tests.contracts.doors import DOORS, announced, exchange, form, good
from tests.trust.ledger import Doubt, Ledger, Stored, World, digest

MIB = 1024 * 1024
PART_SIZE = 5 * MIB
GONE = (200, 204, 404)
"""What deleting says of a file that is gone now."""


class Client:
    """One thread's user: does one operation after the other, as ``random`` has it.

    Attributes:
        operations: how many were answered.
    """

    def __init__(
        self, number: int, caller: Caller, ledger: Ledger, randomness: random.Random, *, room: int
    ) -> None:
        self.caller, self.ledger = caller, ledger
        self.operations: dict[str, int] = {}
        self._number, self._random, self._room = number, randomness, room
        self._made = 0
        # Weights: what makes files is balanced by what removes them once there are ``room``.
        self._work: dict[Callable[[], None], int] = {
            self.files_form: 4,
            self.simple_form: 4,
            self.drive: 4,
            self.browser_form: 4,
            self.browser_multipart: 4,
            self.uploads: 4,
            self.uploads_in_two_parts: 1,
            self.overwrite: 6,
            self.rename: 6,
            self.delete: 6,
            self.delete_many: 2,
            self.abandon: 2,
            self.abort: 2,
            self.read: 4,
        }

    def step(self) -> None:
        """Do one operation.

        Raises:
            requests.RequestException: no answer came; the ledger knows what that means.
            AssertionError: an answer was not what it must be.
        """
        work = self._random.choices([*self._work], [*self._work.values()])[0]
        if len(self.ledger.files) >= self._room:
            work = self._random.choice([self.delete, self.delete_many])
        work()
        self.operations[work.__name__] = self.operations.get(work.__name__, 0) + 1

    # --- in ---------------------------------------------------------------------------------------

    def files_form(self) -> None:
        name, body = self._new()
        with self._commit(Doubt("files form", {name: None}, {name: Stored("", digest(body))})):
            key = good(form(self.caller, "/api/files/upload", name, body))["file_key"]
        self.ledger.learn({name: Stored(key, digest(body))})

    def simple_form(self) -> None:
        name, body = self._new()
        with self._commit(Doubt("simple form", {name: None}, {name: Stored("", digest(body))})):
            key = good(form(self.caller, "/s3/upload/", name, body))["file_key"]
        self.ledger.learn({name: Stored(f"{self.caller.username}/{key}", digest(body))})

    def drive(self) -> None:
        name, body = self._new()
        self._drive(name, body)

    def browser_form(self) -> None:
        name, body = self._new()
        self._browser_form(f"users/{self.caller.uuid}/{name}", name, body)

    def browser_multipart(self) -> None:
        name, body = self._new()
        self._browser_parts(f"users/{self.caller.uuid}/{name}", name, body)

    def uploads(self) -> None:
        name, body = self._new()
        self._uploads(name, [body])

    def uploads_in_two_parts(self) -> None:
        name, body = self._new()
        self._uploads(name, [self._random.randbytes(PART_SIZE), body])

    def overwrite(self) -> None:
        """Put other bytes in the place of a file, by any contract that can."""
        if (name := self._any()) is None:
            return
        key = self.ledger.files[name].key
        ways: list[Callable[[str, str, bytes], None]] = [self._browser_form, self._browser_parts]
        if key == f"{self.caller.username}/{name}":
            ways.append(lambda _, name, body: self._drive(name, body))
        self._random.choice(ways)(key, name, self._body(name))

    # --- about ------------------------------------------------------------------------------------

    def rename(self) -> None:
        if (old := self._any()) is None:
            return
        new, _ = self._new()
        stored = self.ledger.files[old]
        target = Stored(f"{stored.key.rpartition('/')[0]}/{new}", stored.body)
        request = {"s3_key": stored.key, "new_filename": new}

        def again() -> bool:
            status: int = self.caller.post("/api/files/rename/", json=request).status_code
            # S3 renames by a copy: stopped behind it, the new name is taken, by the same bytes.
            assert status in (200, 404, 409), (status, request)
            return status == 200

        doubt = Doubt(
            "rename",
            {old: stored, new: None},
            {old: None, new: target},
            again,
            between={old: stored, new: target},
        )
        with self._commit(doubt):
            renamed = good(self.caller.post("/api/files/rename/", json=request))
            assert renamed["new_s3_key"] == target.key, (renamed, target)

    def delete(self) -> None:
        if (name := self._any()) is None:
            return
        key = self.ledger.files[name].key
        before: World = {name: self.ledger.files[name]}
        contract = self._random.choice([*DOORS])

        def again() -> bool:
            status = self.caller.delete("/api/files", json={"s3_key": key}).status_code
            assert status in GONE, (status, key)
            return True

        with self._commit(Doubt(f"delete by {contract}", before, {name: None}, again)):
            status = self._delete_by(contract, key)
            assert status in (200, 204), (contract, key, status)

    def delete_many(self) -> None:
        names = self._random.sample([*self.ledger.files], min(3, len(self.ledger.files)))
        keys = [self.ledger.files[name].key for name in names]
        if not keys:
            return
        try:
            report = good(self.caller.delete("/api/s3/objects", json={"keys": keys}))
        except requests.RequestException:
            for name in names:  # Each for itself: the contract reports key by key.
                world = {name: self.ledger.files[name]}
                self.ledger.doubt(Doubt("one of many deleted", world, {name: None}))
            raise
        assert sorted(report["deleted"]) == sorted(keys), report
        self.ledger.learn(dict.fromkeys(names))

    def abandon(self) -> None:
        """Begin an upload, send it, and never come back."""
        name, body = self._new()
        ways: list[Callable[[str, bytes], object]] = [
            self._begin_drive,
            self._begin_multipart,
            self._begin_uploads,
        ]
        self._random.choice(ways)(name, body)

    def abort(self) -> None:
        name, body = self._new()
        file_id, _ = self._begin_uploads(name, body)
        status = self.caller.delete(f"/v1/files/uploads/{file_id}/").status_code
        assert status == 204, status

    def read(self) -> None:
        if (name := self._any()) is None:
            return
        stored = self.ledger.files[name]
        door = self._random.choice(["drive v2", "browser", "simple"])
        body = DOORS[door].read(self.caller, stored.key)
        assert body is not None, f"{door} has no {stored.key}"
        assert digest(body) == stored.body, f"{door} gives other bytes for {stored.key}"

    # --- how --------------------------------------------------------------------------------------

    def _drive(self, name: str, body: bytes) -> None:
        shown, key = self._begin_drive(name, body), f"{self.caller.username}/{name}"

        def confirm() -> None:
            good(self.caller.post("/api/files/confirm_upload/", json={"s3_key": shown}))

        self._put("drive confirm", key, name, body, confirm)

    def _browser_form(self, key: str, name: str, body: bytes) -> None:
        def send() -> None:
            good(form(self.caller, "/api/s3/upload", name, body, key=key))

        self._put("browser form", key, name, body, send)

    def _browser_parts(self, key: str, name: str, body: bytes) -> None:
        request = self._begin_multipart(name, body, key)

        def complete() -> None:
            good(self.caller.post("/api/s3/multipart/complete", json=request))

        self._put("browser multipart", key, name, body, complete)

    def _uploads(self, name: str, bodies: list[bytes]) -> None:
        whole = b"".join(bodies)
        file_id, parts = self._begin_uploads(name, *bodies)

        def complete() -> None:
            path = f"/v1/files/uploads/{file_id}/complete/"
            good(self.caller.post(path, json={"parts": parts}))

        self._put("uploads complete", "", name, whole, complete)
        # This contract tells no key.
        key = good(self.caller.get(f"/api/files/{file_id}"))["file_key"]
        self.ledger.learn({name: Stored(key, digest(whole))})

    def _begin_drive(self, name: str, body: bytes) -> str:
        wanted = {"file_name": name, "content_type": "application/pdf", "file_size": len(body)}
        granted = good(self.caller.post("/api/files/upload/", json=wanted))["successful"][0]
        self._send(granted["presigned_url"], body)
        return str(granted["s3_key"])

    def _begin_multipart(self, name: str, body: bytes, key: str = "") -> dict[str, Any]:
        named = {"key": key or f"users/{self.caller.uuid}/{name}"}
        upload = named | good(self.caller.post("/api/s3/multipart/initiate", json=named))
        request = {**upload, "part_number": 1}
        part = good(self.caller.post("/api/s3/multipart/part-url", json=request))
        return {**upload, "parts": [{"part_number": 1, "etag": self._send(part["url"], body)}]}

    def _begin_uploads(self, name: str, *bodies: bytes) -> tuple[str, list[dict[str, Any]]]:
        request = announced(name, b"".join(bodies)) | {"num_parts": len(bodies)}
        begun = good(self.caller.post("/v1/files/uploads/", json=request))
        parts = [
            {"part_number": part["part_number"], "etag": self._send(part["url"], body)}
            for part, body in zip(begun["presigned_urls"], bodies, strict=True)
        ]
        return begun["file_obj"]["id"], parts

    def _delete_by(self, contract: str, key: str) -> int:
        paths = {"files": "/api/files/", "uploads": "/v1/files/"}
        if contract not in paths:
            return DOORS[contract].delete(self.caller, key)
        return int(self.caller.delete(f"{paths[contract]}{self._id_of(key)}").status_code)

    def _id_of(self, key: str) -> int:
        """Look the integer id up; doors do, too, but not while others change the list."""
        listed = good(self.caller.get("/api/files?limit=100"))["files"]
        return next(int(file["id"]) for file in listed if file["file_key"] == key)

    def _send(self, url: str, body: bytes) -> str:
        status, answer = exchange(self.caller, "PUT", url, body)
        assert status == 200, (status, url)
        return str(answer.headers["ETag"])

    def _put(self, what: str, key: str, name: str, body: bytes, work: Callable[[], object]) -> None:
        """Do ``work``, whose answer says that the bytes are those of the file now."""

        def again() -> bool:
            work()
            return True

        before, after = self.ledger.files.get(name), Stored(key, digest(body))
        with self._commit(Doubt(what, {name: before}, {name: after}, again)):
            work()

    @contextmanager
    def _commit(self, doubt: Doubt) -> Iterator[None]:
        """The block's answer says that the operation is done; if it is lost, it may not be."""
        try:
            yield
        except requests.RequestException:
            self.ledger.doubt(doubt)
            raise
        self.ledger.learn(doubt.after)

    def _any(self) -> str | None:
        return self._random.choice([*self.ledger.files]) if self.ledger.files else None

    def _new(self) -> tuple[str, bytes]:
        self._made += 1
        name = f"c{self._number}-{self._made}.pdf"
        return name, self._body(name)

    def _body(self, name: str) -> bytes:
        """Return a body that no other file has: small ones mostly, some of a few MiB."""
        largest = self._random.choice([2_000, 2_000, 60_000, 400_000, 3 * MIB])
        size = self._random.randint(1_000, largest)
        unique = f"%{name} {self._random.random()}\n".encode()
        return samples.pdf(size=size) + unique + self._random.randbytes(16)
