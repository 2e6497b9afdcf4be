"""Many objects are dumped as one by one, whatever their values are."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from marshmallow import Schema, fields, post_dump

from softfactory.http.fields import Derived, UTCTime
from softfactory.http.rows import Part, RowSchema

MOMENT = datetime(2026, 2, 26, 14, 30, 22, 345_678, tzinfo=UTC)


class Size(RowSchema):
    bytes = fields.Integer(attribute="size")


class Row(RowSchema):
    name = fields.String()
    text = fields.String(attribute="number", data_key="as-text", dump_only=True)
    number = fields.Integer()
    flag = fields.Boolean()
    moment = UTCTime()
    exact = UTCTime(attribute="moment.value", milliseconds=True)
    size = Part(Size)
    kind = fields.Constant("row")
    shout = fields.Function(lambda row: f"{row.name}!")
    whole = Derived(lambda: repr)
    amount = fields.Float(attribute="number", dump_only=True)
    secret = fields.String(load_only=True)


class ListOfRows(Schema):
    rows = fields.Nested(Row, many=True)


@dataclass
class Thing:
    """An object with the attributes that the schema asks for, but for ``moment.value``."""

    name: Any = "a"
    number: Any = 1
    flag: Any = True
    moment: Any = MOMENT
    size: Any = 2


class Moment(datetime):
    """A time that knows itself by another name."""

    @property
    def value(self) -> datetime:
        return self


WHOLE = Moment(2026, 2, 26, 14, 30, 22, 345_678, tzinfo=UTC)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [Thing(moment=WHOLE)],
        [Thing(moment=WHOLE), Thing("b", 2, moment=WHOLE)],
        [Thing(name=7, number="7", flag=None, moment=WHOLE, size=None)],
        [Thing(name=None, number=None, moment=WHOLE)],
        [Thing(name=b"bytes", number=True, flag="yes", moment=WHOLE)],
        [Thing()],
        [Thing(moment=None)],
        [Thing(moment=WHOLE), SimpleNamespace(name="half")],
        [{"name": "of a mapping", "number": 1}, Thing(moment=WHOLE)],
    ],
    ids=["none", "one", "two", "odd", "null", "bytes", "path", "no path", "half", "mapping"],
)
def test_many_are_dumped_as_one_by_one(rows: list[Any]) -> None:
    schema = Row(exclude=["shout"])

    dumped = schema.dump(rows, many=True)

    assert dumped == [schema.dump(row) for row in rows]
    assert [[*row] for row in dumped] == [[*schema.dump(row)] for row in rows]


def test_a_row_has_its_fields_in_the_order_of_the_schema() -> None:
    (row,) = ListOfRows().dump({"rows": [Thing(moment=WHOLE)]})["rows"]

    assert [*row.items()] == [
        ("name", "a"),
        ("as-text", "1"),
        ("number", 1),
        ("flag", True),
        ("moment", "2026-02-26T14:30:22Z"),
        ("exact", "2026-02-26T14:30:22.345Z"),
        ("size", {"bytes": 2}),
        ("kind", "row"),
        ("shout", "a!"),
        ("whole", repr(Thing(moment=WHOLE))),
        ("amount", 1.0),
    ]


@pytest.mark.parametrize("many", [False, True])
def test_a_number_that_is_none_is_refused_either_way(*, many: bool) -> None:
    thing = Thing(number="no number", moment=WHOLE)

    with pytest.raises(ValueError, match="no number"):
        Row().dump([thing] if many else thing, many=many)


def test_who_makes_a_derived_value_is_asked_once_for_many() -> None:
    asked: list[None] = []

    def made_by() -> Callable[[Any], int]:
        asked.append(None)
        return len

    class Lengths(RowSchema):
        length = Derived(made_by)

    dumped = Lengths().dump([(), (1,), (1, 2)], many=True)

    assert dumped == [{"length": 0}, {"length": 1}, {"length": 2}]
    assert len(asked) == 1


def test_hooks_see_rows_too() -> None:
    class Hooked(RowSchema):
        name = fields.String()

        @post_dump
        def shout(self, data: dict[str, str], **_kwargs: Any) -> dict[str, str]:
            return {"name": data["name"].upper()}

    assert Hooked().dump([Thing("a"), Thing("b")], many=True) == [{"name": "A"}, {"name": "B"}]


@pytest.mark.parametrize("hours", [-5, 0, 2])
def test_a_time_is_written_in_utc(hours: int) -> None:
    class Timed(RowSchema):
        moment = UTCTime()

    local = MOMENT.astimezone(timezone(timedelta(hours=hours)))

    assert Timed().dump([Thing(moment=local)], many=True) == [{"moment": "2026-02-26T14:30:22Z"}]
