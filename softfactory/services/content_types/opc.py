"""Word and Excel in ZIP archives, told by the parts and the content types they declare.

An Office document names its main part's type in ``[Content_Types].xml`` (ECMA-376 part 2), which
may lie anywhere in the archive; its candidates are kept as they pass, and the central directory
at the end says which of them is the real one (an embedded workbook brings its own).
"""

import re
import zlib

from softfactory.services.content_types.capture import Capture

ZIP = "application/zip"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
"""Signatures of the headers (PKWARE APPNOTE 4.3.7, 4.3.12, 4.3.16)."""

ZIP_MAGICS = (_LOCAL, _END, b"PK\x07\x08")

_LOCAL_SIZE, _CENTRAL_SIZE, _END_SIZE = 30, 46, 22
_TYPES_PART = b"[Content_Types].xml"
_TAIL = 64 * 1024
_CANDIDATES = 16
_CANDIDATE_SIZE = 16 * 1024
_MAX_TYPES_XML = 1024 * 1024
_SEAM = _LOCAL_SIZE + len(_TYPES_PART) - 1

_MAIN_PARTS = {
    b"wordprocessingml.document.main+xml": DOCX,
    b"spreadsheetml.sheet.main+xml": XLSX,
    b"presentationml.presentation.main+xml": (
        "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    ),
    b"ms-word.document.macroenabled.main+xml": "application/vnd.ms-word.document.macroenabled.12",
    b"ms-excel.sheet.macroenabled.main+xml": "application/vnd.ms-excel.sheet.macroenabled.12",
}
"""Type of the file by the type of its main part, in lower case (ECMA-376 part 1, 11.3 and 12.3)."""

_MAIN_NAMES = {b"word/document.xml": DOCX, b"xl/workbook.xml": XLSX}
"""Where every producer puts the main part; asked only where none declares its type."""

_MACROS = (b"macroenabled", b"vbaproject")

_DECLARED = re.compile(rb"PK\x03\x04.{22}\x08\0..mimetype(application/[\w.+-]{1,90}?)PK", re.DOTALL)
"""OpenDocument and EPUB: the type stands uncompressed in the first entry."""


class ZipInspector:
    """Follows a ZIP archive to its end and tells what kind of document, if any, it is."""

    def __init__(self) -> None:
        self._size = 0
        self._tail = bytearray()
        self._head = Capture(0, 256)
        self._candidates: dict[int, Capture] = {}

    def feed(self, chunk: bytes, offset: int) -> None:
        """Take note of ``chunk``, which begins at ``offset`` of the file."""
        self._head.feed(chunk, offset)
        seam = bytes(self._tail[-_SEAM:]) + chunk[:_SEAM]
        seam_offset = offset - min(len(self._tail), _SEAM)
        for data, at in ((seam, seam_offset), (chunk, offset)):
            self._note_candidates(data, at)
            for candidate in self._candidates.values():
                candidate.feed(data, at)
        self._tail += chunk[-_TAIL:]
        if len(self._tail) > 2 * _TAIL:
            del self._tail[:-_TAIL]
        self._size = offset + len(chunk)

    def content_type(self) -> str:
        """Return the type; ``application/zip`` for what is, or may be, no known document.

        A document with macros is never called one without.
        """
        if declared := _DECLARED.match(self._head.data):
            return declared[1].decode()
        entries = self._entries()
        types_xml = self._types_xml(entries)
        if types_xml is None:
            return ZIP
        names = {name.lower() for name in entries}
        mains = {kind for main, kind in _MAIN_PARTS.items() if main in types_xml}
        if b".main+xml" not in types_xml:
            mains = {kind for part, kind in _MAIN_NAMES.items() if part in names}
        has_macros = any(mark in types_xml for mark in _MACROS) or any(
            name.endswith(b"vbaproject.bin") for name in names
        )
        if len(mains) != 1 or (has_macros and mains & {DOCX, XLSX}):
            return ZIP
        return mains.pop()

    def _note_candidates(self, data: bytes, offset: int) -> None:
        """Begin to keep every local header in ``data`` that names the content types."""
        at = data.find(_TYPES_PART)
        while at >= 0 and len(self._candidates) < _CANDIDATES:
            header = at - _LOCAL_SIZE
            if header >= 0 and data.startswith(_LOCAL, header):
                start = offset + header
                self._candidates.setdefault(start, Capture(start, _CANDIDATE_SIZE))
            at = data.find(_TYPES_PART, at + 1)

    def _entries(self) -> dict[bytes, int]:
        """Return names and places of what the central directory lists, as far as it is kept."""
        tail = bytes(self._tail)
        end = tail.rfind(_END)
        while end >= 0 and end + _END_SIZE + _u16(tail, end + 20) != len(tail):
            end = tail.rfind(_END, 0, end)
        if end < 0:
            return {}
        at = _u32(tail, end + 16) - (self._size - len(tail))
        if at < 0:  # It begins before the tail: go on from the first whole entry.
            at = tail.find(_CENTRAL)
        entries = {}
        while 0 <= at <= end - _CENTRAL_SIZE and tail.startswith(_CENTRAL, at):
            name_end = at + _CENTRAL_SIZE + _u16(tail, at + 28)
            entries[tail[at + _CENTRAL_SIZE : name_end]] = _u32(tail, at + 42)
            at = name_end + _u16(tail, at + 30) + _u16(tail, at + 32)
        return entries

    def _types_xml(self, entries: dict[bytes, int]) -> bytes | None:
        """Return ``[Content_Types].xml`` in lower case, None where it cannot be read for certain.

        Where the directory is too long to be kept whole and does not show it, it is the first
        entry: Office writes it there.
        """
        candidate = self._candidates.get(entries.get(_TYPES_PART, 0))
        part = _part(bytes(candidate.data)) if candidate is not None else None
        if part is None or b"\0" in part or b"&#" in part:  # UTF-16 or escapes could hide macros.
            return None
        return part.lower()


def _part(local: bytes) -> bytes | None:
    """Return the content of the part whose local header begins ``local``, None if not whole."""
    method, size = _u16(local, 8), _u32(local, 18)
    data = local[_LOCAL_SIZE + _u16(local, 26) + _u16(local, 28) :]
    if method == zlib.DEFLATED:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            part = inflate.decompress(data, _MAX_TYPES_XML)
        except zlib.error:
            return None
        return part if inflate.eof else None
    return data[:size] if method == 0 and 0 < size <= len(data) else None


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")
