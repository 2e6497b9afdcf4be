"""The lines of the browser's lists."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from softfactory.storage.base import ObjectSummary

DELIMITER = "/"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a list: an object, or a folder, of which nothing but its key is known."""

    key: str
    size: int = 0
    last_modified: datetime | None = None
    etag: str = ""
    storage_class: str = ""
    is_folder: bool = True

    @classmethod
    def of(cls, found: ObjectSummary) -> Self:
        """Return the line of an object; one whose key ends in a slash is a folder's marker."""
        if found.key.endswith(DELIMITER):
            return cls(found.key)
        return cls(
            key=found.key,
            size=found.size,
            last_modified=found.last_modified,
            etag=found.etag,
            storage_class=found.storage_class,
            is_folder=False,
        )
