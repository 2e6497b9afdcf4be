"""Word and Excel in ZIP archives, told by the content types of the parts that are there.

An Office document is a package (ECMA-376 part 2): a ZIP archive whose ``[Content_Types].xml`` says
of what type each part is, by its name or by its extension. It may lie anywhere in the archive and
an embedded workbook brings its own, so all of that name are unpacked as they pass; the central
directory at the end says which of them is the real one.
"""

import re

from softfactory.services.content_types.capture import Capture, Tail
from softfactory.services.content_types.package_types import PackageTypes
from softfactory.services.content_types.zip_directory import END, Entry, read_directory
from softfactory.services.content_types.zip_member import LOCAL, LOCAL_SIZE, Member

ZIP = "application/zip"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

ZIP_MAGICS = (LOCAL, END, b"PK\x07\x08")

_TYPES_PART = b"[content_types].xml"
_FIND_TYPES_PART = re.compile(
    rb"\[[Cc][Oo][Nn][Tt][Ee][Nn][Tt]_[Tt][Yy][Pp][Ee][Ss]\]\.[Xx][Mm][Ll]"
)
_SEAM = LOCAL_SIZE + len(_TYPES_PART) - 1

_LONGEST_DIRECTORY = 1024 * 1024
"""Bytes kept of the end of a file: a central directory of some 8,000 parts."""

_MOST_MEMBERS = 64
_LARGEST_TYPES_PART = 1024 * 1024
_ALL_TYPES_PARTS = 2 * 1024 * 1024
"""Bytes, unpacked; of a workbook of 1,000 sheets it has a quarter of a MiB."""

_MAIN_TYPES = {
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml": DOCX,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml": XLSX,
    "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml": (
        "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    ),
    "application/vnd.ms-word.document.macroenabled.main+xml": (
        "application/vnd.ms-word.document.macroenabled.12"
    ),
    "application/vnd.ms-excel.sheet.macroenabled.main+xml": (
        "application/vnd.ms-excel.sheet.macroenabled.12"
    ),
    "application/vnd.ms-excel.sheet.binary.macroenabled.main": (
        "application/vnd.ms-excel.sheet.binary.macroenabled.12"
    ),
}
"""Type of the file by the type of its main part, in lower case (ECMA-376 part 1, 11.3 and 12.3)."""

_MAIN_NAMES = {"word/document.xml": DOCX, "xl/workbook.xml": XLSX}
"""Where every producer puts the main part; asked only where no part is of a main type."""

_MACROS = re.compile(r"macro|vba")

_DECLARED = re.compile(rb"PK\x03\x04.{22}\x08\0..mimetype(application/[\w.+-]{1,90}?)PK", re.DOTALL)
"""OpenDocument and EPUB: the type stands uncompressed in the first entry."""


class ZipInspector:
    """Follows a ZIP archive to its end and tells what kind of document, if any, it is."""

    def __init__(self) -> None:
        self._size = 0
        self._head = Capture(0, 256)
        self._seam = b""
        self._tail = Tail(_LONGEST_DIRECTORY)
        self._members: dict[int, Member] = {}

    def feed(self, chunk: bytes, offset: int) -> None:
        """Take note of ``chunk``, which begins at ``offset`` of the file."""
        self._head.feed(chunk, offset)
        seam = self._seam + chunk[:_SEAM]
        for data, at in ((seam, offset - len(self._seam)), (chunk, offset)):
            self._begin_members(data, at)
            for member in self._members.values():
                member.feed(data, at)
                self._bound_members()
        self._seam = (self._seam + chunk[-_SEAM:])[-_SEAM:]
        self._tail.feed(chunk)
        self._size = offset + len(chunk)

    def content_type(self) -> str:
        """Return the type; ``application/zip`` for what is, or may be, no known document.

        A document with macros is never called one without.
        """
        if declared := _DECLARED.match(self._head.data):
            return declared[1].decode()
        entries = read_directory(self._tail.data(), self._size) or []
        types = self._package_types(entries)
        if types is None:
            return ZIP
        names = {_part_name(entry.name) for entry in entries}
        found = set().union(*map(types.of, names))
        mains = {kind for main, kind in _MAIN_TYPES.items() if main in found}
        if not any(kind.endswith(".main+xml") for kind in found):
            mains = mains or {kind for name, kind in _MAIN_NAMES.items() if name in names}
        has_macros = any(_MACROS.search(kind) for kind in found) or any(
            name.endswith("vbaproject.bin") for name in names
        )
        if len(mains) != 1 or (has_macros and mains & {DOCX, XLSX}):
            return ZIP
        return mains.pop()

    def _begin_members(self, data: bytes, offset: int) -> None:
        """Begin to unpack every member in ``data`` that has the name of the content types."""
        for found in _FIND_TYPES_PART.finditer(data):
            header = found.start() - LOCAL_SIZE
            if len(self._members) == _MOST_MEMBERS:
                return
            if header >= 0 and data.startswith(LOCAL, header):
                start = offset + header
                self._members.setdefault(start, Member(start, _LARGEST_TYPES_PART))

    def _bound_members(self) -> None:
        """Drop the largest where they hold too much together."""
        members = self._members.values()
        if sum(member.held for member in members) > _ALL_TYPES_PARTS:
            max(members, key=lambda member: member.held).drop()

    def _package_types(self, entries: list[Entry]) -> PackageTypes | None:
        """Return the types of the parts; None where there are none, or two that say so."""
        said = [entry for entry in entries if entry.name.lower() == _TYPES_PART]
        member = self._members.get(said[0].start) if len(said) == 1 else None
        content = member.content(said[0]) if member is not None else None
        return PackageTypes.read(content) if content is not None else None


def _part_name(name: bytes) -> str:
    r"""Return a part's name as it compares: without regard to case, to ``\`` and to the first ``/``.

    ECMA-376 part 2, 6.2.2.3: names of parts are equal where they differ in the case of ASCII only.
    """
    return name.decode("utf-8", "replace").replace("\\", "/").lstrip("/").lower()
