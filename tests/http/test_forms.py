"""A form with one file: read as it arrives, in any shape a client may send, or refused."""

import io
from typing import Any

import pytest
from flask import Flask, Request
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import encode_multipart_formdata
from werkzeug.test import EnvironBuilder

from softfactory.errors import InvalidInput, UnsupportedMediaType
from softfactory.http import forms
from softfactory.http.bodies import CHUNK_SIZE
from softfactory.http.forms import UploadForm
from tests.conftest import Caller
from tests.http.failures import refusal
from tests.stacks import one_stack

TYPE = "multipart/form-data; boundary=x"
FILE = 'name="file"; filename="a.pdf"'


def part(headers: str, body: bytes | str = b"body", *, name: str = "Content-Disposition") -> bytes:
    data = body if isinstance(body, bytes) else body.encode()
    return b"--x\r\n" + f"{name}: form-data; {headers}\r\n\r\n".encode() + data + b"\r\n"


def form(*parts: bytes, end: bytes = b"--x--\r\n") -> bytes:
    return b"".join(parts) + end


def request(body: bytes, content_type: str | None = TYPE, stream: Any = None) -> Request:
    environ = EnvironBuilder(method="POST", content_type=content_type, data=body).get_environ()
    environ["wsgi.input"] = stream or io.BytesIO(body)
    return Request(environ)


def read(body: bytes, content_type: str | None = TYPE) -> tuple[UploadForm, bytes]:
    upload = UploadForm(request(body, content_type))
    return upload, b"".join(upload.chunks())


class Trickle(io.RawIOBase):
    """A body that arrives in pieces of one size, however much is asked for."""

    def __init__(self, body: bytes, piece: int) -> None:
        self._body, self._piece = io.BytesIO(body), piece
        self.asked = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._body.read(min(self._piece, len(buffer)))
        buffer[: len(piece)] = piece
        self.asked += 1
        return len(piece)


# --- what is read ---------------------------------------------------------------------------------


def test_the_file_and_the_fields_around_it_are_read() -> None:
    body = form(
        part('name="a"', "1"), part(FILE + "\r\nContent-Type: text/plain"), part('name="b"', "2")
    )

    upload, data = read(body)

    assert data == b"body"
    assert (upload.filename, upload.content_type) == ("a.pdf", "text/plain")
    assert upload.fields == {"a": "1", "b": "2"}


def test_fields_before_the_file_are_there_before_it_is_read() -> None:
    upload = UploadForm(request(form(part('name="a"', "1"), part(FILE), part('name="b"', "2"))))

    assert upload.fields == {"a": "1"}


def test_where_nothing_is_claimed_there_is_no_type() -> None:
    assert read(form(part(FILE)))[0].content_type is None


def test_of_a_field_that_is_sent_twice_the_last_counts() -> None:
    upload, _ = read(form(part('name="a"', "1"), part(FILE), part('name="a"', "2")))

    assert upload.fields == {"a": "2"}


@pytest.mark.parametrize(
    "name",
    [
        "a b.pdf",
        "é.pdf",
        "파일.pdf",
        "a;b.pdf",
        "a'b.pdf",
        "a=b.pdf",
        "\U0001f600.pdf",
    ],
)
def test_a_filename_comes_as_the_client_sent_it(name: str) -> None:
    upload, _ = read(form(part(f'name="file"; filename="{name}"')))

    assert upload.filename == name


@pytest.mark.parametrize(
    "content_type",
    [TYPE, 'multipart/form-data; boundary="x"', "Multipart/Form-Data; Boundary=x",
     "multipart/form-data;charset=utf-8;boundary=x", "multipart/form-data;   boundary=x  "],
)  # fmt: skip
def test_the_type_of_a_form_is_read_in_every_spelling(content_type: str) -> None:
    assert read(form(part(FILE)), content_type)[1] == b"body"


@pytest.mark.parametrize(
    "data",
    [b"", b"\r\n", b"--x", b"\r\n--", b"--x--", b"\r", b"\r\n-", bytes(range(256)), b"x" * 5000],
    ids=repr,
)  # fmt: skip
def test_every_byte_of_a_file_comes_through(data: bytes) -> None:
    if data in (b"--x", b"--x--"):
        data = b" " + data

    assert read(form(part(FILE, data)))[1] == data


@given(
    data=st.binary(max_size=3000).filter(lambda data: b"\r\n--x" not in b"\r\n" + data),
    piece=st.integers(min_value=1, max_value=200),
)
def test_it_makes_no_difference_how_the_body_arrives(data: bytes, piece: int) -> None:
    body = form(part('name="a"', "1"), part(FILE, data), part('name="b"', "2"))
    upload = UploadForm(request(body, stream=io.BufferedReader(Trickle(body, piece))))

    assert b"".join(upload.chunks()) == data
    assert upload.fields == {"a": "1", "b": "2"}


def test_a_large_file_is_never_held_whole() -> None:
    body = form(part(FILE, b"\0" * (8 * CHUNK_SIZE)))
    upload = UploadForm(request(body))

    sizes = [len(chunk) for chunk in upload.chunks()]

    assert sum(sizes) == 8 * CHUNK_SIZE
    assert max(sizes) <= 2 * CHUNK_SIZE


def test_what_is_behind_the_end_of_the_form_is_ignored() -> None:
    assert read(form(part(FILE), end=b"--x--\r\nepilogue"))[1] == b"body"


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    [None, "", "application/json", "text/plain", "multipart/mixed; boundary=x", "multipart",
     "application/x-www-form-urlencoded", "application/octet-stream"],
)  # fmt: skip
def test_what_is_no_form_is_another_type(content_type: str | None) -> None:
    with pytest.raises(UnsupportedMediaType, match="multipart/form-data"):
        read(form(part(FILE)), content_type)


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=y",
     "multipart/form-data; boundary=" + "x" * 300, "multipart/form-data; boundary=é"],
)  # fmt: skip
def test_a_boundary_that_is_missing_or_another_is_refused(content_type: str) -> None:
    with pytest.raises(InvalidInput):
        read(form(part(FILE)), content_type)


@pytest.mark.parametrize(
    "body",
    [
        form(),
        form(part('name="a"', "1")),
        form(part('name="file"', "text")),
        form(part('name="other"; filename="a.pdf"')),
        form(part('name="file"; filename=""', b"")),
        form(part('name="File"; filename="a.pdf"')),
    ],
    ids=["empty", "no file", "a field called so", "a file called else", "no name", "another case"],
)
def test_a_form_without_its_file_says_so(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="No file provided") as caught:
        read(body)

    assert list(caught.value.errors) == ["file"]


@pytest.mark.parametrize("name", ["file", "second"])
def test_an_input_in_which_no_file_was_chosen_is_no_second_file(name: str) -> None:
    body = form(part(FILE), part(f'name="{name}"; filename=""', b""))
    upload = UploadForm(request(body))

    assert b"".join(upload.chunks()) == b"body"


@pytest.mark.parametrize("name", ["file", "second"])
def test_a_second_file_is_refused_when_the_first_was_read(name: str) -> None:
    body = form(part(FILE), part(f'name="{name}"; filename="b.pdf"'))
    upload = UploadForm(request(body))

    with pytest.raises(InvalidInput, match="Two files in one form"):
        b"".join(upload.chunks())


BROKEN = {
    "nothing": b"",
    "no boundary": b"body",
    "half a boundary": b"--",
    "an end and no beginning": b"--x--",
    "only a boundary": b"--x\r\n",
    "half a header": b"--x\r\nContent-Dispo",
    "a header without a colon": b"--x\r\nContent-Disposition form-data\r\n\r\nbody\r\n--x--\r\n",
    "no headers": b"--x\r\n\r\nbody\r\n--x--\r\n",
    "another header only": part(FILE, name="Content-Type") + b"--x--\r\n",
    "no name": part('filename="a.pdf"') + b"--x--\r\n",
    "another disposition": b"--x\r\nContent-Disposition: inline\r\n\r\nbody\r\n--x--\r\n",
    "a header without end": b"--x\r\nContent-Disposition: form-data; "
    + FILE.encode()
    + b"a" * 70_000,
    "many headers": b"--x\r\n" + b"A: b\r\n" * 500 + b"\r\nbody\r\n--x--\r\n",
    "a header that is no text": b'--x\r\nContent-Disposition: form-data; name="\xff\xfe"\r\n\r\n\r\n--x--\r\n',
    "cut off in the file": part(FILE, b"body" * 1000)[:-50],
    "cut off before the last boundary": part(FILE),
    "cut off in the last boundary": part(FILE) + b"--x",
    "cut off in the last boundary's end": part(FILE) + b"--x-",
    "cut off in a field behind it": part(FILE) + part('name="a"', "1" * 100)[:-20],
}
"""Bodies that are no form."""


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_a_form_that_is_broken_or_cut_off_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        read(body)


def test_a_field_has_a_largest_size() -> None:
    size = forms.MAX_FIELD_SIZE
    upload, _ = read(form(part('name="a"', "1" * size), part(FILE)))
    assert len(upload.fields["a"]) == size

    with pytest.raises(InvalidInput, match="longer than") as caught:
        read(form(part('name="a"', "1" * (size + 1)), part(FILE)))

    assert list(caught.value.errors) == ["a"]


def test_a_form_has_a_largest_number_of_fields() -> None:
    some = [part(f'name="a{n}"', "1") for n in range(forms.MAX_SEGMENTS - 1)]
    assert len(read(form(*some, part(FILE)))[0].fields) == forms.MAX_SEGMENTS - 1

    with pytest.raises(InvalidInput):
        read(form(*some, part('name="more"', "1"), part(FILE)))


@pytest.mark.parametrize("value", [b"\0", b"a\0b", b"\xff", b"\xed\xa0\x80", b"\xc3"])
@pytest.mark.parametrize("before", [True, False])
def test_a_field_that_is_no_text_is_refused_by_its_name(value: bytes, *, before: bool) -> None:
    parts = [part('name="a"', value), part(FILE)]

    with pytest.raises(InvalidInput) as caught:
        read(form(*(parts if before else reversed(parts))))

    assert list(caught.value.errors) == ["a"]


# --- through the service --------------------------------------------------------------------------


def sent(caller: Caller, body: bytes, content_type: str = TYPE, **environ: Any) -> Any:
    return caller.post(
        "/api/files/upload", data=body, content_type=content_type, environ_overrides=environ
    )


@one_stack
def test_every_broken_form_is_400(alice: Caller) -> None:
    answers = {name: refusal(sent(alice, body))[0] for name, body in BROKEN.items()}

    assert answers == dict.fromkeys(BROKEN, 400)


@one_stack
def test_a_client_that_hangs_up_half_way_leaves_nothing(app: Flask, alice: Caller) -> None:
    whole, header = encode_multipart_formdata({"file": ("a.txt", b"text " * 5000, "text/plain")})

    answer = sent(alice, whole[:9000], header, CONTENT_LENGTH=str(len(whole)))

    assert refusal(answer)[0] == 400
    assert alice.get("/api/files").get_json()["total"] == 0


@one_stack
def test_a_name_no_key_can_hold_is_400_or_cleaned(alice: Caller) -> None:
    for name in ("..", ".", "/", "a/..", "%00", "\x01"):
        body = form(part(f'name="file"; filename="{name}"'))

        assert sent(alice, body).status_code == 400, name
