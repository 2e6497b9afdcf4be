"""``[Content_Types].xml``: of what type each part of a package is (ECMA-376 part 2, 7.2.3)."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote
from xml.parsers import expat


class _Refused(Exception):
    """The document has a DTD, which a package must not have."""


@dataclass(frozen=True, slots=True)
class PackageTypes:
    """What the two kinds of elements say, all in lower case; of one part perhaps two things."""

    _by_extension: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _by_name: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @classmethod
    def read(cls, xml: bytes) -> Self | None:
        """Return what the document says; None where it is no well-formed XML without a DTD."""
        types = cls()
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = types._take
        parser.StartDoctypeDeclHandler = _refuse
        try:
            parser.Parse(xml, True)  # noqa: FBT003  # takes it by position only
        except (expat.ExpatError, _Refused, ValueError):
            return None
        return types

    def of(self, name: str) -> set[str]:
        """Return what is said of a part, by its name in lower case; its own type wins."""
        name = unquote(name)
        return self._by_name.get(name) or self._by_extension.get(name.rpartition(".")[2]) or set()

    def _take(self, element: str, attributes: dict[str, str]) -> None:
        kind = attributes.get("ContentType", "").partition(";")[0].strip().lower()
        local_name = element.rpartition(" ")[2]
        if local_name == "Default":
            self._by_extension[attributes.get("Extension", "").lower()].add(kind)
        elif local_name == "Override":
            name = unquote(attributes.get("PartName", "")).lstrip("/").lower()
            self._by_name[name].add(kind)


def _refuse(*_declaration: object) -> None:
    raise _Refused
