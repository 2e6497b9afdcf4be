"""/v1/files: list, details, changes and deletion of files, whichever contract they came by."""

from datetime import timedelta
from typing import Any

import pytest

from tests import samples
from tests.blueprints.test_files_upload import send
from tests.blueprints.uploads_client import begin
from tests.conftest import Caller
from tests.doubles import FakeClock
from tests.stacks import one_stack


def change(caller: Caller, file_id: Any, **changes: Any) -> Any:
    return caller.client.patch(f"/v1/files/{file_id}/", json=changes, headers=caller.headers)


@pytest.fixture
def document(alice: Caller) -> dict[str, Any]:
    """A file of alice's that came by form, as this contract shows it."""
    file_id = send(alice, samples.pdf()).get_json()["file_id"]
    answer: dict[str, Any] = alice.get(f"/v1/files/{file_id}/").get_json()
    return answer


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_file_that_came_by_form_shows_with_every_field(
    alice: Caller, clock: FakeClock, slash: str
) -> None:
    sent = send(alice, samples.pdf()).get_json()

    response = alice.get(f"/v1/files/{sent['file_id']}{slash}")

    assert response.status_code == 200
    assert response.get_json() == {
        "id": str(sent["file_id"]),
        "file_name": "document.pdf",
        "file_size": sent["size"],
        "file_content_type": "application/pdf",
        "upload_status": "completed",
        "url": sent["cdn_url"],
        "created": f"{clock.now:%Y-%m-%dT%H:%M:%SZ}",
        "parent_content_type": None,
        "parent_object_id": None,
        "expires_at": None,
    }


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_list_is_paged_with_full_urls(alice: Caller, clock: FakeClock, slash: str) -> None:
    ids: list[str] = []
    for _ in range(5):
        ids.insert(0, str(send(alice, samples.png(), "a.png").get_json()["file_id"]))
        clock.advance(seconds=1)

    page = alice.get(f"/v1/files{slash}?limit=2&offset=2").get_json()

    assert page["count"] == 5
    assert [file["id"] for file in page["results"]] == ids[2:4]
    assert page["next"] == "http://localhost:8000/v1/files/?limit=2&offset=4"
    assert page["previous"] == "http://localhost:8000/v1/files/?limit=2&offset=0"


def test_following_next_shows_every_file_once(alice: Caller, document: dict[str, Any]) -> None:
    for _ in range(4):
        send(alice, samples.png(), "a.png")

    seen, url = [], "http://localhost:8000/v1/files/?limit=2"
    while url:
        page = alice.get(url.removeprefix("http://localhost:8000")).get_json()
        seen += [file["id"] for file in page["results"]]
        url = page["next"]

    assert len(seen) == len(set(seen)) == page["count"] == 5


def test_a_list_of_nothing(alice: Caller) -> None:
    assert alice.get("/v1/files/").get_json() == {
        "count": 0,
        "next": None,
        "previous": None,
        "results": [],
    }


@pytest.mark.light
def test_a_limit_over_the_maximum_is_cut_to_it(alice: Caller) -> None:
    send(alice, samples.png(), "a.png")

    page = alice.get("/v1/files/?limit=1000&offset=500").get_json()

    assert page["previous"] == "http://localhost:8000/v1/files/?limit=100&offset=400"


@pytest.mark.light
@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=-1", "offset=-1", "offset=1.5"])
def test_numbers_out_of_range_are_400(alice: Caller, query: str) -> None:
    response = alice.get(f"/v1/files/?{query}")

    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == [query.partition("=")[0]]


def test_only_ones_own_files_are_listed(alice: Caller, bob: Caller, admin: Caller) -> None:
    send(alice, samples.pdf())

    assert bob.get("/v1/files/").get_json()["count"] == 0
    assert admin.get("/v1/files/").get_json()["count"] == 0


def test_an_unfinished_upload_shows_by_its_id_alone(alice: Caller) -> None:
    begun = begin(alice)

    info = alice.get(f"/v1/files/{begun['file_obj']['id']}/").get_json()

    assert info["upload_status"] == "uploading"
    assert alice.get("/v1/files/").get_json()["count"] == 0


def test_a_name_is_changed_and_the_key_stays(alice: Caller, document: dict[str, Any]) -> None:
    before = alice.get(f"/api/files/{document['id']}").get_json()

    response = change(alice, document["id"], file_name="renamed.pdf")

    assert response.status_code == 200
    assert response.get_json() == document | {"file_name": "renamed.pdf"}
    after = alice.get(f"/api/files/{document['id']}").get_json()
    assert after == before | {"original_filename": "renamed.pdf"}


def test_parents_are_changed_and_cleared(alice: Caller, document: dict[str, Any]) -> None:
    parents = {"parent_content_type": "blog.post", "parent_object_id": 7}

    changed = change(alice, document["id"], **parents).get_json()
    cleared = change(alice, document["id"], parent_object_id=None).get_json()

    assert changed == document | parents
    assert cleared == changed | {"parent_object_id": None}


def test_an_expiry_is_set_kept_and_cleared(
    alice: Caller, document: dict[str, Any], clock: FakeClock
) -> None:
    moment = f"{clock.now + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"

    assert change(alice, document["id"], expires_at=moment).get_json()["expires_at"] == moment
    assert change(alice, document["id"], file_name="b.pdf").get_json()["expires_at"] == moment
    assert change(alice, document["id"], expires_at=None).get_json()["expires_at"] is None


def test_an_expired_file_is_gone(alice: Caller, document: dict[str, Any], clock: FakeClock) -> None:
    moment = f"{clock.now + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    change(alice, document["id"], expires_at=moment)

    clock.advance(hours=1)

    assert alice.get("/v1/files/").get_json()["count"] == 0
    assert alice.get(f"/v1/files/{document['id']}/").status_code == 404
    assert change(alice, document["id"], expires_at=None).status_code == 404
    assert alice.delete(f"/v1/files/{document['id']}/").status_code == 404


@pytest.mark.light
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("file_name", None),
        ("file_name", "/"),
        ("file_name", "a/b"),
        ("file_name", "b/"),
        ("file_name", "x" * 1025),
        ("parent_content_type", 7),
        ("parent_object_id", "seven"),
        ("parent_object_id", 2**63),
        ("expires_at", "tomorrow"),
        ("expires_at", "2020-01-01T00:00:00Z"),
        ("expires_at", 5),
    ],
)
def test_a_change_that_is_wrong_is_400_and_named(
    alice: Caller, document: dict[str, Any], field: str, value: Any
) -> None:
    response = change(alice, document["id"], **{field: value})

    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == [field]
    assert alice.get(f"/v1/files/{document['id']}/").get_json() == document


@pytest.mark.light
def test_what_cannot_be_changed_is_ignored(alice: Caller, document: dict[str, Any]) -> None:
    response = change(alice, document["id"], file_size=1, upload_status="failed", id="9")

    assert response.get_json() == document


def test_a_deleted_file_is_gone_everywhere(alice: Caller, document: dict[str, Any]) -> None:
    response = alice.delete(f"/v1/files/{document['id']}/")

    assert (response.status_code, response.get_data()) == (204, b"")
    assert alice.get(f"/v1/files/{document['id']}/").status_code == 404
    assert alice.get(f"/api/files/{document['id']}").status_code == 404
    assert alice.delete(f"/v1/files/{document['id']}/").status_code == 404


@one_stack
def test_someone_elses_file_is_403(bob: Caller, document: dict[str, Any]) -> None:
    path = f"/v1/files/{document['id']}/"

    for response in (bob.get(path), bob.delete(path), change(bob, document["id"], file_name="x")):
        assert response.status_code == 403


def test_an_administrator_reads_and_deletes_but_does_not_change(
    admin: Caller, document: dict[str, Any]
) -> None:
    path = f"/v1/files/{document['id']}/"

    assert admin.get(path).get_json() == document
    assert change(admin, document["id"], file_name="x").status_code == 403
    assert admin.delete(path).status_code == 204


@pytest.mark.light
@pytest.mark.parametrize("file_id", ["0", "999", "abc", "-1", "1.5", "9" * 30, "9" * 5000])
def test_a_file_that_is_not_there_is_404(alice: Caller, file_id: str) -> None:
    path = f"/v1/files/{file_id}/"

    assert alice.get(path).status_code == 404
    assert alice.delete(path).status_code == 404
    assert change(alice, file_id, file_name="x").status_code == 404


@pytest.mark.light
def test_an_id_is_spelt_in_plain_digits(alice: Caller) -> None:
    file_id = begin(alice)["file_obj"]["id"]
    arabic = "".join(chr(ord("\N{ARABIC-INDIC DIGIT ZERO}") + int(digit)) for digit in file_id)

    assert alice.get(f"/v1/files/{file_id}").status_code == 200
    assert alice.get(f"/v1/files/{arabic}").status_code == 404
