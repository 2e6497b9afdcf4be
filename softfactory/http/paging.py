"""The query fields of lists: whole numbers, cut to their maximum, never below their minimum."""

from typing import Any

from marshmallow import ValidationError, fields

from softfactory.services.access import MAX_ID


class PageNumber(fields.Integer):
    """A whole number of at least ``minimum``; more than ``maximum`` counts as ``maximum``.

    Contracts, "Numbers out of range": a page size over its maximum is cut to the maximum; anything
    that is not a positive whole number is 400.
    """

    def __init__(self, *, minimum: int = 1, maximum: int = MAX_ID, **options: Any) -> None:  # noqa: ANN401  # marshmallow's options
        """Make the field and document its bounds."""
        metadata = {"minimum": minimum, **options.pop("metadata", {})}
        super().__init__(metadata=metadata, **options)
        self._minimum, self._maximum = minimum, maximum

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:  # noqa: ANN401  # marshmallow's signature
        number = whole_number(value)
        if number is None or number < self._minimum:
            kind = "positive whole number" if self._minimum else "whole number from 0 up"
            raise ValidationError(f"{attr} must be a {kind}.")
        return min(number, self._maximum)


def whole_number(value: Any) -> int | None:  # noqa: ANN401  # whatever was sent
    """Return the number that ``value`` is or spells in plain digits, None if it does not.

    Numbers past 64 bits come back as some number past 64 bits, however long they are.
    """
    text = str(value)
    if not text.isascii() or not text.isdigit():
        return None
    return int(text.lstrip("0")[:20] or "0")
