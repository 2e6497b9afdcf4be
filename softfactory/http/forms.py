"""A multipart form with one file in it, read as it arrives: no temporary file, no whole body.

Werkzeug's parser would write the file to disk before the view begins; here the view's service
pulls the file's chunks, and they go straight to where they stay.
"""

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from flask import Request
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from softfactory.errors import InvalidInput, UnsupportedMediaType
from softfactory.http.bodies import CHUNK_SIZE, body_stream, read_chunk
from softfactory.http.part_names import field_name, file_name, parameters_of
from softfactory.services.storage_use import Expected

MAX_FIELD_SIZE = 64 * 1024
"""Bytes of one field that is no file."""

MAX_SILENCE = 2 * CHUNK_SIZE
"""Bytes before the first boundary, or behind the last, that are read and ignored."""

MAX_SEGMENTS = 32
"""Fields of one form, the file among them; no contract has more than a handful."""

MAX_HEADER_SIZE = 16 * 1024
"""Bytes of one header line of a part: a name of 1024 bytes, twice, percent-encoded."""

MAX_HEADERS = 8
"""Header lines of one part; RFC 7578 allows three."""

MAX_BESIDE = MAX_SEGMENTS * (MAX_FIELD_SIZE + MAX_HEADERS * MAX_HEADER_SIZE) + 2 * MAX_SILENCE
"""Bytes of a form that are no file's: fields, headers, and what is ignored."""


class _FilePart(NamedTuple):
    """What the headers of a part say that is a file."""

    name: str
    filename: str
    content_type: str | None


class UploadForm:
    """The form of one request.

    Fields that stand before the file are in ``fields`` at once, those behind it once ``chunks`` is
    exhausted. Exhausting it also proves the form: cut off, malformed, or with a second file, it
    raises instead of ending.

    Attributes:
        fields: the values of the fields that are no file, by name; the last one counts.
        filename: as the client sent it.
        content_type: what the client says the file is; None where it says nothing, or is empty.

    Raises:
        UnsupportedMediaType: the request is no multipart form.
        InvalidInput: the form is malformed or has no file.
    """

    def __init__(self, request: Request, *, file_field: str = "file") -> None:
        """Read the form up to the first byte of its file."""
        content_type, options = parse_options_header(request.headers.get("Content-Type", ""))
        if content_type != "multipart/form-data":
            raise UnsupportedMediaType(
                "Send the file as a form: Content-Type multipart/form-data with a boundary."
            )
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise UnsupportedMediaType("Send the form as it is, without a Content-Encoding.")
        self._file_field = file_field
        self._announced, self._received = request.content_length, 0
        # The file's own limit is the service's; the parser bounds everything else.
        self._stream = body_stream(request, limit=sys.maxsize)
        self.fields: dict[str, str] = {}
        try:
            self._parser = PushMultipartParser(
                options.get("boundary", ""),
                max_header_size=MAX_HEADER_SIZE,
                max_segment_count=MAX_SEGMENTS,
                header_charset="latin-1",  # Every byte stays; what it stands for comes later.
            )
        except MultipartError as error:
            raise _malformed(error) from error
        self._events = self._parse()
        part = self._next_file()
        if part is None or part.name != file_field:
            raise InvalidInput.of(
                file_field, f"No file provided. Send one file in the field '{file_field}'."
            )
        self.filename, self.content_type = part.filename, part.content_type

    @property
    def expected(self) -> Expected:
        """How many bytes the file has, by the length of the form."""
        if self._announced is None:
            return Expected(0, None)
        return Expected(max(0, self._announced - MAX_BESIDE), self._announced)

    def chunks(self) -> Iterator[bytes]:
        """Yield the file's bytes, then read the rest of the form.

        Raises:
            InvalidInput: the form is malformed, cut off, or has a second file.
        """
        while isinstance(event := next(self._events), bytes):
            yield event
        if self._next_file() is not None:
            raise InvalidInput.of(
                self._file_field, "Two files in one form. Send one file with each request."
            )
        self._read_to_the_end()

    def _next_file(self) -> _FilePart | None:
        """Read fields until a part that is a file begins; None at the end of the form."""
        segment: MultipartSegment
        for segment in self._events:
            parameters = parameters_of(segment.header("Content-Disposition", ""))
            name = field_name(parameters)
            # A part with a filename is a file (RFC 7578 section 4.2), whatever its field; an
            # empty name is an input that nothing was chosen in (HTML, "constructing entry list").
            filename = file_name(parameters, field=self._file_field)
            if filename:
                return _FilePart(name, filename, segment.content_type or None)
            if filename is not None or name == self._file_field:
                self._skip_segment()
                continue
            self.fields[name] = self._read_field(name)
        return None

    def _read_field(self, name: str) -> str:
        value = bytearray()
        while isinstance(event := next(self._events), bytes):
            value += event
            if len(value) > MAX_FIELD_SIZE:
                raise InvalidInput.of(name, f"The field is longer than {MAX_FIELD_SIZE} bytes.")
        try:
            text = value.decode()
        except UnicodeDecodeError as error:
            raise InvalidInput.of(name, "The field is not valid UTF-8.") from error
        if "\0" in text:
            raise InvalidInput.of(name, "The field has a NUL character in it.")
        return text

    def _skip_segment(self) -> None:
        size = 0
        while isinstance(event := next(self._events), bytes):
            size += len(event)
            if size > MAX_FIELD_SIZE:
                raise InvalidInput.of(self._file_field, "The file has no name. Give it one.")

    def _parse(self) -> Iterator[Any]:
        """Yield the parser's events: a segment, its bytes, None at its end."""
        silent = 0
        try:
            while not self._parser.closed:
                chunk = self._read()
                silent += len(chunk)
                for event in self._parser.parse(chunk):
                    silent = 0
                    yield event
                if silent > MAX_SILENCE:
                    raise InvalidInput("The form does not begin with its boundary. Send a form.")
        except MultipartError as error:
            raise _malformed(error) from error

    def _read(self) -> bytes:
        chunk = read_chunk(self._stream, CHUNK_SIZE)
        self._received += len(chunk)
        return chunk

    def _read_to_the_end(self) -> None:
        """Read what follows the last boundary, and see that as much came as was announced."""
        epilogue = 0
        while chunk := self._read():
            epilogue += len(chunk)
            if epilogue > MAX_SILENCE:
                raise InvalidInput("The form goes on behind its last boundary. End it there.")
        if self._announced is not None and self._received < self._announced:
            raise InvalidInput(
                f"The body was cut off {self._announced - self._received} bytes before the end "
                "that was announced. Send the whole form again."
            )


def _malformed(error: MultipartError) -> InvalidInput:
    # The second argument of some is an exception of ours to keep.
    reason = error.args[0] if error.args else "not a form"
    return InvalidInput(
        f"The form is malformed or was cut off ({reason}). Send the whole form again."
    )
