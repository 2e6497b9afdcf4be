"""``all_versions`` and ``verify``: every version is found, and sound ones are said to be."""

import pytest

from softfactory.storage.base import Storage, Verdict
from softfactory.storage.keys import Key
from tests.storage.backends import VERSIONS


@pytest.mark.needs(VERSIONS)
def test_every_version_of_every_object_is_listed_and_sound(storage: Storage) -> None:
    for key in ("a", "b/c", "d"):
        storage.put(Key(key), [b"old"])
        storage.put(Key(key), [b"newer"])
    storage.delete(Key("d"))
    expected = [
        (version.key, version.version_id)
        for key in ("a", "b/c", "d")
        for version in storage.list_versions(Key(key))
    ]

    found = [*storage.all_versions()]

    assert [(version.key, version.version_id) for version in found] == expected
    assert [storage.verify(version, lambda _: None) for version in found] == [Verdict()] * len(
        found
    )
    assert [*storage.all_versions(start_after="a")] == [v for v in found if v.key != "a"]


def test_a_version_that_was_deleted_meanwhile_is_no_damage(storage: Storage) -> None:
    storage.put(Key("a"), [b"a"])
    (version,) = storage.all_versions()

    storage.purge(Key("a"))

    assert storage.verify(version, lambda _: None) is None
