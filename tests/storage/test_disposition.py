"""How stored bytes may be shown, and that no name or type can say otherwise."""

import re
from email.message import EmailMessage
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from softfactory.storage.disposition import (
    INLINE_TYPES,
    OCTET_STREAM,
    content_disposition,
    safe_content_type,
)

HEADER = re.compile(
    r"""(inline|attachment); filename="([ !#$&-:<-\[\]-~]+)"; """
    r"""filename\*=UTF-8''((?:[A-Za-z0-9!#$&+.^_`|~-]|%[0-9A-F]{2})+)"""
)
"""RFC 6266 with RFC 8187: a quoted string without escapes, an encoded value."""


def parts(header: str) -> tuple[str, str, str]:
    match = HEADER.fullmatch(header)
    assert match, header
    return match[1], match[2], unquote(match[3])


@pytest.mark.parametrize("content_type", sorted(INLINE_TYPES))
def test_a_passive_type_is_shown_in_place(content_type: str) -> None:
    assert parts(content_disposition("a", content_type))[0] == "inline"


def test_parameters_do_not_change_how_a_type_is_shown() -> None:
    assert parts(content_disposition("a.txt", "text/plain; charset=utf-8"))[0] == "inline"


@pytest.mark.parametrize(
    "content_type",
    [
        "text/html",
        "TEXT/HTML; charset=utf-8",
        "image/svg+xml",
        "application/xml",
        "text/javascript",
        "application/pdf",
        "application/zip",
        "application/octet-stream",
        "image/png, text/html",
        "image/png\r\nX-Evil: 1",
        "nonsense",
        "",
    ],
)
def test_everything_else_is_a_download(content_type: str) -> None:
    assert parts(content_disposition("a", content_type))[0] == "attachment"


def test_a_passive_type_is_a_download_where_one_is_asked_for() -> None:
    header = content_disposition("a.png", "image/png", download=True)

    assert parts(header)[0] == "attachment"


@pytest.mark.parametrize(
    ("filename", "fallback"),
    [
        ("photo.png", "photo.png"),
        ("two words.pdf", "two words.pdf"),
        ("café.pdf", "cafe.pdf"),
        ("사진.jpg", "download.jpg"),
        ("보고서 2024.xlsx", "___ 2024.xlsx"),
        ('a"b\\c/d%41;e.txt', "a_b_c_d_41_e.txt"),
        ("...", "download"),
        ("한국어", "download"),
    ],
)
def test_a_name_has_an_ascii_fallback_and_keeps_itself(filename: str, fallback: str) -> None:
    _, shown, encoded = parts(content_disposition(filename, "application/pdf"))

    assert shown == fallback
    assert encoded == filename


def test_control_characters_are_no_part_of_a_name() -> None:
    header = content_disposition("a\r\n\0b\x7f\x85.png", "image/png")

    assert parts(header) == ("inline", "ab.png", "ab.png")


def test_nothing_turns_the_direction_of_a_name_around() -> None:
    marks = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029"

    header = content_disposition(f"an{marks}nfdp.exe", "image/png")

    assert parts(header) == ("inline", "annfdp.exe", "annfdp.exe")


@given(filename=st.text(max_size=60), content_type=st.text(max_size=30))
@example(filename='x"\r\nSet-Cookie: a=b', content_type="image/png")
@example(filename="a\udc80b", content_type="image/png")
@example(filename="\r\n", content_type="image/png")
@example(filename="", content_type="image/png")
def test_no_name_or_type_breaks_out_of_the_header(filename: str, content_type: str) -> None:
    assert HEADER.fullmatch(content_disposition(filename, content_type))


@pytest.mark.parametrize("filename", ["photo.png", "사진 1.jpg", "a'b*c.txt", "100%.txt"])
def test_another_reader_of_the_header_finds_the_name(filename: str) -> None:
    # The standard library reads "filename" first where both are there: leave it "filename*".
    header = re.sub(r' filename="[^"]*";', "", content_disposition(filename, "image/png"))
    message = EmailMessage()
    message["Content-Disposition"] = header

    assert message.get_filename() == filename


@pytest.mark.parametrize(
    ("content_type", "sent"),
    [
        ("image/png", "image/png"),
        ("Image/PNG", "image/png"),
        ("text/plain; charset=UTF-8", "text/plain; charset=utf-8"),
        ('text/csv;charset="utf-8"; header=present', "text/csv; charset=utf-8"),
        ("video/mp4; codecs=avc1", "video/mp4"),
        ("application/pdf", "application/pdf"),
        (
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
    ],
)
def test_a_type_that_no_browser_runs_is_sent_as_it_is(content_type: str, sent: str) -> None:
    assert safe_content_type(content_type) == sent


@pytest.mark.parametrize(
    "content_type",
    [
        "text/html",
        "Text/HTML ; charset=utf-8",
        "application/xhtml+xml",
        "image/svg+xml",
        "text/xml",
        "application/xml",
        "application/atom+xml",
        "text/javascript",
        "application/javascript",
        "application/x-javascript",
        "text/ecmascript",
        "text/css",
        "text/xsl",
        "multipart/x-mixed-replace; boundary=x",
        "multipart/related",
        "message/rfc822",
        "application/x-shockwave-flash",
    ],
)
def test_a_type_that_a_browser_acts_on_is_sent_as_bytes(content_type: str) -> None:
    assert safe_content_type(content_type) == OCTET_STREAM


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "nonsense",
        "a/b/c",
        "image/",
        "/png",
        "image/png, text/html",
        "text/plain\r\nX: y",
        "텍스트/plain",
        "*/*",
    ],
)
def test_a_malformed_type_is_sent_as_bytes(content_type: str) -> None:
    assert safe_content_type(content_type) == OCTET_STREAM


@given(content_type=st.text(max_size=60))
def test_no_type_breaks_out_of_its_header(content_type: str) -> None:
    assert re.fullmatch(
        r"[\x21-\x7e]+/[\x21-\x7e]+(; charset=[\x21-\x7e]+)?", safe_content_type(content_type)
    )
