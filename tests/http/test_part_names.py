"""A client's name for a file is taken from whichever place the client put it in."""

import base64
import json
import time
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softfactory.errors import InvalidInput
from softfactory.http.part_names import field_name, file_name, parameters_of
from tests import samples
from tests.conftest import Caller
from tests.stacks import one_stack

NAME = "파일 é.pdf"
ENCODED = quote(NAME)


def name_of(parameters: str | bytes) -> str | None:
    sent = parameters if isinstance(parameters, bytes) else parameters.encode()
    disposition = 'form-data; name="file"; ' + sent.decode("latin-1")
    return file_name(parameters_of(disposition), field="file")


def word(text: str, charset: str = "utf-8") -> str:
    return f"=?{charset}?B?{base64.b64encode(text.encode(charset)).decode()}?="


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        # Browsers: raw UTF-8, percent signs for what would end the value.
        (f'filename="{NAME}"', NAME),
        ('filename="a%22b%0D%0A.pdf"', 'a"b\r\n.pdf'),
        ('filename="100%.pdf"', "100%.pdf"),
        ('filename="a%20b.pdf"', "a%20b.pdf"),
        (r'filename="a\b.pdf"', r"a\b.pdf"),
        ('filename="a\\"', "a\\"),
        ('filename="a; filename=b"', "a; filename=b"),
        # Quoted pairs, as curl and others write them.
        (r'filename="a\"b.pdf"', 'a"b.pdf'),
        (r'filename="a\\\"b.pdf"', r"a\"b.pdf"),
        (r'filename="a\\b.pdf"', r"a\b.pdf"),
        # Internet Explorer.
        (r'filename="C:\Users\me\a.pdf"', "a.pdf"),
        (r'filename="\\server\share\a.pdf"', "a.pdf"),
        # No quotes, and other shapes of a parameter.
        ("filename=a.pdf", "a.pdf"),
        ('filename="a.pdf', "a.pdf"),
        ("filename=a b.pdf ; size=3", "a b.pdf"),
        ('FileName = "a.pdf"', "a.pdf"),
        ('broken; filename="a.pdf"', "a.pdf"),
        # RFC 8187.
        (f"filename*=utf-8''{ENCODED}", NAME),
        (f"filename*=UTF-8'ko'{ENCODED}", NAME),
        (f"filename=\"x.pdf\"; filename*=utf-8''{ENCODED}", NAME),
        (f"filename*=utf-8''{ENCODED}; filename=\"x.pdf\"", NAME),
        (f"filename*=\"utf-8''{ENCODED}\"", NAME),
        ("filename*=iso-8859-1''%E9.pdf", "é.pdf"),
        ("filename*=euc-kr''%C7%D1.pdf", "한.pdf"),
        (f"filename*=utf-8''{NAME}", NAME),
        ("filename*=utf-8''a%22%5Cb.pdf", 'a"\\b.pdf'),
        # What Windows calls by an older name.
        ("filename*=euc-kr''%8Cc.pdf", "똠.pdf"),
        ("filename*=ks_c_5601-1987''%8Cc.pdf", "똠.pdf"),
        ("filename*=Windows-949''%8Cc.pdf", "똠.pdf"),
        ("filename*=shift_jis''%87%40.pdf", "①.pdf"),
        ("filename*=windows-31j''%87%40.pdf", "①.pdf"),
        ("filename*=gb2312''%E9F.pdf", "镕.pdf"),
        # aiohttp: all that is not a letter of ASCII percent-encoded.
        (f'filename="{quote(NAME, safe="")}"', NAME),
        ('filename="%ED%95%9C%20%22q%22%25.pdf"', '한 "q"%.pdf'),
        ("filename=%ED%95%9C(1).pdf", "한(1).pdf"),
        # No proof that anything is encoded.
        ('filename="%ED%95%9C b.pdf"', "%ED%95%9C b.pdf"),
        ('filename="%ED%95.pdf"', "%ED%95.pdf"),
        ('filename="한%ED%95%9C.pdf"', "한%ED%95%9C.pdf"),
        # A malformed one falls back.
        ("filename*=utf-8''%zz; filename=\"a.pdf\"", "a.pdf"),
        ("filename*=utf-8''%ff; filename=\"a.pdf\"", "a.pdf"),
        ("filename*=utf-8''%ed%a0%80; filename=\"a.pdf\"", "a.pdf"),
        ("filename*=nonsense''a; filename=\"a.pdf\"", "a.pdf"),
        ("filename*=rot13''n; filename=\"a.pdf\"", "a.pdf"),
        ("filename*=utf-8''; filename=\"a.pdf\"", "a.pdf"),
        ('filename*=b.pdf; filename="a.pdf"', "a.pdf"),
        # RFC 2231, in pieces.
        ("filename*0*=utf-8''%ED%8C; filename*1*=%8C; filename*2=\".pdf\"", "파.pdf"),
        ('filename*1=".pdf"; filename*0="a b"', "a b.pdf"),
        ("filename*0*=utf-8''a; filename*2=b; filename=\"c.pdf\"", "c.pdf"),
        # RFC 2047.
        (f'filename="{word(NAME)}"', NAME),
        (f"filename={word(NAME)}", NAME),
        (f'filename="{word("한글", "euc-kr")}.pdf"', "한글.pdf"),
        ('filename="=?UTF-8?Q?caf=C3=A9_menu?= 1.pdf"', "café menu 1.pdf"),
        ('filename="=?utf-8?Q?=ED=8C?= =?UTF-8?Q?=8C.pdf?="', "파.pdf"),
        (f'filename="{word("한", "euc-kr")} {word("é.pdf")}"', "한é.pdf"),
        (f"filename=\"{word('x.pdf')}\"; filename*=utf-8''{ENCODED}", NAME),
        ('filename="=?utf-8?B?%%%?=.pdf"', "=?utf-8?B?%%%?=.pdf"),
        ('filename="=?utf-8?Q?=FF?=.pdf"', "=?utf-8?Q?=FF?=.pdf"),
        ('filename="=?idna?B?YQ==?=.pdf"', "=?idna?B?YQ==?=.pdf"),
        # No file was chosen; no file.
        ('filename=""', ""),
        ("filename=", ""),
        ("size=3", None),
        ("", None),
    ],
)
def test_the_clients_name_is_found_where_the_client_put_it(
    parameters: str, name: str | None
) -> None:
    assert name_of(parameters) == name


@pytest.mark.parametrize("encoding", ["cp949", "shift_jis", "latin-1"])
def test_a_name_in_another_encoding_is_refused_for_that(encoding: str) -> None:
    name = {"cp949": "한글", "shift_jis": "表示", "latin-1": "é"}[encoding].encode(encoding)

    with pytest.raises(InvalidInput, match="name of the file is not valid UTF-8") as caught:
        name_of(b'filename="' + name + b'.pdf"')

    assert list(caught.value.errors) == ["file"]


def test_a_name_in_another_encoding_does_no_harm_beside_a_good_one() -> None:
    both = 'filename="한글.pdf"; '.encode("cp949") + f"filename*=utf-8''{ENCODED}".encode()

    assert name_of(both) == NAME


@pytest.mark.parametrize("sent", ["filename*=utf-8''%ff", "filename*=", "filename*1=a"])
def test_a_name_that_is_nothing_but_malformed_is_refused_for_that(sent: str) -> None:
    with pytest.raises(InvalidInput, match=r"malformed.*RFC 8187"):
        name_of(sent)


def test_a_field_has_the_name_that_was_sent() -> None:
    names = {
        "form-data; name=key": "key",
        'form-data; name="a%22b"': 'a"b',
        'form-data; filename="x; name=evil"; name="file"': "file",
        "form-data; filename*=utf-8''a; name=\"file\"": "file",
        "form-data": "",
    }

    assert {sent: field_name(parameters_of(sent)) for sent in names} == names


@given(st.text(max_size=200))
def test_nothing_that_is_sent_makes_the_reader_fail(sent: str) -> None:
    try:
        name = name_of(sent)
    except InvalidInput:
        return

    assert name is None or isinstance(name, str)


@pytest.mark.parametrize(
    "piece", ["=?a?b?", '"\\', ';a="\\"', "filename*0*=%;", "=?utf-8?q?=", " ", '";', "\\\\"]
)  # fmt: skip
def test_a_long_header_costs_no_more_than_its_length(piece: str) -> None:
    header = 'filename="' + piece * (16_000 // len(piece))

    began = time.process_time()
    name_of(header) if piece != "filename*0*=%;" else name_of(header + 'filename="a"')

    assert time.process_time() - began < 0.2


# --- through the doors ----------------------------------------------------------------------------


def form(disposition: bytes, body: bytes, **fields: str) -> dict[str, Any]:
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    parts += [b"--x\r\nContent-Disposition: form-data; " + disposition + b"\r\n\r\n" + body]
    data = b"".join([*parts, b"\r\n--x--\r\n"])
    return {"data": data, "content_type": "multipart/form-data; boundary=x"}


@one_stack
@pytest.mark.parametrize(
    "sent",
    [f"filename*=utf-8''{ENCODED}", f"filename=\"{word(NAME)}\"; filename*=utf-8''{ENCODED}"],
    ids=["old urllib3", ".NET"],
)
def test_every_form_takes_the_name_of_every_client(alice: Caller, sent: str) -> None:
    disposition = b'name="file"; ' + sent.encode()

    files = alice.post("/api/files/upload", **form(disposition, samples.pdf()))
    simple = alice.post("/s3/upload/", **form(disposition, b"text"))
    key = f"users/{alice.uuid}/a"
    browser = alice.post("/api/s3/upload", **form(disposition, b"text", key=key))

    assert (files.status_code, simple.status_code, browser.status_code) == (201, 201, 200)
    assert files.get_json()["original_filename"] == NAME
    assert simple.get_json()["file_key"].endswith(NAME)


@one_stack
@pytest.mark.parametrize("path", ["/api/files/upload", "/s3/upload/", "/api/s3/upload"])
def test_every_form_says_what_is_wrong_with_a_name(alice: Caller, path: str) -> None:
    disposition = b'name="file"; filename="' + "한글.pdf".encode("cp949") + b'"'

    answer = alice.post(path, **form(disposition, samples.pdf(), key=f"users/{alice.uuid}/a"))

    assert answer.status_code == 400
    assert "not valid UTF-8" in answer.get_json()["error"]
    assert "again" not in json.dumps(answer.get_json())


@one_stack
def test_a_name_of_a_thousand_bytes_is_taken_in_its_longest_form(alice: Caller) -> None:
    name = "한" * 336 + ".pdf"
    sent = f"filename*=utf-8''{quote(name)}; filename=\"{word(name)}\""

    answer = alice.post(
        "/api/files/upload", **form(b'name="file"; ' + sent.encode(), samples.pdf())
    )

    assert (answer.status_code, answer.get_json()["original_filename"]) == (201, name)
