"""One small member of a ZIP archive, unpacked while the archive streams by."""

import zlib

from softfactory.services.content_types.zip_directory import Entry, number

LOCAL = b"PK\x03\x04"
LOCAL_SIZE = 30
"""Bytes of a local header up to the name (PKWARE APPNOTE 4.3.7)."""

_SIZE_COMES_LATER = 8
"""Bit of the flags: the sizes stand behind the data (APPNOTE 4.4.4, bit 3)."""

_SEE_EXTRA = 0xFFFFFFFF


class Member:
    """The member whose local header is at ``start`` of a stream; at most ``most`` bytes of it."""

    def __init__(self, start: int, most: int) -> None:
        self.start = start
        self._most = most
        self._header = bytearray()
        self._content = bytearray()
        self._taken = 0
        self._packed_left: int | None = None
        self._inflate: zlib._Decompress | None = None
        self._is_open = False
        self._is_lost = False

    @property
    def held(self) -> int:
        """Bytes that it holds in memory."""
        return len(self._content)

    def feed(self, chunk: bytes, offset: int) -> None:
        """Take from ``chunk``, which begins at ``offset``, what comes next; chunks may overlap."""
        due = self.start + self._taken
        if not offset <= due < offset + len(chunk) or self._is_lost or self._packed_left == 0:
            return
        if not self._is_open:
            self._read_header(chunk[due - offset : due - offset + 2**16 + LOCAL_SIZE])
            due = self.start + self._taken
        if self._is_open:
            stop = None if self._packed_left is None else due - offset + self._packed_left
            self._unpack(memoryview(chunk)[due - offset : stop])

    def content(self, entry: Entry) -> bytes | None:
        """Return the content, which is what ``entry`` of the central directory describes.

        None where it is not, or is more than was to be kept.
        """
        is_deflated = self._inflate is not None
        if self._is_lost or not self._is_open or is_deflated != (entry.method == zlib.DEFLATED):
            return None
        data = bytes(self._content if is_deflated else self._content[: entry.size])
        return data if (len(data), zlib.crc32(data)) == (entry.size, entry.crc) else None

    def drop(self) -> None:
        """Forget the content: there is too much of it."""
        self._content.clear()
        self._is_lost = True

    def _read_header(self, data: bytes) -> None:
        before = len(self._header)
        self._header += data
        header = bytes(self._header)
        size = LOCAL_SIZE + number(header, 26, 2) + number(header, 28, 2)
        if len(header) < LOCAL_SIZE or len(header) < size:
            self._taken += len(data)
            return
        self._taken += size - before
        method, packed = number(header, 8, 2), number(header, 18, 4)
        if not number(header, 6, 2) & _SIZE_COMES_LATER and packed != _SEE_EXTRA:
            self._packed_left = packed
        if method == zlib.DEFLATED:
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._is_open, self._is_lost = True, method not in (0, zlib.DEFLATED)
        self._header.clear()

    def _unpack(self, data: memoryview) -> None:
        self._taken += len(data)
        if self._packed_left is not None:
            self._packed_left -= len(data)
        room = self._most + 1 - len(self._content)
        try:
            inflate = self._inflate
            self._content += data[:room] if inflate is None else inflate.decompress(data, room)
        except zlib.error:
            self.drop()
        if self._inflate is not None and self._inflate.eof:
            self._packed_left = 0
        if len(self._content) > self._most and self._inflate is not None:
            self.drop()
