"""Keys that clients wrote by means of their own: what lists show opens, downloads and goes."""

from typing import Any, cast
from urllib.parse import quote

import pytest
from flask import Flask

from softfactory.http.runtime import runtime
from softfactory.storage.keys import FolderKey, Key, StoredKey
from tests.blueprints.browser_client import keys_in_storage, listed, put, root, rows
from tests.blueprints.drive_client import fetch, upload
from tests.conftest import Caller
from tests.stacks import both_databases, both_storages, one_stack

ODD = [
    "a//b",
    "./x",
    "../y",
    "n/..",
    "n/.",
    "/lead",
    "t\tab",
    "n\nl",
    "end\n",
    "r\rcr",
    "\x01ctl",
    "c\x85",
    "f\ufffe",
    " ",
]
"""Behind a root; none of them may be written through this service."""

NFC, NFD = "Müller é.txt", "Mu\u0308ller e\u0301.txt"


def store(app: Flask, key: str) -> str:
    """Put an object as a client does that has credentials of its own."""
    with app.app_context():
        runtime().storage.put(cast(Key, StoredKey(key)), [b"hello"])
    return key


@pytest.fixture(params=ODD, ids=ascii)
def tail(request: pytest.FixtureRequest) -> str:
    """What stands behind the root."""
    tail: str = request.param
    return tail


@both_storages
def test_the_browser_opens_and_deletes_what_it_lists(app: Flask, alice: Caller, tail: str) -> None:
    key = store(app, root(alice) + tail)
    folder = key[: -len(StoredKey(key).filename)] if not key.endswith(("n/..", "n/.")) else None
    folder = folder if folder is not None else root(alice) + "n/"

    assert key in listed(alice, prefix=folder)
    about = alice.get("/api/s3/object/metadata", query_string={"key": key})
    link = alice.post("/api/s3/download", json={"key": key})
    assert (about.status_code, about.get_json()["content_length"]) == (200, 5)
    assert fetch(alice, link.get_json()["url"]) == b"hello"
    assert alice.delete("/api/s3/object", json={"key": key}).status_code == 200
    assert keys_in_storage(app) == []


@both_storages
def test_a_batch_and_a_folder_take_every_key_with_them(app: Flask, alice: Caller) -> None:
    batch = [store(app, f"{root(alice)}batch/{tail}") for tail in ODD]
    for tail in ODD:
        store(app, f"{root(alice)}folder/{tail}")

    answer = alice.delete("/api/s3/objects", json={"keys": batch})
    folder = alice.delete("/api/s3/object", json={"key": root(alice) + "folder", "recursive": True})

    assert answer.get_json() == {"deleted": batch, "errors": []}
    assert folder.status_code == 200
    assert keys_in_storage(app) == []


@both_storages
def test_simple_opens_and_deletes_what_it_lists(app: Flask, alice: Caller, tail: str) -> None:
    store(app, f"alice/{tail}")

    (shown,) = [file["key"] for file in alice.get("/s3/list").get_json()["files"]]
    path = quote(shown, safe="")
    assert alice.get(f"/s3/download/{path}/").data == b"hello"
    assert alice.delete(f"/s3/delete/{path}/").status_code == 200
    assert keys_in_storage(app) == []


@both_storages
@pytest.mark.parametrize("has_row", [False, True])
def test_every_id_of_the_drives_list_opens_its_file(
    app: Flask, alice: Caller, tail: str, *, has_row: bool
) -> None:
    for start in ("alice/", root(alice)):
        store(app, start + tail)
    if has_row:
        ran = app.test_cli_runner().invoke(args=["files", "reconcile", "--fix"])
        assert ran.exit_code == 0, ran.output

    for file in alice.get("/api/v3/files").get_json()["files"]:
        path = f"/api/files/{quote(file['id'], safe='')}"
        assert alice.get(f"{path}/details").get_json()["s3_key"] == file["s3_key"]
        assert alice.get(f"{path}/download_file").data == b"hello"
        url = alice.get(f"{path}/download_presigned_url").get_json()["presigned_url"]
        assert fetch(alice, url) == b"hello"
        assert alice.get(f"{path}/refresh").status_code == 200
        answer = alice.delete("/api/files", json={"s3_key": file["s3_key"]})
        assert answer.status_code == 200
    assert (keys_in_storage(app), rows(app)) == ([], {})


@one_stack
def test_none_of_them_can_be_written(alice: Caller, tail: str) -> None:
    allowed = {" "}

    assert put(alice, tail).status_code == (200 if tail in allowed else 400)


@both_storages
def test_dots_lead_to_no_one_elses_files(app: Flask, alice: Caller, bob: Caller) -> None:
    theirs = store(app, f"{root(bob)}secret")
    detour = f"{root(alice)}../{bob.uuid}/secret"

    answers = [
        alice.post("/api/s3/download", json={"key": detour}),
        alice.get(f"/api/files/{quote(detour, safe='')}/download_file"),
        alice.get(f"/s3/download/{quote('../' + theirs, safe='')}"),
        alice.delete("/api/s3/object", json={"key": detour, "recursive": True}),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert keys_in_storage(app) == [theirs]


# --- the same letters, composed and decomposed ------------------------------------------------


@both_databases
@pytest.mark.parametrize("sent", [NFC, NFD])
def test_the_drive_finds_a_file_by_the_name_it_was_sent_with(
    app: Flask, alice: Caller, sent: str
) -> None:
    upload(alice, sent)
    key = f"alice/{sent}"

    for identifier in (key, f"alice-{sent}", sent):
        assert alice.get(f"/api/files/{quote(identifier)}/details").status_code == 200
    renamed = alice.post("/api/files/rename", json={"s3_key": key, "new_filename": f"2 {sent}"})
    assert renamed.status_code == 200
    deleted = alice.delete("/api/files", json={"s3_key": f"alice/2 {sent}"})
    assert (deleted.status_code, keys_in_storage(app)) == (200, [])


@one_stack
def test_an_upload_is_given_up_by_the_name_it_was_sent_with(alice: Caller) -> None:
    body = {"file_name": NFD, "file_size": 5}
    assert alice.post("/api/files/upload", json=body).status_code == 200

    assert alice.delete("/api/files", json={"s3_key": f"alice/{NFD}"}).status_code == 200


@both_storages
@pytest.mark.parametrize(("stored", "asked"), [(NFC, NFD), (NFD, NFC)])
def test_simple_finds_a_file_in_the_other_form(
    app: Flask, alice: Caller, stored: str, asked: str
) -> None:
    store(app, f"alice/{stored}")

    shown = alice.get("/s3/list", query_string={"prefix": asked[:3]}).get_json()["files"]
    assert [file["key"] for file in shown] == [stored]
    assert alice.get(f"/s3/download/{quote(asked)}/").data == b"hello"
    assert alice.delete(f"/s3/delete/{quote(asked)}/").status_code == 200


@one_stack
def test_a_name_whose_other_form_is_too_long_for_a_key_lists_its_own_file(
    app: Flask, alice: Caller
) -> None:
    name = "한" * 330
    store(app, f"alice/{name}")

    simple = alice.get("/s3/list", query_string={"prefix": name}).get_json()["files"]

    assert [file["key"] for file in simple] == [name]
    assert listed(alice, prefix=f"alice/{name}") == [f"alice/{name}"]


@both_storages
@pytest.mark.parametrize(("stored", "asked"), [(NFC, NFD), (NFD, NFC)])
def test_the_browser_finds_an_object_in_the_other_form(
    app: Flask, alice: Caller, stored: str, asked: str
) -> None:
    key = store(app, f"{root(alice)}{stored}/{stored}")
    other = f"{root(alice)}{asked}/{asked}"

    assert listed(alice, prefix=f"{root(alice)}{asked}/") == [key]
    found = alice.get(
        "/api/s3/search", query_string={"prefix": f"{root(alice)}{asked}/", "query": asked}
    )
    assert [entry["key"] for entry in found.get_json()] == [key]
    assert alice.post("/api/s3/download", json={"key": other}).status_code == 200
    assert alice.get("/api/s3/object/metadata", query_string={"key": other}).status_code == 200
    versions = alice.get("/api/s3/object/versions", query_string={"key": other})
    assert len(versions.get_json()) == 1
    answer = alice.delete("/api/s3/objects", json={"keys": [other]})
    assert answer.get_json() == {"deleted": [other], "errors": []}
    assert keys_in_storage(app) == []


@one_stack
def test_of_two_forms_the_one_that_was_sent_is_meant(app: Flask, alice: Caller) -> None:
    for form in (NFC, NFD):
        put(alice, form)

    assert alice.delete("/api/s3/object", json={"key": root(alice) + NFD}).status_code == 200
    assert keys_in_storage(app) == [root(alice) + NFC]


@one_stack
def test_a_folder_goes_by_its_other_form(app: Flask, alice: Caller) -> None:
    with app.app_context():
        runtime().storage.put(FolderKey(f"{root(alice)}{NFC}"), [])

    body: dict[str, Any] = {"key": f"{root(alice)}{NFD}"}
    assert alice.delete("/api/s3/object", json=body).status_code == 200
    assert keys_in_storage(app) == []
