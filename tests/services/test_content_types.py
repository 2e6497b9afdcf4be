"""What the sniffer promises about content, and what the files API makes of a claim about it."""

import gzip
import io
import json
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softfactory.errors import InvalidInput
from softfactory.services.content_types import (
    ALLOWED_TYPES,
    EXTENSIONS,
    ContentSniffer,
    category_of,
    check_allowed,
    may_become_allowed,
)
from tests import samples

MIB = 1024 * 1024
OLE = "application/x-ole-storage"
DOC = "application/msword"
XLS = "application/vnd.ms-excel"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
WORD_CLASS = struct.pack("<I", 0x00020906) + b"\0\0\0\0\xc0\0\0\0\0\0\0\x46"
UNKNOWN = "application/octet-stream"


def sniffed(content: bytes, chunk_size: int = MIB) -> ContentSniffer:
    sniffer = ContentSniffer()
    for start in range(0, len(content), chunk_size):
        sniffer.feed(content[start : start + chunk_size])
    return sniffer


def type_of(content: bytes, chunk_size: int = MIB) -> str:
    return sniffed(content, chunk_size).content_type()


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return file.getvalue()


# --- the types of the contract ----------------------------------------------------------------


@pytest.mark.parametrize("size", [None, 20_000, 2 * MIB + 1])
@pytest.mark.parametrize("content_type", samples.SAMPLES)
def test_every_allowed_type_is_told_by_its_content(content_type: str, size: int | None) -> None:
    content = samples.SAMPLES[content_type](size)

    assert type_of(content) == content_type


def test_there_is_a_sample_of_every_allowed_type() -> None:
    assert set(samples.SAMPLES) == set(ALLOWED_TYPES)


@pytest.mark.parametrize("size", [20_000, 100_001])
@pytest.mark.parametrize("content_type", samples.SAMPLES)
def test_a_sample_has_exactly_the_size_asked_for(content_type: str, size: int) -> None:
    assert len(samples.SAMPLES[content_type](size)) == size


@given(data=st.data(), content_type=st.sampled_from(sorted(samples.SAMPLES)))
def test_any_chunking_of_a_file_gives_the_same_type(data: st.DataObject, content_type: str) -> None:
    content = samples.SAMPLES[content_type](20_000)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=40)))
    sniffer = ContentSniffer()

    for start, stop in zip([0, *cuts], [*cuts, len(content)], strict=True):
        sniffer.feed(content[start:stop])

    assert sniffer.content_type() == content_type


@pytest.mark.parametrize("chunk_size", [1, 7, 127, 128, 511])
@pytest.mark.parametrize("maker", [samples.doc, samples.xls, samples.docx, samples.xlsx])
def test_documents_are_told_in_chunks_smaller_than_their_headers(
    maker: "samples.Maker", chunk_size: int
) -> None:
    assert type_of(maker(), chunk_size) == type_of(maker())


@given(content=st.binary(max_size=2000), prefix=st.sampled_from([b"", *samples.MAGICS]))
def test_no_bytes_at_all_make_the_sniffer_fail(content: bytes, prefix: bytes) -> None:
    sniffer = sniffed(prefix + content, 512)

    assert "/" in sniffer.content_type()
    assert "/" in sniffer.head_type()


@given(data=st.data(), content_type=st.sampled_from(sorted(samples.SAMPLES)))
def test_a_damaged_file_makes_no_sniffer_fail(data: st.DataObject, content_type: str) -> None:
    content = bytearray(samples.SAMPLES[content_type]())
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))

    assert "/" in type_of(bytes(content))


def test_a_buffer_may_be_reused_for_the_next_chunk() -> None:
    content = samples.docx(3 * MIB)
    buffer = bytearray(MIB)
    sniffer = ContentSniffer()

    for start in range(0, len(content), MIB):
        buffer[:] = content[start : start + MIB]
        sniffer.feed(memoryview(buffer))

    assert sniffer.content_type() == DOCX


# --- films and pictures in boxes --------------------------------------------------------------


@pytest.mark.parametrize(
    "brand", [b"isom", b"iso2", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"dash"]
)
def test_a_file_of_an_mp4_brand_is_mp4(brand: bytes) -> None:
    assert type_of(samples.mp4(brand=brand, compatible=brand)) == "video/mp4"


@pytest.mark.parametrize(
    ("brand", "compatible", "expected"),
    [
        (b"heic", b"mif1heicmp42", "image/heic"),
        (b"mif1", b"mif1heic", "image/heif"),
        (b"avif", b"avifmif1isom", "image/avif"),
        (b"mif1", b"mif1avif", "image/avif"),
        (b"M4A ", b"M4A isommp42", "audio/mp4"),
        (b"3gp4", b"3gp4", "video/3gpp"),
        (b"3gp4", b"isom3gp4", "video/mp4"),
        (b"abcd", b"abcdmp42", "video/mp4"),
        (b"abcd", b"abcd", UNKNOWN),
    ],
)
def test_the_brand_decides_what_a_file_of_boxes_is(
    brand: bytes, compatible: bytes, expected: str
) -> None:
    assert type_of(samples.mp4(brand=brand, compatible=compatible)) == expected


def test_a_movie_from_before_brands_is_quicktime() -> None:
    assert type_of(samples.mov(has_brand=False)) == "video/quicktime"


def test_a_movie_that_begins_with_its_media_data_is_quicktime() -> None:
    content = samples.mov(200_000, has_brand=False)[8:]

    assert content[4:8] == b"mdat"
    assert type_of(content) == "video/quicktime"


def test_text_that_happens_to_hold_a_box_name_is_text() -> None:
    assert type_of(b"1234mdat is no movie") == "text/plain"


# --- Word and Excel in compound files ---------------------------------------------------------


@pytest.mark.parametrize("directory_at_end", [False, True])
@pytest.mark.parametrize("size", [None, 2 * MIB + 300, 7 * MIB])
@pytest.mark.parametrize(("maker", "expected"), [(samples.doc, DOC), (samples.xls, XLS)])
def test_word_and_excel_are_told_wherever_the_directory_lies(
    maker: "samples.Maker", expected: str, size: int | None, directory_at_end: bool
) -> None:
    content = maker(size, directory_at_end=directory_at_end)

    assert type_of(content) == expected


def test_excel_95_is_excel() -> None:
    assert type_of(samples.compound_file({"Book": b""})) == XLS


def test_a_document_with_an_embedded_workbook_is_word() -> None:
    content = samples.compound_file({"WordDocument": b""}, embedded={"Workbook": b""})

    assert type_of(content) == DOC


@pytest.mark.parametrize("directory_at_end", [False, True])
def test_the_directory_is_found_in_files_of_large_sectors(directory_at_end: bool) -> None:
    content = samples.compound_file(
        {"WordDocument": b""},
        embedded={"Workbook": b""},
        sector_size=4096,
        directory_at_end=directory_at_end,
    )

    assert type_of(content) == DOC


def test_a_mail_with_an_embedded_document_is_neither() -> None:
    content = samples.compound_file(
        {"__properties_version1.0": b""}, embedded={"WordDocument": b""}
    )

    assert type_of(content) == OLE


def test_a_presentation_is_neither_even_if_it_speaks_of_documents() -> None:
    text = "WordDocument\0Workbook\0".encode("utf-16-le")

    content = samples.compound_file({"PowerPoint Document": text * 100})

    assert type_of(content) == OLE


def scattered(**changes: bytes) -> bytes:
    """A document whose directory goes on elsewhere: the window's second piece is something else."""
    content = bytearray(samples.compound_file({"WordDocument": b""}, class_id=WORD_CLASS))
    directory = content.index("Root Entry".encode("utf-16-le"))
    content[directory + 76 : directory + 80] = struct.pack("<I", 100_000)
    for name in changes:
        content += f"{name}\0".encode("utf-16-le").ljust(128, b"\0")
    return bytes(content)


@pytest.mark.parametrize("cut", [0, 1, 10, 25, 26, 127])
def test_a_scattered_directory_is_found_by_its_entries_wherever_chunks_end(cut: int) -> None:
    content = scattered()
    border = content.index("WordDocument".encode("utf-16-le")) + cut
    sniffer = ContentSniffer()

    sniffer.feed(content[:border])
    sniffer.feed(content[border:])

    assert sniffer.content_type() == DOC


@pytest.mark.parametrize("chunk_size", [100, 5000, MIB])
def test_in_a_scattered_directory_the_class_of_the_root_settles_what_it_embeds(
    chunk_size: int,
) -> None:
    assert type_of(scattered(Workbook=b""), chunk_size) == DOC


# --- Word and Excel in ZIP archives -----------------------------------------------------------


@pytest.mark.parametrize("types_last", [False, True])
@pytest.mark.parametrize("size", [None, 3 * MIB])
@pytest.mark.parametrize(("maker", "expected"), [(samples.docx, DOCX), (samples.xlsx, XLSX)])
def test_office_documents_are_told_in_any_order_of_their_parts(
    maker: "samples.Maker", expected: str, size: int | None, types_last: bool
) -> None:
    assert type_of(maker(size, types_last=types_last)) == expected


@pytest.mark.parametrize("types_last", [False, True])
def test_an_embedded_workbook_does_not_make_a_document_a_workbook(types_last: bool) -> None:
    parts = samples.docx_parts() | {"word/embeddings/sheet.xlsx": samples.xlsx()}

    content = samples.office_zip(parts, types_last=types_last, compression=zipfile.ZIP_STORED)

    assert type_of(content) == DOCX


@pytest.mark.parametrize("types_last", [False, True])
def test_a_workbook_with_a_directory_too_long_to_keep_is_told_when_office_wrote_it(
    types_last: bool,
) -> None:
    sheets = {f"xl/worksheets/a-rather-long-name-for-sheet-{n}.xml": b"" for n in range(900)}

    content = samples.office_zip(samples.xlsx_parts() | sheets, types_last=types_last)

    assert content.count(b"PK\x01\x02") > 900
    assert type_of(content) == XLSX


def test_a_plain_archive_is_a_zip() -> None:
    content = samples.office_zip({"word.txt": b"xl", "word/readme.txt": b"word/document.xml"})

    assert type_of(content) == "application/zip"


def test_an_archive_of_a_document_is_a_zip() -> None:
    content = samples.office_zip({"cv.docx": samples.docx()}, compression=zipfile.ZIP_STORED)

    assert type_of(content) == "application/zip"


def test_an_empty_archive_is_a_zip() -> None:
    assert type_of(samples.office_zip({})) == "application/zip"


@pytest.mark.parametrize(
    "changed",
    [
        {"word/vbaProject.bin": b"\0"},
        {"word/VBAPROJECT.BIN": b"\0"},
        {
            "[Content_Types].xml": samples.docx_parts()["[Content_Types].xml"].replace(
                b"application/octet-stream", b"application/vnd.ms-office.vbaProject"
            ),
            "word/hidden.bin": b"\0",
        },
        {
            "[Content_Types].xml": samples.types_xml(
                "word/document.xml", "application/vnd.ms-word.document.macroEnabled.main+xml"
            )
        },
        {
            "[Content_Types].xml": samples.docx_parts()["[Content_Types].xml"].replace(
                b"octet-stream", b"vnd.ms-office.vb&#97;Project"
            ),
            "word/hidden.bin": b"\0",
        },
        {
            "[Content_Types].xml": samples.docx_parts()["[Content_Types].xml"]
            .decode()
            .encode("utf-16")
        },
    ],
    ids=["part", "part-case", "declared", "macro-enabled", "escaped", "utf-16"],
)
def test_a_document_with_macros_is_never_a_plain_document(changed: dict[str, bytes]) -> None:
    content = samples.office_zip(samples.docx_parts() | changed)

    assert type_of(content) not in ALLOWED_TYPES


def test_a_presentation_is_no_document_of_the_contract() -> None:
    main = "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"
    types = samples.types_xml("ppt/presentation.xml", main)

    content = samples.office_zip({"[Content_Types].xml": types, "ppt/presentation.xml": b"<p/>"})

    assert type_of(content) == PPTX


def test_an_opendocument_text_says_what_it_is() -> None:
    declared = "application/vnd.oasis.opendocument.text"

    content = samples.office_zip({"mimetype": declared.encode()}, compression=zipfile.ZIP_STORED)

    assert type_of(content) == declared


# --- ZIP and OPC as their standards say -------------------------------------------------------


MACRO_DEFAULT = (
    b'<Default Extension="bin" '
    b'ContentType="application/vnd.ms-excel.sheet.binary.macroEnabled.main"/>'
)


def sheetjs(sheets: int = 1) -> bytes:
    """A workbook as SheetJS writes it: stored, with a type for macro sheets that has no part."""
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
    names = [f"xl/worksheets/sheet{n}.xml" for n in range(1, sheets + 1)]
    overrides = "".join(f'<Override PartName="/{name}" ContentType="{kind}"/>' for name in names)
    parts = samples.xlsx_parts() | dict.fromkeys(names, b"<worksheet/>")
    types = parts["[Content_Types].xml"].split(b'<Default Extension="bin"')
    rest = types[1].partition(b"/>")[2].replace(b"</Types>", overrides.encode() + b"</Types>")
    parts["[Content_Types].xml"] = types[0] + MACRO_DEFAULT + rest
    return samples.office_zip(parts, compression=zipfile.ZIP_STORED)


def streamed(parts: dict[str, bytes], compression: int) -> bytes:
    """A package as a program writes it that cannot seek: the sizes stand behind the data."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.written = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.written += data
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return bytes(pipe.written)


def zip64(content: bytes) -> bytes:
    """The archive with the end records of Zip64, and its first entry's place in an extra field."""
    end = content.rindex(b"PK\5\6")
    start = int.from_bytes(content[end + 16 : end + 20], "little")
    first = bytearray(content[start : start + 46])
    name_size = int.from_bytes(first[28:30], "little")
    offset = int.from_bytes(first[42:46], "little")
    unpacked = int.from_bytes(first[24:28], "little")
    first[24:28] = first[42:46] = b"\xff" * 4
    first[30:32] = struct.pack("<H", 20)
    name = content[start + 46 : start + 46 + name_size]
    extra = struct.pack("<HHQQ", 1, 16, unpacked, offset)
    directory = bytes(first) + name + extra + content[start + 46 + name_size : end]
    count = int.from_bytes(content[end + 10 : end + 12], "little")
    record = struct.pack(
        "<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), start
    )
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, start + len(directory), 1)
    last = b"PK\5\6" + b"\0" * 4 + b"\xff" * 12 + b"\0\0"
    return content[:start] + directory + record + locator + last


def renamed(content: bytes, new: bytes) -> bytes:
    return content.replace(b"[Content_Types].xml", new)


@pytest.mark.parametrize("chunk_size", [1000, MIB])
@pytest.mark.parametrize(
    "content",
    [
        sheetjs(),
        sheetjs(160),
        sheetjs(1000),
        streamed(samples.xlsx_parts(), zipfile.ZIP_DEFLATED),
        streamed(samples.xlsx_parts(), zipfile.ZIP_STORED),
        zip64(samples.xlsx()),
        zip64(samples.xlsx(types_last=True)) + b"\0" * 100,
        renamed(samples.xlsx(), b"[content_types].xml"),
        renamed(samples.xlsx(types_last=True), b"[CONTENT_TYPES].XML"),
        samples.xlsx() + b"\r\n",
        samples.xlsx() + bytes(70_000),
        samples.xlsx() + b"PK\5\6",
        samples.xlsx()[:-2] + struct.pack("<H", 300) + b"x" * 300,
        b"\r\n\r\n" + samples.xlsx(),
        b"\xef\xbb\xbf" + samples.xlsx(),
        samples.office_zip(samples.xlsx_parts() | {"docProps/": b"", "a.JPEG": b"x" * 2_000_000}),
        samples.office_zip(
            samples.xlsx_parts()
            | {f"xl/embeddings/{n}.xlsx": samples.xlsx() for n in range(40)},
            types_last=True,
            compression=zipfile.ZIP_STORED,
        ),
        samples.office_zip(
            {
                name.replace("/", "\\") if name.startswith("xl/worksheets") else name: part
                for name, part in samples.xlsx_parts().items()
            }
        ),
        samples.office_zip(
            samples.xlsx_parts()
            | {"[Content_Types].xml": samples.xlsx_parts()["[Content_Types].xml"]
               .replace(b"UTF-8", b"UTF-16").decode().encode("utf-16")}
        ),
        samples.office_zip(
            samples.xlsx_parts()
            | {"[Content_Types].xml": samples.xlsx_parts()["[Content_Types].xml"]
               .replace(b"<Types xmlns=", b"<t:Types xmlns:t=").replace(b"<D", b"<t:D")
               .replace(b"<O", b"<t:O").replace(b"</Types", b"</t:Types")}
        ),
    ],
    ids=[
        "SheetJS", "160 sheets", "1000 sheets", "sizes behind the data", "stored, sizes behind it",
        "Zip64", "Zip64 and zeros behind it", "lower case", "upper case", "a line end behind it",
        "zeros behind it", "half an end behind it", "a comment",
        "line ends before it", "a byte order mark before it", "folders", "embedded workbooks",
        "backslashes", "UTF-16", "a prefix for the namespace",
    ],
)  # fmt: skip
def test_a_workbook_is_told_however_zip_and_opc_let_it_be_written(
    content: bytes, chunk_size: int
) -> None:
    assert type_of(content, chunk_size) == XLSX


def with_types(change: Callable[[bytes], bytes], **parts: bytes) -> bytes:
    """A workbook whose content types are changed, with these parts more; ``__`` is a dot."""
    all_parts = samples.xlsx_parts() | {
        name.replace("__", "."): part for name, part in parts.items()
    }
    all_parts["[Content_Types].xml"] = change(all_parts["[Content_Types].xml"])
    return samples.office_zip(all_parts)


def add(element: bytes) -> Callable[[bytes], bytes]:
    return lambda types: types.replace(b"</Types>", element + b"</Types>")


@pytest.mark.parametrize(
    "content",
    [
        with_types(add(MACRO_DEFAULT.replace(b'"bin"', b'"foo"')), hidden__foo=b"x"),
        with_types(add(MACRO_DEFAULT.replace(b'"bin"', b'"foo"')), hidden__FOO=b"x"),
        with_types(
            add(b'<Override PartName="/hid%64en.foo" ContentType="application/vnd.ms-office.vbaProject"/>'),
            hidden__foo=b"x",
        ),
        with_types(
            add(b'<Override PartName="/Sheet.XML" ContentType="application/vnd.ms-excel.macrosheet+xml"/>'),
            sheet__xml=b"x",
        ),
        with_types(lambda types: b"<!DOCTYPE Types [<!ENTITY a 'b'>]>" + types.partition(b"?>")[2]),
        with_types(lambda types: types[:-5]),
        with_types(lambda _: b"<Types>" + b" " * 30_000_000 + b"</Types>"),
        samples.office_zip(samples.xlsx_parts() | {"[content_types].xml": b"<Types/>"}),
        sheetjs().replace(b"Override", b"Overrid3", 1),
        samples.xlsx()[:-30],
    ],
    ids=[
        "a macro by its extension", "by its extension in upper case", "by an escaped name",
        "by a name in another case", "a DTD", "cut off", "a bomb", "two that say so", "damaged",
        "no directory",
    ],
)  # fmt: skip
def test_a_package_that_may_be_something_else_is_no_workbook(content: bytes) -> None:
    assert type_of(content) not in ALLOWED_TYPES


def test_a_part_that_is_missing_makes_no_macro() -> None:
    override = b'<Override PartName="/xl/vbaProject.bin" ContentType="application/vnd.ms-office.vbaProject"/>'

    assert type_of(with_types(add(override))) == XLSX
    assert type_of(with_types(add(override), **{"xl/vbaProject__bin": b""})) == "application/zip"


def test_a_binary_workbook_is_named() -> None:
    content = samples.office_zip(
        {
            "[Content_Types].xml": samples.types_xml(
                "xl/workbook.bin", "application/vnd.ms-excel.sheet.binary.macroEnabled.main"
            ),
            "xl/workbook.bin": b"",
        }
    )

    assert type_of(content) == "application/vnd.ms-excel.sheet.binary.macroenabled.12"


def test_an_archive_takes_bounded_memory_whatever_it_holds() -> None:
    header = b"PK\3\4" + bytes(22) + struct.pack("<HH", 19, 0) + b"[Content_Types].xml"
    chunks = [header + bytes(MIB)] * 100
    sniffer = ContentSniffer()
    tracemalloc.start()
    try:
        for chunk in chunks:
            sniffer.feed(chunk)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 8 * MIB


@pytest.mark.parametrize("embedded", [{}, {"Workbook": b""}])
def test_a_document_behind_a_password_is_named_as_such(embedded: dict[str, bytes]) -> None:
    content = samples.compound_file(
        {"EncryptionInfo": b"", "EncryptedPackage": bytes(10_000)}, embedded=embedded
    )

    detected = type_of(content)

    with pytest.raises(InvalidInput, match=r"protected by a password\. Remove the password"):
        check_allowed(detected=detected, claimed=XLSX, filename="table.xlsx")


# --- everything else --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"hello, world\n", "text/plain"),
        ("안녕하세요".encode(), "text/plain"),
        ("안녕하세요".encode("utf-16"), "text/plain"),
        ("안녕하세요, 세계".encode("cp949"), UNKNOWN),
        (b"a < b && c > d", "text/plain"),
        (b"BM is no bitmap, MZ no program", "text/plain"),
        (b"<!DOCTYPE html><title>x</title>", "text/html"),
        (b"\xef\xbb\xbf \n<HTML>", "text/html"),
        (b"<!-- a comment --><script>alert(1)</script>", "text/html"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (b"<?xml version='1.0'?><!-- x --><!DOCTYPE svg [<!ENTITY a 'b'>]><svg/>", "image/svg+xml"),
        (b"<?xml version='1.0'?><s:svg xmlns:s='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (b"<?xml version='1.0'?><html/>", "application/xhtml+xml"),
        (b"<?xml version='1.0'?><feed/>", "application/xml"),
        (json.dumps({"a": [1]}).encode(), "application/json"),
        (b"{ no json }", "text/plain"),
        (b"[" * 8000, "text/plain"),
        (b"text with a \0 in it", UNKNOWN),
        (bytes(1000), UNKNOWN),
        (b"\x01\0\x99\xfe two bytes like those of a metafile", UNKNOWN),
        (gzip.compress(b"a", mtime=0), "application/gzip"),
        (tar(), "application/x-tar"),
        (
            b"MZ\x90\0" + bytes(56) + b"\x80\0\0\0" + bytes(200),
            "application/vnd.microsoft.portable-executable",
        ),
        (b"\x7fELF\2\1\1\0" + bytes(100), "application/x-executable"),
        (b"BM" + struct.pack("<IIII", 58, 0, 54, 40) + bytes(40), "image/bmp"),
        (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 " + bytes(40), "image/jp2"),
        (b"RIFF\x24\0\0\0WAVEfmt " + bytes(30), "audio/wav"),
        (b"", UNKNOWN),
    ],
)
def test_other_content_is_named_where_it_is_certain(content: bytes, expected: str) -> None:
    assert type_of(content) == expected


def test_a_character_cut_by_the_end_of_the_head_is_still_text() -> None:
    content = b"a" + "한".encode() * 10_000

    assert type_of(content) == "text/plain"


def test_a_character_cut_by_the_end_of_the_file_is_no_text() -> None:
    assert type_of("한".encode()[:-1]) == UNKNOWN


@pytest.mark.parametrize("chunk_size", [1, 1000, MIB])
@pytest.mark.parametrize(
    ("content", "stored"),
    [
        (b"plain ASCII", "text/plain; charset=utf-8"),
        ("안녕하세요".encode() * 5000, "text/plain; charset=utf-8"),
        ("안녕하세요".encode("utf-8-sig"), "text/plain; charset=utf-8"),
        (b"\x1b[31mred\x1b[0m", "text/plain; charset=utf-8"),
        ("안녕하세요".encode("utf-16"), "text/plain"),
        ("こんにちは".encode("iso-2022-jp"), "text/plain"),
        (b"a" * 10_000 + b"\xff", "text/plain"),
        (b"a" * 10_000 + b"\xed\x95", "text/plain"),
        (b'{"a": 1}', "application/json"),
        (b"<p>", "text/html"),
        (b"", UNKNOWN),
    ],
)
def test_the_charset_is_stored_where_every_byte_proves_it(
    content: bytes, stored: str, chunk_size: int
) -> None:
    assert sniffed(content, chunk_size).stored_type() == stored


@pytest.mark.parametrize("before", [b"\n", b"\xef\xbb\xbf", b" " * 1000])
def test_a_pdf_may_have_white_space_before_it(before: bytes) -> None:
    assert type_of(before + samples.pdf()) == "application/pdf"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (samples.jpeg() + samples.pdf(), "image/jpeg"),
        (samples.gif() + b"<script>alert(1)</script>", "image/gif"),
        (samples.png() + samples.docx(), "image/png"),
        (b"<script>alert(1)</script>" + b"%PDF-1.4\n", "text/html"),
    ],
)
def test_of_two_signatures_the_first_decides(content: bytes, expected: str) -> None:
    assert type_of(content) == expected


# --- the first bytes alone --------------------------------------------------------------------


@pytest.mark.parametrize("content_type", samples.SAMPLES)
def test_the_head_of_an_allowed_file_never_looks_hopeless(content_type: str) -> None:
    sniffer = ContentSniffer()

    sniffer.feed(samples.SAMPLES[content_type](20_000)[:9000])

    assert may_become_allowed(sniffer.head_type())


@pytest.mark.parametrize("content", [b"a" * 9000, bytes(9000), b"<html>" * 2000, tar()])
def test_the_head_of_another_file_is_hopeless(content: bytes) -> None:
    sniffer = ContentSniffer()

    sniffer.feed(content)

    assert sniffer.is_head_complete
    assert not may_become_allowed(sniffer.head_type())


def test_a_few_bytes_are_no_complete_head() -> None:
    sniffer = ContentSniffer()

    sniffer.feed(samples.png()[:4])

    assert not sniffer.is_head_complete


# --- what the files API takes -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("image/png", "image"),
        ("IMAGE/PNG; x=y", "image"),
        ("image/svg+xml", "image"),
        ("video/webm", "video"),
        ("application/pdf", "document"),
        (DOCX, "document"),
        ("application/zip", "other"),
        ("text/plain", "other"),
        ("", "other"),
    ],
)
def test_a_type_has_a_category(content_type: str, expected: str) -> None:
    assert category_of(content_type) == expected


def test_every_extension_is_of_an_allowed_type_and_every_type_has_one() -> None:
    assert set(EXTENSIONS.values()) == set(ALLOWED_TYPES)


@pytest.mark.parametrize(
    ("claimed", "filename"),
    [
        ("image/png", "photo.png"),
        ("image/jpeg", "photo.JPG"),
        ("Image/PNG; charset=binary", "photo.png"),
        ("image/jpg", "photo.jpeg"),
        ("application/octet-stream", "photo.webp"),
        (None, "photo"),
        ("", ".photo"),
        (None, "스캔 2024.02.26"),
        (None, "v1. final version"),
        (None, "사진.gif"),
    ],
)
def test_a_png_may_claim_any_allowed_image_or_nothing(claimed: str | None, filename: str) -> None:
    check_allowed(detected="image/png", claimed=claimed, filename=filename)


@pytest.mark.parametrize(
    "claimed",
    [
        "application/haansoftxlsx",
        "application/wps-office.docx",
        "application/vnd.ms-office",
        "application/vnd.openxmlformats",
        "application/x-zip-compressed",
        "application/zip",
        "application/x-ole-storage",
        "application/force-download",
        "application/x-www-form-urlencoded",
        "application/unheard.of",
        "multipart/form-data",
        "binary/octet-stream",
        "application/*",
        "image/*",
        "*/*",
        "*",
        "image",
        "nonsense",
        "application/msexcel",
        "application/vnd.ms-excel; charset=binary",
    ],
)
def test_a_claim_that_says_nothing_false_is_no_lie(claimed: str) -> None:
    check_allowed(detected=XLSX, claimed=claimed, filename="table.xlsx")


@pytest.mark.parametrize(
    "claimed",
    [
        "image/png",
        "image/x-unheard-of",
        "video/mp4",
        "text/csv",
        "text/html",
        PPTX,
        "application/vnd.ms-excel.sheet.macroEnabled.12",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/x-msdownload",
        "application/javascript",
    ],
)
def test_a_claim_that_a_workbook_is_something_else_is_refused(claimed: str) -> None:
    with pytest.raises(InvalidInput, match="sent as another type"):
        check_allowed(detected=XLSX, claimed=claimed, filename="table.xlsx")


def test_an_avi_may_have_the_name_that_windows_gives_the_type() -> None:
    check_allowed(detected="video/x-msvideo", claimed="video/avi", filename="film.avi")


@pytest.mark.parametrize(
    ("claimed", "filename"),
    [
        ("application/pdf", "photo.png"),
        ("video/mp4", "photo.png"),
        ("text/html", "photo.png"),
        ("image/svg+xml", "photo.png"),
        ("image/heic", "photo.png"),
        ("application/json", "photo.png"),
        ("application/msexcel", "photo.png"),
        ("text/pdf", "photo.png"),
        ("text/x-unheard-of", "photo.png"),
        ("audio/mp4", "photo.png"),
        ("image/png", "photo.pdf"),
        ("image/png", "photo.exe"),
        ("image/png", "photo.png.html"),
        ("image/png", "photo.php"),
        ("image/png", "photo.txt"),
        ("image/png", "photo.svg"),
        ("image/png", "photo.exe. "),
        (None, "photo.7z"),
    ],
)
def test_a_claim_of_another_category_or_type_is_refused(claimed: str | None, filename: str) -> None:
    with pytest.raises(InvalidInput, match="File type not allowed") as caught:
        check_allowed(detected="image/png", claimed=claimed, filename=filename)

    assert list(caught.value.errors) == ["file"]


@pytest.mark.parametrize(
    "detected",
    [
        "text/plain",
        "text/html",
        "image/svg+xml",
        "image/heic",
        OLE,
        "application/zip",
        PPTX,
        UNKNOWN,
    ],
)
def test_content_of_another_type_is_refused_whatever_it_claims(detected: str) -> None:
    with pytest.raises(InvalidInput, match="File type not allowed"):
        check_allowed(detected=detected, claimed="image/png", filename="photo.png")
