"""What gunicorn's two parsers let pass and RFC 9112 does not, refused alike behind both."""

import re
from typing import Any

from gunicorn.http.errors import (  # type: ignore[import-untyped]
    InvalidHeader,
    InvalidHTTPVersion,
    InvalidRequestLine,
    UnsupportedTransferCoding,
)
from gunicorn.http.message import Request  # type: ignore[import-untyped]

from softfactory.http.server.heads import Head, is_malformed
from softfactory.http.server.unreader import Unreader

_HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=%-]*(?::[0-9]*)?|\[[0-9A-Fa-f:.]+\](?::[0-9]*)?")
"""RFC 9110 section 7.2: uri-host, and a port (RFC 3986 section 3.2.2)."""

_TARGET = re.compile(r"[^\x00-\x20\x7f]+")


class CheckedRequest(Request):
    """A request that no other server reads otherwise; takes the place of gunicorn's."""

    def parse(self, unreader: Any) -> Any:  # noqa: ANN401  # gunicorn's
        """Parse the head, each of whose lines ends in CR LF.

        Raises:
            ParseException: it is no valid head.
        """
        if isinstance(unreader, Unreader):  # the main loop has looked already
            return super().parse(unreader)
        recorder = _Recorder(unreader)
        rest = super().parse(recorder)
        head = recorder.read_so_far[: len(recorder.read_so_far) - len(rest)]
        if is_malformed(head) or Head(head, len(head)).is_folded:
            raise InvalidHeader("a line that does not end in CR LF")
        return rest

    def set_body_reader(self) -> None:
        """Find out how long the body is.

        Raises:
            ParseException: the head does not say it clearly, or not where the request is to go.
        """
        if self.version not in ((1, 0), (1, 1)):
            raise InvalidHTTPVersion(self.version)
        if not _TARGET.fullmatch(self.uri):
            raise InvalidRequestLine(self.uri)
        self._check_fields()
        super().set_body_reader()

    def _check_fields(self) -> None:
        """RFC 9112 sections 3.2 (Host), 6.1 and 6.3 (length)."""
        hosts = [value for name, value in self.headers if name == "HOST"]
        codings = [value for name, value in self.headers if name == "TRANSFER-ENCODING"]
        lengths = [value for name, value in self.headers if name == "CONTENT-LENGTH"]
        if len(hosts) > 1 or (not hosts and self.version == (1, 1)):
            raise InvalidHeader("HOST")
        if not all(map(_HOST.fullmatch, hosts)):
            raise InvalidHeader("HOST")
        if len(codings) + len(lengths) > 1:
            raise InvalidHeader("CONTENT-LENGTH")
        if codings and codings[0].lower() != "chunked":
            raise UnsupportedTransferCoding(codings[0])


class _Recorder:
    """Reads for the parser, and keeps what was read."""

    def __init__(self, unreader: Any) -> None:  # noqa: ANN401  # gunicorn's
        self._unreader = unreader
        self.read_so_far = b""

    def read(self, *size: int) -> bytes:
        data: bytes = self._unreader.read(*size)
        self.read_so_far += data
        return data
