"""Contract: a prefix is free only where storage has nothing at all below it."""

import pytest

from softfactory.storage.keys import FolderKey, Key
from tests.storage.backends import VERSIONS, Backend
from tests.storage.samples import begin, store

KEY = Key("alice/folder/report.pdf")


def test_nothing_is_below_a_prefix_beside_the_others(backend: Backend) -> None:
    for name in ("alic/e", "alice", "alice.b/x", "alice0/x", "Alice/x", "bob/alice/x"):
        store(backend.storage, Key(name))

    assert not backend.storage.holds_anything("alice/")


def test_an_object_is_something(backend: Backend) -> None:
    store(backend.storage, KEY)

    assert backend.storage.holds_anything("alice/")
    assert backend.storage.holds_anything("alice/folder/")
    assert not backend.storage.holds_anything("alice/other/")


def test_a_folders_marker_is_something(backend: Backend) -> None:
    backend.storage.put(FolderKey("alice"), [])

    assert backend.storage.holds_anything("alice/")


@pytest.mark.needs(VERSIONS)
def test_an_older_version_of_what_is_deleted_is_something_until_it_is_gone(
    backend: Backend,
) -> None:
    store(backend.storage, KEY)
    backend.storage.delete(KEY)
    before = backend.storage.holds_anything("alice/")

    backend.storage.purge(KEY)

    assert (before, backend.storage.holds_anything("alice/")) == (True, False)


def test_an_open_upload_is_something_until_it_is_aborted(backend: Backend) -> None:
    upload_id, _ = begin(backend.storage, KEY, b"part")
    before = backend.storage.holds_anything("alice/")

    backend.storage.abort_multipart(KEY, upload_id)

    assert (before, backend.storage.holds_anything("alice/")) == (True, False)
