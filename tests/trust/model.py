"""A simple model of what users have, and a machine that does to it what it does to the service."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from flask import Flask
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from softfactory.http.extensions import db
from softfactory.http.services import maintenance, reconciliation, user_quotas
from softfactory.services.reconcile.totals import Totals
from softfactory.services.user_quotas import Choice
from tests import samples
from tests.conftest import Caller
from tests.contracts.doors import DOORS, WAYS_IN, Files, announced, form, good
from tests.doubles import FakeClock
from tests.trust.open_uploads import BEGINNINGS, BrowserUpload, OpenUpload
from tests.trust.verdict import keys_shown

USERS = st.integers(0, 1)
NAMES = st.sampled_from(["a.pdf", "A.pdf", "Jahresbericht ü+#%.pdf"])
"""Few, so that operations meet."""
FOLDERS = st.sampled_from(["", "a.pdf/", "docs/"])
PICKS = st.integers(0, 1000)
"""Which of the files or uploads that there are."""
DOOR_NAMES = st.sampled_from([*DOORS])
READERS = ("drive v2", "browser", "simple", "files", "drive v3", "uploads")


@dataclass(frozen=True)
class Known:
    """A file as the model has it.

    Attributes:
        tier: ``standard``, ``archived``, or ``restored`` (archived, with a copy to read).
    """

    body: bytes
    tier: str = "standard"
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Room:
    """An application that one machine after the other plays in, each with users of its own."""

    app: Flask
    clock: FakeClock
    sign_in: Callable[[], Caller]


@dataclass
class Person:
    """A user and their files by key."""

    caller: Caller
    files: dict[str, Known] = field(default_factory=dict)
    uploads: list[OpenUpload] = field(default_factory=list)
    seen: dict[str, Known] | None = None
    """What the lists were last held against."""


has_files = precondition(lambda self: any(person.files for person in self.people))
has_uploads = precondition(lambda self: any(person.uploads for person in self.people))


class FilesMachine(RuleBasedStateMachine):
    """Does anything to the files of two users, and holds all lists against the model."""

    steps = 0
    """Of all machines of this process, for the report."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self.room, self.made, self.looked = room, 0, 0

    @initialize()
    def arrive(self) -> None:
        self.people = [Person(self.room.sign_in()), Person(self.room.sign_in())]

    # --- in ---------------------------------------------------------------------------------------

    @rule(user=USERS, way=st.sampled_from([*WAYS_IN]), folder=FOLDERS, name=NAMES)
    def bring(self, user: int, way: str, folder: str, name: str) -> None:
        person, body = self.people[user], self.body()
        path = folder + name if way.startswith("browser") else name
        key = WAYS_IN[way](person.caller, path, body)
        if way == "drive":  # While another upload of the name is open, another key is told.
            key = f"{person.caller.username}/{name}"
        assert (key in person.files) <= (way in ("drive", "browser", "browser multipart"))
        person.files[key] = Known(body)

    @rule(user=USERS, pick=PICKS, in_parts=st.booleans())
    @has_files
    def overwrite(self, user: int, pick: int, in_parts: bool) -> None:
        person = self.people[user]
        if (key := self.pick(person, pick)) is None:
            return
        body = self.body()
        if in_parts:
            upload = BrowserUpload(person.caller, "", body, key=key)
            upload.send()
            assert upload.finish() == key
        else:
            good(form(person.caller, "/api/s3/upload", "x", body, key=key))
        person.files[key] = Known(body)

    @rule(user=USERS, name=NAMES, hours=st.integers(1, 3))
    def bring_for_a_while(self, user: int, name: str, hours: int) -> None:
        person, body = self.people[user], self.body()
        fields = {"expires_in_hours": str(hours)}
        answer = good(form(person.caller, "/api/files/upload", name, body, **fields))
        expires_at = datetime.fromisoformat(
            good(person.caller.get(f"/api/files/{answer['file_id']}"))["expires_at"]
        )
        person.files[answer["file_key"]] = Known(body, expires_at=expires_at)

    @rule(user=USERS, kind=st.sampled_from([*BEGINNINGS]), name=NAMES)
    def begin(self, user: int, kind: str, name: str) -> None:
        person = self.people[user]
        person.uploads.append(BEGINNINGS[kind](person.caller, name, self.body()))

    @rule(user=USERS, pick=PICKS)
    @has_uploads
    def send(self, user: int, pick: int) -> None:
        if uploads := self.people[user].uploads:
            uploads[pick % len(uploads)].send()

    @rule(user=USERS, pick=PICKS)
    @has_uploads
    def finish(self, user: int, pick: int) -> None:
        person = self.people[user]
        if not person.uploads:
            return
        upload = person.uploads[pick % len(person.uploads)]
        # A drive's key stands for whichever open upload of that name has arrived.
        meant = [other for other in person.uploads if upload.may_mean(other) and other.is_sent]
        key = upload.finish()
        assert (key is not None) == bool(meant)
        if key is not None:
            person.files[key] = Known(meant[0].body)
            person.uploads.remove(meant[0])

    @rule(user=USERS, pick=PICKS)
    @has_uploads
    def give_up(self, user: int, pick: int) -> None:
        if uploads := self.people[user].uploads:
            upload = uploads[pick % len(uploads)]
            if upload.give_up():
                uploads.remove(upload)

    @rule(user=USERS, name=NAMES)
    def go_past_the_quota(self, user: int, name: str) -> None:
        person, body = self.people[user], self.body()
        held = good(person.caller.get("/api/auth/me"))["storage"]
        self.limit(person, held["used"] + held["reserved"] + len(body) - 1)
        refused = [
            form(person.caller, "/s3/upload/", name, body),
            person.caller.post("/v1/files/uploads/", json=announced(name, body)),
            *(
                form(person.caller, "/api/s3/upload", name, body, key=key)
                for key in sorted(person.files)[:1]
            ),
        ]
        assert {answer.status_code for answer in refused} == {413}
        assert good(person.caller.get("/api/auth/me"))["storage"] == held | {
            "quota": held["used"] + held["reserved"] + len(body) - 1
        }
        self.limit(person, "none")

    # --- about ------------------------------------------------------------------------------------

    @rule(user=USERS, pick=PICKS, name=NAMES)
    @has_files
    def rename(self, user: int, pick: int, name: str) -> None:
        person = self.people[user]
        if (key := self.pick(person, pick)) is None:
            return
        target = f"{key.rpartition('/')[0]}/{name}"
        request = {"s3_key": key, "new_filename": name}
        answer = person.caller.post("/api/files/rename/", json=request)
        if target != key and (target in person.files or person.files[key].tier == "archived"):
            assert answer.status_code == 409
            return
        assert good(answer)["new_s3_key"] == target
        person.files[target] = person.files.pop(key)
        if target != key and person.files[target].tier == "restored":
            # S3 renames by a copy, which is archived as the original was; local storage moves it.
            path = f"/api/files/{quote(target)}/download_file/"
            status = person.caller.get(path, buffered=True).status_code
            assert status in (200, 202)

    @rule(user=USERS, pick=PICKS, hours=st.none() | st.integers(1, 3))
    @has_files
    def patch(self, user: int, pick: int, hours: int | None) -> None:
        person = self.people[user]
        if (key := self.pick(person, pick)) is None:
            return
        caller, file_id = person.caller, Files().ids(person.caller)[key]
        expires_at = self.room.clock() + timedelta(hours=hours) if hours else None
        patch = {"file_name": "patched.pdf", "expires_at": expires_at and expires_at.isoformat()}
        path = f"/v1/files/{file_id}/"
        good(caller.client.patch(path, json=patch, headers=caller.headers))
        assert good(caller.get(path))["file_name"] == "patched.pdf"
        person.files[key] = replace(person.files[key], expires_at=expires_at)

    @rule(user=USERS, pick=PICKS, tier=st.sampled_from(["standard", "glacier"]))
    @has_files
    def change_tier(self, user: int, pick: int, tier: str) -> None:
        person = self.people[user]
        if (key := self.pick(person, pick)) is None:
            return
        known = person.files[key]
        path = f"/api/files/{quote(key)}/change_tier/"
        answer = person.caller.post(path, json={"target_tier": tier})
        restores = tier == "standard" and known.tier == "archived"
        assert answer.status_code == (202 if restores else 200)
        if restores:
            known = replace(known, tier="restored")
        elif tier == "standard" or known.tier == "standard":
            known = replace(known, tier="archived" if tier == "glacier" else "standard")
        person.files[key] = known

    # --- out --------------------------------------------------------------------------------------

    @rule(user=USERS, pick=PICKS, door=DOOR_NAMES)
    @has_files
    def delete(self, user: int, pick: int, door: str) -> None:
        person = self.people[user]
        if (key := self.pick(person, pick)) is not None:
            assert DOORS[door].delete(person.caller, key) in (200, 204)
            del person.files[key]

    @rule(user=USERS, picks=st.lists(PICKS, min_size=1, max_size=3))
    @has_files
    def delete_many(self, user: int, picks: list[int]) -> None:
        person = self.people[user]
        keys = {key for pick in picks if (key := self.pick(person, pick)) is not None}
        if keys:
            report = good(person.caller.delete("/api/s3/objects", json={"keys": [*keys]}))
            assert {*report["deleted"]} == keys
            for key in keys:
                del person.files[key]

    @rule(user=USERS, folder=FOLDERS)
    def delete_folder(self, user: int, folder: str) -> None:
        person = self.people[user]
        prefix = f"users/{person.caller.uuid}/{folder}"
        below = [key for key in person.files if key.startswith(prefix)]
        if folder:
            request = {"key": prefix, "recursive": True}
            status = person.caller.delete("/api/s3/object", json=request).status_code
            assert status == (200 if below else 404)
            for key in below:
                del person.files[key]

    @rule(user=USERS, pick=PICKS)
    @has_files
    def reach_for_another_users(self, user: int, pick: int) -> None:
        thief, owner = self.people[user], self.people[1 - user]
        if (key := self.pick(owner, pick)) is not None:
            file_id = Files().ids(owner.caller)[key]
            bodies: list[tuple[str, dict[str, Any]]] = [
                ("/api/files", {"s3_key": key}),
                (f"/api/files/{file_id}", {}),
                (f"/v1/files/{file_id}/", {}),
                (f"/s3/delete/{quote(key)}/", {}),
                ("/api/s3/object", {"key": key}),
            ]
            for path, body in bodies:
                refused = thief.caller.delete(path, **({"json": body} if body else {}))
                assert refused.status_code in (403, 404), path

    # --- time -------------------------------------------------------------------------------------

    @rule()
    @precondition(lambda self: any(known.expires_at for _, known in self.all()))
    def an_hour_passes(self) -> None:
        self.room.clock.advance(hours=1)
        self.forget_expired()

    @rule()
    @has_uploads
    def a_day_passes_and_the_house_is_cleaned(self) -> None:
        self.room.clock.advance(hours=25)
        with self.room.app.app_context():
            maintenance().cleanup()
        for person in self.people:
            person.uploads.clear()
        self.forget_expired()

    # --- what must hold ---------------------------------------------------------------------------

    @invariant()
    def every_list_shows_what_is_there(self) -> None:
        FilesMachine.steps += 1
        for person in self.people:
            if person.files != person.seen:
                self.compare(person)

    def compare(self, person: Person) -> None:
        """Hold all lists of a user, what is counted for them, and one file, against the model."""
        with self.room.app.app_context():
            assert Totals(db.session()).wrong() == []
        held = good(person.caller.get("/api/auth/me"))["storage"]
        assert held["used"] >= sum(len(known.body) for known in person.files.values())
        assert held["reserved"] >= sum(upload.declared for upload in person.uploads)
        for door, keys in keys_shown(person.caller).items():
            assert keys == person.files.keys(), door
        if (key := self.pick(person, self.looked)) is not None:
            self.look(person, key)
        person.seen = {**person.files}

    def look(self, person: Person, key: str) -> None:
        """Read a file by the next of the contracts."""
        self.looked += 1
        known = person.files[key]
        if known.tier == "archived":
            path = f"/api/files/{quote(key)}/download_file/"
            assert person.caller.get(path).status_code == 202
            person.files[key] = replace(known, tier="restored")
        door = DOORS[READERS[self.looked % len(READERS)]]
        assert door.read(person.caller, key) == known.body, (door, key)

    def teardown(self) -> None:
        """Read all once more; database and storage agree."""
        if sys.exception() is not None:
            return
        for person in getattr(self, "people", []):
            self.compare(person)
            for key in [*person.files]:
                self.look(person, key)
        with self.room.app.app_context():
            found = replace(reconciliation(), pause=lambda _seconds: None).run().as_dict()
        assert not any(found.values()), found

    # --- how --------------------------------------------------------------------------------------

    def body(self) -> bytes:
        self.made += 1
        return samples.pdf() + b"%%%d\n" % self.made

    def pick(self, person: Person, pick: int) -> str | None:
        return sorted(person.files)[pick % len(person.files)] if person.files else None

    def limit(self, person: Person, choice: Choice) -> None:
        with self.room.app.app_context():
            service = user_quotas()
            service.set(service.find(person.caller.username), choice)

    def all(self) -> list[tuple[Person, Known]]:
        return [(person, known) for person in self.people for known in person.files.values()]

    def forget_expired(self) -> None:
        now = self.room.clock()
        for person in self.people:
            for key, known in [*person.files.items()]:
                if known.expires_at and known.expires_at <= now:
                    del person.files[key]
