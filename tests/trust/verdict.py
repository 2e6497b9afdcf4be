"""What all contracts show, held against what clients were told."""

from collections.abc import Iterable, Iterator, Mapping

from tests.conftest import Caller
from tests.contracts.doors import DOORS, good
from tests.trust.ledger import NAME, Doubt, Ledger, Stored, World, digest

Shown = Mapping[str, Mapping[str, str]]
"""The keys that each contract lists, by the names at their ends."""

READERS = ("drive v2", "browser", "simple")
"""The doors that open a file by its key alone, without a list."""


def keys_shown(caller: Caller) -> dict[str, set[str]]:
    """Return the keys of the user's complete files in the list of each contract."""
    keys = {name: door.keys(caller) for name, door in DOORS.items()}
    keys["browser"] = {key for found in keys["browser"] for key in _below(caller, found)}
    # The one list that tells of uploads which are not confirmed yet.
    listed = good(caller.get("/api/v3/files/?per_page=1000"))["files"]
    keys["drive v3"] = {file["s3_key"] for file in listed if file["upload_complete"] == "complete"}
    return keys


def _below(caller: Caller, key: str) -> Iterator[str]:
    """Yield what the browser shows of ``key``: itself, or what lies in it if it is a folder."""
    if not key.endswith("/"):
        yield key
        return
    page = good(caller.get("/api/s3/objects", query_string={"prefix": key}))
    for entry in page["objects"]:
        yield from _below(caller, entry["key"])


def shown_by_all(caller: Caller) -> Shown:
    """Return what each contract lists of this user's files.

    Raises:
        AssertionError: a list has a key that no client made, or two of one name.
    """
    return {door: _by_name(door, keys) for door, keys in keys_shown(caller).items()}


def check(caller: Caller, ledgers: Iterable[Ledger], *, is_settled: bool) -> int:
    """Hold all that a user sees against the ledgers of their clients; return how many files.

    Args:
        is_settled: cleanup and reconcile have run, so that what was lost is done or not done.
            Before, its files may show in some lists; but no others, and no bytes nobody sent.

    Raises:
        AssertionError: with what is missing, left over or changed.
    """
    ledgers = [*ledgers]
    shown = shown_by_all(caller)
    if is_settled:
        for ledger in ledgers:
            _settle(caller, shown, ledger)
    certain = {name: stored for ledger in ledgers for name, stored in ledger.files.items()}
    doubtful = {name: doubt for ledger in ledgers for name, doubt in ledger.doubtful.items()}
    for door, found in shown.items():
        known = {name for name in found if name not in doubtful}
        lost, extra = certain.keys() - known, known - certain.keys()
        assert not lost, f"{door} of {caller.username} has lost {sorted(lost)}"
        assert not extra, f"{door} of {caller.username} shows {sorted(extra)}"
    for number, (name, stored) in enumerate(certain.items()):
        key = shown["browser"][name]
        body = _read(caller, READERS[number % len(READERS)], key)
        assert stored.is_at(key, body), f"{key} has other bytes, or is not {stored.key}: {body}"
    for name, doubt in doubtful.items():
        _check_doubtful(caller, shown, name, doubt)
    _fill_in(ledgers, shown)
    return len(certain)


def _check_doubtful(caller: Caller, shown: Shown, name: str, doubt: Doubt) -> None:
    for key in {found[name] for found in shown.values() if name in found}:
        for door in READERS:
            body = _read(caller, door, key)
            assert body is None or body in doubt.bodies, f"{door} gives others' bytes for {key}"


def _settle(caller: Caller, shown: Shown, ledger: Ledger) -> None:
    """Find out for each lost operation whether it was done; it must be the one or the other."""
    for doubt in [*ledger.doubts]:
        for world in doubt.worlds:
            if _is_so(caller, shown, world):
                ledger.resolve(doubt, world)
                break
        else:
            found = {
                name: {door: keys.get(name) for door, keys in shown.items()}
                for name in doubt.before
            }
            raise AssertionError(f"half done: {doubt}; shown: {found}")


def _is_so(caller: Caller, shown: Shown, world: World) -> bool:
    for name, stored in world.items():
        keys = {found.get(name) for found in shown.values()}
        if len(keys) > 1:
            return False
        key = keys.pop()
        if stored is None or key is None:
            if stored is not None or key is not None:
                return False
        elif any(not stored.is_at(key, _read(caller, door, key)) for door in READERS):
            return False
    return True


def _fill_in(ledgers: Iterable[Ledger], shown: Shown) -> None:
    """Write the keys into the ledgers that no answer told."""
    for ledger in ledgers:
        for name, stored in ledger.files.items():
            ledger.files[name] = Stored(shown["browser"][name], stored.body)


def _read(caller: Caller, door: str, key: str) -> str | None:
    body = DOORS[door].read(caller, key)
    return None if body is None else digest(body)


def _by_name(door: str, keys: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in keys:
        match = NAME.search(key)
        assert match is not None, f"{door} shows {key}, which nobody made"
        assert match[0] not in found, f"{door} shows both {key} and {found[match[0]]}"
        found[match[0]] = key
    return found
