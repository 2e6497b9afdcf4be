"""MP4, QuickTime and their relatives: files of nested boxes (ISO/IEC 14496-12)."""

MP4 = "video/mp4"
QUICKTIME = "video/quicktime"
_UNKNOWN_BRAND = "application/octet-stream"

_MP4_BRANDS = (
    *(b"isom", b"mp41", b"mp42", b"mp71", b"mmp4", b"avc1", b"av01", b"hvc1", b"hev1"),
    *(b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"iso7", b"iso8", b"iso9", b"isoa"),
    *(b"M4V ", b"M4VH", b"M4VP", b"MSNV", b"XAVC", b"f4v ", b"F4V ", b"dby1", b"MP4 "),
    *(b"dash", b"cmfc", b"cmf2", b"cmff", b"msdh", b"msix", b"piff", b"NDSC", b"NDSH"),
)

_BRANDS = {
    b"qt  ": QUICKTIME,
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"M4P ": "audio/mp4",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
    b"hevc": "image/heic-sequence",
    b"hevx": "image/heic-sequence",
    b"mif1": "image/heif",
    b"msf1": "image/heif-sequence",
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"crx ": "image/x-canon-cr3",
    b"jp2 ": "image/jp2",
    b"jpx ": "image/jpx",
    b"mj2s": "video/mj2",
    b"mjp2": "video/mj2",
    **dict.fromkeys(_MP4_BRANDS, MP4),
}
"""Content type by brand (mp4ra.org: registered brands)."""

_SKIPPED = (b"free", b"skip", b"wide", b"pnot")
"""Boxes that may stand before the first that tells (Apple: QuickTime File Format, atoms)."""

_HEADER = 8
"""Bytes of a box's header: 32-bit size, then the type."""


def isobmff_type(head: bytes, *, size: int | None) -> str | None:
    """Return the type of a file of boxes by its brands, or None where it is no such file.

    One without ``ftyp`` is older than brands: QuickTime. One with only unknown brands is
    ``application/octet-stream``, never a guess.

    Args:
        size: bytes of the whole file, where known; a first box that ends behind it is none.
    """
    offset = 0
    while len(head) >= offset + _HEADER:
        box_size = int.from_bytes(head[offset : offset + 4])
        box_type = head[offset + 4 : offset + _HEADER]
        if box_type == b"ftyp":
            return _by_brands(head[offset + _HEADER : offset + max(box_size, _HEADER + 4)])
        if box_type in (b"moov", b"mdat"):
            fits = box_size <= 1 or (box_size >= _HEADER and (size is None or box_size <= size))
            return QUICKTIME if fits else None
        if box_type not in _SKIPPED or box_size < _HEADER:
            return None
        offset += box_size
    return None


def _by_brands(ftyp: bytes) -> str:
    """Return the type by the major brand, else by the first known of the compatible ones.

    3GPP files that say they can be read as MP4 are MP4: what phones write.
    """
    major = ftyp[:4]
    if major in _BRANDS:
        if major in (b"mif1", b"msf1") and b"avif" in _compatible(ftyp):
            return "image/avif"
        return _BRANDS[major]
    known = [_BRANDS[brand] for brand in _compatible(ftyp) if brand in _BRANDS]
    if major.startswith((b"3gp", b"3g2")):
        return MP4 if MP4 in known else "video/3gpp"
    return known[0] if known else _UNKNOWN_BRAND


def _compatible(ftyp: bytes) -> list[bytes]:
    """Return the compatible brands: all that follows the major brand and its version."""
    return [ftyp[at : at + 4] for at in range(8, len(ftyp) - 3, 4)]
