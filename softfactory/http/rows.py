"""Schemas of what lists hold: a page is dumped by readers made once, not value by value anew.

For each value marshmallow looks up how to get it, whether it is there and who dumps it. Of fifty
rows that took a third of a page's time, and the answers to these questions are the same for all.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from marshmallow import fields, missing

from softfactory.http.fields import Derived, StoredType, UTCTime
from softfactory.http.schemas import Answer

Reader = Callable[[Any], Any]
"""Returns of an object what one field, or one schema, dumps of it."""


class RowSchema(Answer):
    """A schema of objects with attributes that come many at a time.

    Many are dumped as one by one, at a tenth of the cost. What these readers do not know, such as
    mappings and values that are not there, marshmallow dumps itself.
    """

    def _serialize(self, obj: Any, *, many: bool = False) -> Any:  # noqa: ANN401  # marshmallow's signature
        if not many or obj is None:
            return super()._serialize(obj, many=many)
        rows = [*obj]
        if not any(isinstance(row, dict) for row in rows):
            try:
                return [*map(self.reader(), rows)]
            except AttributeError:
                pass  # marshmallow leaves out what an object does not have
        return super()._serialize(rows, many=True)

    def reader(self) -> Reader:
        """Return what dumps one object; for one dump, because of ``Derived`` fields."""
        columns = [
            (name if field.data_key is None else field.data_key, _reader(self, name, field))
            for name, field in self.dump_fields.items()
        ]
        return lambda row: {
            key: value for key, read in columns if (value := read(row)) is not missing
        }


class Part(fields.Nested):
    """An object inside the answer that tells of the same object as the answer itself.

    Its schema is a ``RowSchema`` without hooks.
    """

    def get_value(self, obj: Any, *_args: Any, **_kwargs: Any) -> Any:  # noqa: ANN401  # marshmallow's signature
        """Return the whole object."""
        return obj


def _reader(schema: RowSchema, name: str, field: fields.Field[Any]) -> Reader:
    """Return what reads of a row what ``field`` dumps; of an unknown field, marshmallow's way."""
    if isinstance(field, Derived):
        return field.made_by()
    if type(field) is fields.Function and field.serialize_func is not None:
        function: Reader = field.serialize_func
        return function
    if isinstance(field, Part) and isinstance(field.schema, RowSchema):
        return field.schema.reader()
    if type(field) not in _PLAIN and not isinstance(field, StoredType | UTCTime):
        return lambda row: field.serialize(name, row, accessor=schema.get_attribute)
    get = attrgetter(name if field.attribute is None else field.attribute)
    # Most values are what they are dumped as.
    plain = _PLAIN.get(type(field), ())
    dump = field._serialize  # noqa: SLF001  # what marshmallow's own ``serialize`` ends in

    def read(row: Any) -> Any:  # noqa: ANN401  # any value
        value = get(row)
        return value if type(value) in plain else dump(value, name, row)

    return read


_PLAIN: dict[type[fields.Field[Any]], tuple[type, ...]] = {
    fields.String: (str, type(None)),
    fields.Integer: (int, type(None)),
    fields.Boolean: (bool, type(None)),
}
"""The field types whose values, if they are of one of these types, are dumped as they are."""
