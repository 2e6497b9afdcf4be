"""Whole numbers in queries and bodies: cut to their maximum, refused where they are none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from softfactory.http.fields import FileId
from softfactory.http.paging import PageNumber, whole_number
from softfactory.services.access import MAX_ID
from tests.conftest import Caller
from tests.http.failures import refusal
from tests.stacks import both_databases

NO_NUMBERS: list[Any] = [
    "", " ", "x", "-1", "+1", "1.0", "1e3", "0x1", "1 ", " 1", "\u0661", "\u00b2", "1_000", "\u00bd",
    "None", "true", None, True, 1.0, -1, [], {}, [1],
]  # fmt: skip


class Page(Schema):
    limit = PageNumber(load_default=50, maximum=100)
    offset = PageNumber(load_default=0, minimum=0)
    file_id = FileId()


def load(**data: Any) -> Any:
    return Page().load(data)


@pytest.mark.parametrize(
    ("sent", "taken"),
    [("1", 1), ("50", 50), ("100", 100), ("101", 100), ("9" * 20, 100), ("9" * 5000, 100),
     (7, 7), (10**30, 100), ("007", 7), ("0" * 30 + "15", 15)],
)  # fmt: skip
def test_a_limit_is_taken_up_to_its_maximum(sent: Any, taken: int) -> None:
    assert load(limit=sent)["limit"] == taken


@pytest.mark.parametrize("name", ["limit", "offset", "file_id"])
@pytest.mark.parametrize("sent", NO_NUMBERS, ids=repr)
def test_what_is_no_whole_number_is_refused_by_its_name(name: str, sent: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        load(**{name: sent})

    assert list(caught.value.messages_dict) == [name]


@pytest.mark.parametrize("sent", ["0", "000", 0])
def test_a_limit_is_positive_and_an_offset_may_be_0(sent: Any) -> None:
    assert load(offset=sent)["offset"] == 0
    with pytest.raises(ValidationError, match="limit must be a positive whole number"):
        load(limit=sent)


def test_where_nothing_is_said_the_default_holds() -> None:
    assert load() == {"limit": 50, "offset": 0}


@pytest.mark.parametrize("sent", [MAX_ID, str(MAX_ID), MAX_ID + 1, "9" * 5000, 10**40])
def test_no_number_goes_past_what_a_database_can_compare_with(sent: Any) -> None:
    assert load(offset=sent, file_id=sent) == {"limit": 50, "offset": MAX_ID, "file_id": MAX_ID}


@given(st.integers(min_value=0, max_value=10**25), st.integers(min_value=0, max_value=40))
def test_a_number_is_itself_however_it_is_padded_up_to_64_bits(number: int, zeros: int) -> None:
    read = whole_number("0" * zeros + str(number))

    assert read is not None
    assert min(read, MAX_ID) == min(number, MAX_ID)


@both_databases
@pytest.mark.parametrize("sent", ["0", "-1", "x", "1.5", "", "%20", "%00", "NaN", "%D9%A3", "1e9"])
def test_a_bad_limit_is_400_and_names_the_field(alice: Caller, sent: str) -> None:
    answer = alice.get(f"/api/files?limit={sent}")

    assert refusal(answer) == (400, "VALIDATION_ERROR")


@both_databases
def test_an_offset_behind_the_end_is_an_empty_page(alice: Caller) -> None:
    for sent in ("1", "9" * 19, "9" * 30, "9" * 5000):
        answer = alice.get(f"/api/files?limit={'9' * 30}&offset={sent}")

        assert (answer.status_code, answer.get_json()["files"]) == (200, []), sent
        assert answer.get_json()["limit"] == 100
