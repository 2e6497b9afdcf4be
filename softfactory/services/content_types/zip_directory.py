"""What a ZIP archive holds, by its central directory (PKWARE APPNOTE 4.3.12 to 4.3.16).

Nothing else counts: local headers may lack sizes, stand there without being listed, or belong to
an archive inside.
"""

from typing import NamedTuple

CENTRAL = b"PK\x01\x02"
END = b"PK\x05\x06"
_END_64 = b"PK\x06\x06"
_LOCATOR_64 = b"PK\x06\x07"

_CENTRAL_SIZE, _END_SIZE, _LOCATOR_SIZE = 46, 22, 20
_MOST_OF_END_64 = 4096
"""Bytes of the Zip64 record, whose extensible part is empty in all archives that we know of."""

_BEHIND = 128 * 1024
"""Bytes of comment, and of what somebody put behind the archive, in which its end is looked for."""

_SEE_EXTRA = 0xFFFFFFFF
_EXTRA_64 = 1
"""Where a field has this value, it stands in the extra field of this id (APPNOTE 4.5.3)."""


class Entry(NamedTuple):
    """An entry of the central directory; ``start`` is where its local header is in the file."""

    name: bytes
    method: int
    crc: int
    size: int
    start: int


def read_directory(tail: bytes, size: int) -> list[Entry] | None:
    """Return the entries of the archive; None where the directory is not whole in ``tail``.

    Bytes before the archive and behind it are no part of it. Where several ends could be meant,
    the last is, as for all that read archives.

    Args:
        tail: the last bytes of the file.
        size: bytes of the file.
    """
    stop = len(tail)
    while (at := tail.rfind(END, max(0, len(tail) - _BEHIND), stop)) >= 0:
        if at + _END_SIZE <= len(tail):
            entries = _entries_before(tail, at, size - len(tail))
            if entries is not None:
                return entries
        stop = at + len(END) - 1
    return None


def _entries_before(tail: bytes, end: int, base: int) -> list[Entry] | None:
    """Return the entries of the archive whose end record is at ``end``, if it is one.

    Args:
        base: where in the file ``tail`` begins.
    """
    length, offset = number(tail, end + 12, 4), number(tail, end + 16, 4)
    locator = end - _LOCATOR_SIZE
    if locator >= 0 and tail.startswith(_LOCATOR_64, locator):
        end = tail.rfind(_END_64, max(0, locator - _MOST_OF_END_64), locator)
        if end < 0 or end + 12 + number(tail, end + 4, 8) != locator:
            return None
        length, offset = number(tail, end + 40, 8), number(tail, end + 48, 8)
    at = end - length
    shift = base + at - offset
    if at < 0 or shift < 0:
        return None
    entries = []
    while at <= end - _CENTRAL_SIZE and tail.startswith(CENTRAL, at):
        name_end = at + _CENTRAL_SIZE + number(tail, at + 28, 2)
        extra_end = name_end + number(tail, at + 30, 2)
        size, start = number(tail, at + 24, 4), number(tail, at + 42, 4)
        if _SEE_EXTRA in (size, start):
            size, start = _from_extra(tail[name_end:extra_end], tail, at)
        name = tail[at + _CENTRAL_SIZE : name_end]
        method, crc = number(tail, at + 10, 2), number(tail, at + 16, 4)
        entries.append(Entry(name, method, crc, size, shift + start))
        at = extra_end + number(tail, at + 32, 2)
    return entries if at == end else None


def _from_extra(extra: bytes, tail: bytes, at: int) -> tuple[int, int]:
    """Return size and start of the entry at ``at``, with what the Zip64 extra field says."""
    fields = [number(tail, at + place, 4) for place in (24, 20, 42)]
    here = 0
    while here + 4 <= len(extra):
        identifier, length = number(extra, here, 2), number(extra, here + 2, 2)
        here += 4
        if identifier == _EXTRA_64:
            values = iter(range(here, here + length - 7, 8))
            # Size, packed size and start, each only where its own field has no room for it.
            fields = [
                number(extra, next(values, len(extra)), 8) if field == _SEE_EXTRA else field
                for field in fields
            ]
        here += length
    return fields[0], fields[2]


def number(data: bytes, at: int, size: int) -> int:
    """Return the little-endian number of ``size`` bytes at ``at``."""
    return int.from_bytes(data[at : at + size], "little")
