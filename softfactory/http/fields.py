"""The field types that the contracts share."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields

from softfactory.clock import isoformat
from softfactory.http.paging import whole_number
from softfactory.services.access import MAX_ID
from softfactory.services.content_types import said_type, shown_type

MAX_ERRORS = 20
"""Errors that one answer names (docs/api/README.md, Errors)."""

MAX_TEXT = 4096
"""Characters of a text in a list: far more than any key has, and answers that name it are bounded."""


class UTCTime(fields.Field[datetime]):
    """A time: written as ISO 8601 in UTC with a ``Z``; read as ISO 8601, UTC where nothing is said."""

    def __init__(self, *, milliseconds: bool = False, **options: Any) -> None:  # noqa: ANN401  # marshmallow's options
        """Make the field; it writes whole seconds, or three more digits with ``milliseconds``."""
        super().__init__(**options)
        self._milliseconds = milliseconds

    def _serialize(self, value: datetime | None, *_args: Any, **_kwargs: Any) -> str | None:  # noqa: ANN401  # marshmallow's signature
        return None if value is None else isoformat(value, milliseconds=self._milliseconds)

    def _deserialize(self, value: Any, attr: str | None, *_args: Any, **_kwargs: Any) -> datetime:  # noqa: ANN401  # marshmallow's signature
        try:
            moment = datetime.fromisoformat(value)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return moment.astimezone(UTC)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValidationError(f"{attr} must be a time such as 2026-02-26T14:30:22Z.") from error


class Derived(fields.Field[Any]):
    """A value that is made of the whole object; who makes it is asked once for each dump."""

    _CHECK_ATTRIBUTE = False

    def __init__(self, made_by: Callable[[], Callable[[Any], Any]], **options: Any) -> None:  # noqa: ANN401  # marshmallow's options
        """Make the field; what ``made_by`` returns makes the value of an object."""
        super().__init__(**options)
        self.made_by = made_by

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # marshmallow's signature
        return self.made_by()(obj)


class Flag(fields.Boolean):
    """A JSON boolean; no number and no text stands for it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:  # noqa: ANN401  # marshmallow's signature
        if not isinstance(value, bool):
            raise ValidationError(f"{attr} must be true or false.")
        return value


class BoundedList(fields.List[Any]):
    """A list that is measured before any of its elements is looked at.

    It looks for no more errors than an answer names.
    """

    def __init__(
        self,
        inner: fields.Field[Any],
        *,
        minimum: int = 1,
        maximum: int,
        message: str,
        **options: Any,  # noqa: ANN401  # marshmallow's options
    ) -> None:
        """Make the field of ``inner``; ``message`` refuses what is shorter or longer."""
        bounds = {"minItems": minimum, "maxItems": maximum}
        super().__init__(inner, metadata={**bounds, **options.pop("metadata", {})}, **options)
        self._minimum, self._maximum, self._message = minimum, maximum, message

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:  # noqa: ANN401  # marshmallow's signature
        if not isinstance(value, list):
            raise self.make_error("invalid")
        if not self._minimum <= len(value) <= self._maximum:
            raise ValidationError(self._message)
        items: list[Any] = []
        errors: dict[Any, Any] = {}
        for index, item in enumerate(value):
            try:
                items.append(self.inner.deserialize(item, **kwargs))
            except ValidationError as error:
                errors[index] = error.messages
                if len(errors) > MAX_ERRORS:
                    break
        if errors:
            raise ValidationError(errors)
        return items


class WholeNumber(fields.Integer):
    """A whole number within its bounds, as a JSON number or, in forms, in plain digits."""

    def __init__(self, *, minimum: int, maximum: int, **options: Any) -> None:  # noqa: ANN401  # marshmallow's options
        """Make the field and document its bounds."""
        bounds = {"minimum": minimum, "maximum": maximum}
        super().__init__(metadata={**bounds, **options.pop("metadata", {})}, **options)
        self._minimum, self._maximum = minimum, maximum

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:  # noqa: ANN401  # marshmallow's signature
        number = whole_number(value)
        if number is None or not self._minimum <= number <= self._maximum:
            bounds = f"{self._minimum} to {self._maximum}"
            raise ValidationError(f"{attr} must be a whole number from {bounds}.")
        return number


class FileId(fields.Integer):
    """The integer id of a file, as a JSON number or a string of digits."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:  # noqa: ANN401  # marshmallow's signature
        number = whole_number(value)
        if number is None:
            raise ValidationError(f"{attr} must be the id of a file, a positive whole number.")
        return min(number, MAX_ID)


class MediaType(fields.String):
    """A media type, with parameters or without; null, empty and a wildcard come out as None.

    RFC 9110 section 8.3.1; what the database keeps of one has 255 characters.
    """

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  # marshmallow's options
        """Make the field, which may be null."""
        super().__init__(allow_none=True, **options)

    def _deserialize(  # type: ignore[override]  # None is a value
        self,
        value: Any,  # noqa: ANN401  # marshmallow's signature
        attr: str | None,
        data: Any,  # noqa: ANN401  # marshmallow's signature
        **kwargs: Any,  # noqa: ANN401  # marshmallow's signature
    ) -> str | None:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        try:
            return said_type(text)
        except ValueError as error:
            raise ValidationError(
                f"{attr} must be a content type such as video/mp4, of at most 255 characters."
            ) from error


class StoredType(fields.String):
    """The type that a file is stored with, as the contracts show it."""

    def _serialize(self, value: str | None, *_args: Any, **_kwargs: Any) -> str | None:  # noqa: ANN401  # marshmallow's signature
        return None if value is None else shown_type(value)
