"""Word, Excel and what a password hides in OLE compound files, told by the streams in their root.

The format is Microsoft's [MS-CFB]. The directory may lie anywhere in the file and in pieces; its
first piece is kept as it passes, and names that look like entries are looked for everywhere, at
a cost of one byte in 128, for files whose directory is scattered.
"""

import re

from softfactory.services.content_types.capture import Capture

OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
OLE = "application/x-ole-storage"
WORD = "application/msword"
EXCEL = "application/vnd.ms-excel"
ENCRYPTED = "application/encrypted"
"""An Office document behind a password ([MS-OFFCRYPTO] 2.3.4.4): which kind, nobody can say."""

_ENTRY = 128
"""Bytes of a directory entry; sectors are multiples of it, so entries lie at multiples too."""

_DIRECTORY_WINDOW = 16 * 1024
"""Bytes kept from the directory's first sector on: 128 entries where it is in one piece."""

_HEADER_USED = 52
"""Bytes of the header up to the number of the directory's first sector, at 48."""

_NO_ENTRY = 0xFFFFFFFF
_ROOT_STORAGE = 5
_NAME_LENGTHS = range(2, 65)

_KINDS = {
    "WordDocument": WORD,
    "Workbook": EXCEL,
    "Book": EXCEL,
    "EncryptedPackage": ENCRYPTED,
}
"""Main streams ([MS-DOC] 2.1, [MS-XLS] 2.1; ``Book`` is Excel 5 and 95)."""

_NAMES = {f"{name}\0".encode("utf-16-le"): kind for name, kind in _KINDS.items()}
_LONGEST_NAME = max(map(len, _NAMES))
_INITIALS = re.compile(rb"[WBE]")

_CLASS_IDS = {
    0x00020900: WORD,
    0x00020906: WORD,
    0x00020810: EXCEL,
    0x00020820: EXCEL,
}
"""First field of the root's CLSID: Word.Document.6 and .8, Excel.Sheet.5 and .8."""


class OleInspector:
    """Follows an OLE compound file to its end and tells Word from Excel from the rest."""

    def __init__(self) -> None:
        self._header = Capture(0, 512)
        self._directory: Capture | None = None
        self._carry = b""
        self._seen: set[str] = set()

    def feed(self, chunk: bytes, offset: int) -> None:
        """Take note of ``chunk``, which begins at ``offset`` of the file."""
        if self._directory is None:
            self._header.feed(chunk, offset)
            self._directory = _directory_window(self._header.data)
        if self._directory is not None:
            self._directory.feed(chunk, offset)
        self._search(self._carry + chunk[:_LONGEST_NAME], offset - len(self._carry))
        self._search(chunk, offset)
        last = chunk[-_LONGEST_NAME:]
        self._carry = (self._carry + last)[-_LONGEST_NAME:]

    def content_type(self) -> str:
        """Return the type; ``application/x-ole-storage`` for what is none of these."""
        directory = bytes(self._directory.data) if self._directory is not None else b""
        names, is_complete = _names_in_root(directory)
        kinds = {_KINDS[name] for name in names if name in _KINDS}
        if not kinds and not is_complete:
            kinds = self._seen
        if len(kinds) > 1:
            # A scattered directory with the other kind embedded: the root says whose file it is.
            return _CLASS_IDS.get(int.from_bytes(directory[80:84], "little"), OLE)
        return next(iter(kinds), OLE)

    def _search(self, data: bytes, offset: int) -> None:
        """Note the main streams' names where entries may begin in ``data``."""
        first = -offset % _ENTRY
        for match in _INITIALS.finditer(data[first::_ENTRY]):
            at = first + match.start() * _ENTRY
            for name, kind in _NAMES.items():
                if data.startswith(name, at):
                    self._seen.add(kind)


def _directory_window(header: bytearray) -> Capture | None:
    """Return the window on the directory that the header points to, None before it is known."""
    if len(header) < _HEADER_USED:
        return None
    sector_shift = int.from_bytes(header[30:32], "little")
    first_sector = int.from_bytes(header[48:52], "little")
    return Capture((first_sector + 1) << min(sector_shift, 12), _DIRECTORY_WINDOW)


def _names_in_root(directory: bytes) -> tuple[set[str], bool]:
    """Return the names directly below the root, and whether all of them could be read."""
    if directory[66:67] != bytes([_ROOT_STORAGE]):
        return set(), False
    names: set[str] = set()
    visited: set[int] = set()
    pending = [int.from_bytes(directory[76:80], "little")]
    while pending:
        number = pending.pop()
        if number == _NO_ENTRY or number in visited:
            continue
        visited.add(number)
        entry = directory[number * _ENTRY : (number + 1) * _ENTRY]
        name_length = int.from_bytes(entry[64:66], "little")
        if len(entry) < _ENTRY or name_length not in _NAME_LENGTHS or entry[66] not in (1, 2):
            return names, False
        names.add(entry[: name_length - 2].decode("utf-16-le", "replace"))
        pending += (
            int.from_bytes(entry[68:72], "little"),
            int.from_bytes(entry[72:76], "little"),
        )
    return names, True
