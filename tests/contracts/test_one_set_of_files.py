"""One set of files: what came in by one contract shows, opens and goes by all the others."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests import samples
from tests.conftest import Caller, needs_postgresql
from tests.contracts.doors import DOORS, WAYS_IN, Files, form, good
from tests.servers.s3_buckets import (
    ACCESS_KEY_ID,
    ENDPOINT_URL,
    SECRET_ACCESS_KEY,
    bucket_on,
    needs_server,
)

pytestmark = pytest.mark.parametrize(
    ("database_url", "storage_settings"),
    [
        ("sqlite", "local"),
        ("sqlite", "s3-moto"),
        pytest.param("postgresql", "local", marks=needs_postgresql),
        pytest.param("postgresql", "s3-rgw", marks=[needs_postgresql, needs_server]),
    ],
    indirect=True,
)

BODY = samples.pdf(size=3000)
NAME = "Jahresbericht 2026 ü+#%.pdf"


@pytest.fixture
def storage_settings(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[dict[str, Any]]:
    """The settings of an empty storage, a real S3 server among them."""
    if request.param == "local":
        yield {"upload_storage_handler": "local", "media_root": tmp_path / "media"}
        return
    with bucket_on(request.param.removeprefix("s3-")) as bucket:
        yield {
            "upload_storage_handler": "s3",
            "aws_s3_bucket": bucket.name,
            "aws_access_key_id": ACCESS_KEY_ID,
            "aws_secret_access_key": SECRET_ACCESS_KEY,
            "aws_s3_endpoint_url": ENDPOINT_URL if request.param == "s3-rgw" else None,
        }


@pytest.fixture
def keys(alice: Caller) -> dict[str, str]:
    """A file of alice's through each way in, by its key."""
    return {way: bring(alice, f"{way} {NAME}", BODY) for way, bring in WAYS_IN.items()}


def in_all(value: Any) -> dict[str, Any]:
    """Return what is expected of every contract."""
    return {name: value for name in DOORS}  # noqa: C420  # a set of its own for each


def listed(caller: Caller) -> dict[str, set[str]]:
    """Return the keys that each contract lists."""
    return {name: door.keys(caller) for name, door in DOORS.items()}


def opened(caller: Caller, key: str) -> dict[str, bytes | None]:
    """Return the bytes that each contract gives."""
    return {name: door.read(caller, key) for name, door in DOORS.items()}


def names(caller: Caller, file_id: int) -> set[Any]:
    """Return the names that the contracts which show one tell of a file."""
    info = good(caller.get(f"/api/files/{file_id}"))
    return {info["original_filename"], good(caller.get(f"/v1/files/{file_id}/"))["file_name"]}


def test_what_came_in_by_one_contract_is_listed_and_opened_by_all(
    alice: Caller, keys: dict[str, str]
) -> None:
    assert listed(alice) == in_all(set(keys.values()))
    for key in keys.values():
        assert opened(alice, key) == in_all(BODY)


@pytest.mark.parametrize("way_out", DOORS)
def test_what_one_contract_deletes_is_gone_in_all(
    alice: Caller, keys: dict[str, str], way_out: str
) -> None:
    left = set(keys.values())
    assert listed(alice) == in_all(left)  # and so in whatever a contract remembers

    for key in keys.values():
        assert DOORS[way_out].delete(alice, key) in (200, 204)
        left.remove(key)
        assert listed(alice) == in_all(left)
        assert opened(alice, key) == in_all(None)


def test_what_drive_renames_has_its_new_name_in_all(alice: Caller, keys: dict[str, str]) -> None:
    for way_in, key in keys.items():
        file_id = Files().ids(alice)[key]
        request = {"s3_key": key, "new_filename": f"{way_in} renamed.pdf"}

        renamed = good(alice.post("/api/files/rename/", json=request))["new_s3_key"]

        assert renamed == f"{key.rpartition('/')[0]}/{way_in} renamed.pdf"
        assert all(renamed in found and key not in found for found in listed(alice).values())
        assert opened(alice, renamed) == in_all(BODY)
        assert names(alice, file_id) == {f"{way_in} renamed.pdf"}


def test_what_uploads_patches_has_its_new_name_and_the_key_it_had(
    alice: Caller, keys: dict[str, str]
) -> None:
    for key in keys.values():
        file_id = Files().ids(alice)[key]
        patch = {"file_name": "patched.pdf"}

        path, headers = f"/v1/files/{file_id}/", alice.headers
        good(alice.client.patch(path, json=patch, headers=headers))

        assert names(alice, file_id) == {"patched.pdf"}
    assert listed(alice) == in_all(set(keys.values()))


def test_what_browser_writes_again_is_replaced_in_all(alice: Caller, keys: dict[str, str]) -> None:
    newer = samples.pdf(size=4000)
    ids = Files().ids(alice)

    for key in keys.values():
        good(form(alice, "/api/s3/upload", "again.pdf", newer, key=key))

        assert opened(alice, key) == in_all(newer)
    assert Files().ids(alice) == ids
    assert listed(alice) == in_all(set(keys.values()))
