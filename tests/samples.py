"""Small valid files of every type that the files API takes, of any exact size on request.

Each function returns the smallest file, or one of exactly ``size`` bytes that is just as valid:
padded the way its format provides for. A size that the format can't reach is a ``ValueError``.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FREE_SECTOR, _END_OF_CHAIN, _FAT_SECTOR = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def _missing(size: int | None, file: bytes, least: int = 0) -> int:
    """Return how many bytes of padding ``size`` calls for; padding is none or ``least`` or more."""
    padding = 0 if size is None else size - len(file)
    if padding < 0 or 0 < padding < least:
        message = f"cannot be {size} bytes: {len(file)}, or {least} or more beyond that"
        raise ValueError(message)
    return padding


def jpeg(size: int | None = None) -> bytes:
    """A grey pixel, padded with comment segments and the fill bytes allowed before a marker."""
    start = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
    quantisation = b"\xff\xdb\0\x43\0" + bytes([1]) * 64
    frame = b"\xff\xc0\0\x0b\x08\0\1\0\1\1\1\x11\0"
    huffman = b"".join(
        b"\xff\xc4\0\x14" + table + b"\1" + bytes(15) + b"\0" for table in (b"\0", b"\x10")
    )
    rest = quantisation + frame + huffman + b"\xff\xda\0\x08\1\1\0\0\x3f\0\x3f\xff\xd9"
    comments, fill = divmod(_missing(size, start + rest), 65537)
    padding = (b"\xff\xfe\xff\xff" + bytes(65533)) * comments
    if fill >= 4:
        padding += b"\xff\xfe" + struct.pack(">H", fill - 2) + bytes(fill - 4)
    else:
        padding += b"\xff" * fill
    return start + padding + rest


def png(size: int | None = None) -> bytes:
    """A grey pixel, padded with a private ancillary chunk."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    rest = chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")
    padding = _missing(size, start + rest, least=12)
    return start + (chunk(b"spAd", bytes(padding - 12)) if padding else b"") + rest


def gif(size: int | None = None) -> bytes:
    """A black pixel, padded with a comment extension (by any number of bytes but 1, 2 and 4)."""
    start = b"GIF89a\1\0\1\0\x80\0\0" + bytes(3) + b"\xff" * 3
    rest = b"\x2c" + bytes(4) + b"\1\0\1\0\0\2\2\x44\1\0\x3b"
    padding = _missing(size, start + rest, least=3)
    if not padding:
        return start + rest
    blocks, last = divmod(padding - 3, 256)
    lengths = [255] * blocks + ([last - 1] if last else [])
    if last == 1:  # A block without data would end the comment: share with the one before.
        if not blocks:
            message = f"cannot be {size} bytes"
            raise ValueError(message)
        lengths = [255] * (blocks - 1) + [253, 2]
    comment = b"".join(bytes([length]) + b" " * length for length in lengths)
    return start + b"\x21\xfe" + comment + b"\0" + rest


def _riff(form: bytes, body: bytes, padding_chunk: bytes, size: int | None) -> bytes:
    """A RIFF file; an odd byte stands behind the end, where readers ignore it."""
    padding = _missing(size, bytes(12) + body)
    if padding >= 8:
        body += padding_chunk + struct.pack("<I", (padding - 8) & ~1) + bytes((padding - 8) & ~1)
        padding &= 1
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + form + body + bytes(padding)


def webp(size: int | None = None) -> bytes:
    """A lossless pixel, padded with a chunk that readers skip."""
    image = b"\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07"
    body = b"VP8L" + struct.pack("<I", len(image)) + image + b"\0"
    return _riff(b"WEBP", body, b"spad", size)


def avi(size: int | None = None) -> bytes:
    """The headers of a film without a frame, padded with ``JUNK``."""
    main = struct.pack("<10I16x", 40_000, 0, 0, 0x10, 0, 0, 1, 0, 16, 16)
    stream = b"vidsMJPG" + struct.pack(
        "<IHHIIIIIIII4H", 0, 0, 0, 0, 1, 25, 0, 0, 0, 0, 0, 0, 0, 16, 16
    )
    bitmap = struct.pack("<IiiHH4sIiiII", 40, 16, 16, 1, 24, b"MJPG", 768, 0, 0, 0, 0)

    def chunk(name: bytes, data: bytes) -> bytes:
        return name + struct.pack("<I", len(data)) + data

    stream_list = chunk(b"LIST", b"strl" + chunk(b"strh", stream) + chunk(b"strf", bitmap))
    headers = chunk(b"LIST", b"hdrl" + chunk(b"avih", main) + stream_list)
    return _riff(b"AVI ", headers + chunk(b"LIST", b"movi"), b"JUNK", size)


def _box(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + name + data


def _movie(start: bytes, size: int | None) -> bytes:
    """A movie without tracks behind ``start``, padded with its media data."""
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    header = bytes(12) + struct.pack(">IIIH", 1000, 0, 0x10000, 0x100) + bytes(10) + matrix
    rest = _box(b"moov", _box(b"mvhd", header + bytes(24) + struct.pack(">I", 1)))
    padding = _missing(size, start + rest + _box(b"mdat", b""))
    return start + _box(b"mdat", bytes(padding)) + rest


def mp4(
    size: int | None = None, *, brand: bytes = b"isom", compatible: bytes = b"isommp42"
) -> bytes:
    """A movie without tracks, of the given brands."""
    return _movie(_box(b"ftyp", brand + struct.pack(">I", 512) + compatible), size)


def mov(size: int | None = None, *, has_brand: bool = True) -> bytes:
    """A QuickTime movie; without a brand as from before there were any."""
    start = _box(b"ftyp", b"qt  " + bytes(4) + b"qt  ") if has_brand else _box(b"wide", b"")
    return _movie(start, size)


def pdf(size: int | None = None) -> bytes:
    """An empty page, padded with a stream that nothing refers to."""

    def build(padding: int) -> bytes:
        objects = (
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 72 72] >>",
            b"<< /Length %010d >>\nstream\n%b\nendstream" % (padding, b" " * padding),
        )
        parts, offset, entries = [b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"], 15, [b"0000000000 65535 f \n"]
        for number, content in enumerate(objects, start=1):
            entries.append(b"%010d 00000 n \n" % offset)
            parts.append(b"%d 0 obj\n%b\nendobj\n" % (number, content))
            offset += len(parts[-1])
        trailer = b"trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%010d\n%%%%EOF\n" % offset
        return b"".join([*parts, b"xref\n0 5\n", *entries, trailer])

    return build(_missing(size, build(0)))


def compound_file(
    streams: dict[str, bytes],
    *,
    size: int | None = None,
    class_id: bytes = bytes(16),
    embedded: dict[str, bytes] | None = None,
    directory_at_end: bool = False,
    sector_size: int = 512,
) -> bytes:
    """An OLE compound file ([MS-CFB]) with ``streams`` in its root.

    Padding goes into one more stream, ``Padding``, and what is no whole sector behind the end.

    Args:
        embedded: streams in a storage ``ObjectPool`` below the root, as embedded objects are.
        directory_at_end: the directory is the last of the sectors, not the first.
        sector_size: 512 (version 3) or 4096 (version 4, needed beyond 6 MiB).
    """
    least = _compound(streams, 0, class_id, embedded or {}, directory_at_end, sector_size)
    if size is None:
        return least
    sectors = _missing(size, least) // sector_size
    file = least
    while sectors > 0:
        file = _compound(streams, sectors, class_id, embedded or {}, directory_at_end, sector_size)
        if len(file) <= size:
            break
        sectors -= -(-(len(file) - size) // sector_size)
        file = least
    return file + bytes(size - len(file))


def _compound(
    streams: dict[str, bytes],
    padding: int,
    class_id: bytes,
    embedded: dict[str, bytes],
    directory_at_end: bool,
    sector_size: int,
) -> bytes:
    """A compound file with ``padding`` sectors more than needed."""

    def rounded(data: bytes) -> bytes:  # Streams under 4096 bytes would need a mini stream.
        return data.ljust(max(4096, -(-len(data) // sector_size) * sector_size), b"\0")

    padding_streams = {"Padding": bytes(max(padding * sector_size, 4096))} if padding else {}
    root = streams | padding_streams
    root_names = [*root, *(["ObjectPool"] if embedded else [])]
    contents = [rounded(data) for data in (*root.values(), *embedded.values())]
    entry_count = 1 + len(root_names) + len(embedded)
    directory_sectors = -(-entry_count * 128 // sector_size)
    lengths = [len(content) // sector_size for content in contents]
    data_sectors = directory_sectors + sum(lengths)
    fat_sectors = 1
    while fat_sectors * (sector_size // 4) < data_sectors + fat_sectors:
        fat_sectors += 1
    if fat_sectors > 109:
        message = "too large for this sector size"
        raise ValueError(message)

    chains = [directory_sectors, *lengths]
    order = [*range(1, len(chains)), 0] if directory_at_end else list(range(len(chains)))
    starts, fat = [0] * len(chains), [_FAT_SECTOR] * fat_sectors
    for index in order:
        starts[index] = len(fat)
        fat += [*range(len(fat) + 1, len(fat) + chains[index]), _END_OF_CHAIN]
    fat += [_FREE_SECTOR] * (fat_sectors * (sector_size // 4) - len(fat))

    def entry(name: str, kind: int, right: int, child: int, start: int, length: int) -> bytes:
        encoded = f"{name}\0".encode("utf-16-le")
        links = struct.pack("<HBBIII", len(encoded), kind, 1, _FREE_SECTOR, right, child)
        clsid = class_id if kind == 5 else bytes(16)
        return (
            encoded.ljust(64, b"\0") + links + clsid + bytes(20) + struct.pack("<IQ", start, length)
        )

    def siblings(names: list[str], first: int, first_chain: int) -> list[bytes]:
        made = []
        for index, name in enumerate(names):
            right = first + index + 1 if index + 1 < len(names) else _FREE_SECTOR
            if name == "ObjectPool":
                made.append(entry(name, 1, right, 1 + len(root_names), 0, 0))
            else:
                chain = first_chain + index
                length = lengths[chain - 1] * sector_size
                made.append(entry(name, 2, right, _FREE_SECTOR, starts[chain], length))
        return made

    entries = [entry("Root Entry", 5, _FREE_SECTOR, 1, _END_OF_CHAIN, 0)]
    entries += siblings(root_names, 1, 1)
    entries += siblings(list(embedded), 1 + len(root_names), 1 + len(root))
    unused = bytes(68) + b"\xff" * 12 + bytes(48)
    entries += [unused] * (directory_sectors * sector_size // 128 - len(entries))

    is_large = sector_size == 4096
    header = (
        OLE_MAGIC
        + bytes(16)
        + struct.pack(
            "<HHHHH6xIIIIIIIII",
            *(0x3E, 4 if is_large else 3, 0xFFFE, 12 if is_large else 9, 6),
            *(directory_sectors if is_large else 0, fat_sectors, starts[0], 0, 4096),
            *(_END_OF_CHAIN, 0, _END_OF_CHAIN, 0),
        )
    )
    places = [*range(fat_sectors), *[_FREE_SECTOR] * (109 - fat_sectors)]
    parts = [b"".join(entries), *contents]
    return b"".join(
        [
            (header + struct.pack("<109I", *places)).ljust(sector_size, b"\0"),
            struct.pack(f"<{len(fat)}I", *fat),
            *(parts[index] for index in order),
        ]
    )


def doc(size: int | None = None, *, directory_at_end: bool = False) -> bytes:
    """The frame of a Word 97 document."""
    streams = {"1Table": b"", "WordDocument": b"\xec\xa5\xc1\0"}
    return _office_97(streams, size, directory_at_end=directory_at_end)


def xls(size: int | None = None, *, directory_at_end: bool = False) -> bytes:
    """An Excel 97 workbook without a sheet."""
    book = struct.pack("<HHHHHHII", 0x809, 16, 0x600, 5, 0, 0, 0, 0) + struct.pack("<HH", 0x0A, 0)
    return _office_97({"Workbook": book}, size, directory_at_end=directory_at_end)


def _office_97(streams: dict[str, bytes], size: int | None, *, directory_at_end: bool) -> bytes:
    sector_size = 4096 if size is not None and size > 6 * 1024 * 1024 else 512
    return compound_file(
        streams, size=size, directory_at_end=directory_at_end, sector_size=sector_size
    )


def office_zip(
    parts: dict[str, bytes],
    *,
    size: int | None = None,
    types_last: bool = False,
    compression: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """A ZIP archive of ``parts``, padded with a stored part.

    Args:
        types_last: ``[Content_Types].xml`` is the last entry, as some producers write it.
    """

    def build(padding: int | None) -> bytes:
        file = io.BytesIO()
        names = sorted(parts, key=lambda name: (name == "[Content_Types].xml") == types_last)
        with zipfile.ZipFile(file, "w", compression) as archive:
            for index, name in enumerate(names):
                archive.writestr(zipfile.ZipInfo(name), parts[name], compression)
                if index == 0 and padding is not None:
                    info = zipfile.ZipInfo("customXml/padding.bin")
                    archive.writestr(info, bytes(padding), zipfile.ZIP_STORED)
        return file.getvalue()

    least = build(None)
    if size is None or size == len(least):
        return least
    return build(_missing(size, build(0)))


def types_xml(main_part: str, main_type: str) -> bytes:
    """``[Content_Types].xml`` of a package with one main part."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="bin" ContentType="application/octet-stream"/>'
        f'<Override PartName="/{main_part}" ContentType="{main_type}"/></Types>'
    ).encode()


def _relations(kind: str, target: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/{kind}" Target="{target}"/></Relationships>'
    ).encode()


def docx_parts() -> dict[str, bytes]:
    """The parts of a Word document of one empty paragraph."""
    schema = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    main_type = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    return {
        "[Content_Types].xml": types_xml("word/document.xml", main_type),
        "_rels/.rels": _relations("officeDocument", "word/document.xml"),
        "word/document.xml": f'<w:document xmlns:w="{schema}"><w:body><w:p/></w:body></w:document>'.encode(),
    }


def xlsx_parts() -> dict[str, bytes]:
    """The parts of a workbook of one empty sheet."""
    schema = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    sheet = f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/>'
    types = types_xml("xl/workbook.xml", f"{kind}.sheet.main+xml")
    return {
        "[Content_Types].xml": types.replace(b"</Types>", sheet.encode() + b"</Types>"),
        "_rels/.rels": _relations("officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": (
            f'<workbook xmlns="{schema}" xmlns:r="{_OFFICE}"><sheets>'
            '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>'
        ).encode(),
        "xl/_rels/workbook.xml.rels": _relations("worksheet", "worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{schema}"><sheetData/></worksheet>'.encode(),
    }


def docx(size: int | None = None, *, types_last: bool = False) -> bytes:
    """A Word document of one empty paragraph."""
    return office_zip(docx_parts(), size=size, types_last=types_last)


def xlsx(size: int | None = None, *, types_last: bool = False) -> bytes:
    """A workbook of one empty sheet."""
    return office_zip(xlsx_parts(), size=size, types_last=types_last)


Maker = Callable[..., bytes]
"""Makes a file, of exactly ``size`` bytes where one is given."""

SAMPLES: dict[str, Maker] = {
    "image/jpeg": jpeg,
    "image/png": png,
    "image/webp": webp,
    "image/gif": gif,
    "video/mp4": mp4,
    "video/quicktime": mov,
    "video/x-msvideo": avi,
    "application/pdf": pdf,
    "application/msword": doc,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": docx,
    "application/vnd.ms-excel": xls,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": xlsx,
}
"""A maker of files by content type, for every type that the files API takes."""

MAGICS = tuple(make()[:16] for make in SAMPLES.values())
"""How each of them begins."""
