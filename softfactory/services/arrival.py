"""A file of a form while it streams by: counted against the limit, and told by its content."""

from collections.abc import Iterable, Iterator

from softfactory.errors import FileTooLarge
from softfactory.services.content_types import ContentSniffer

MAX_FORM_SIZE = 100 * 1024 * 1024
"""Bytes of one file (docs/api/browser.md, Upload; docs/api/simple.md, Upload)."""


class Arrival:
    """The bytes on their way in, any type and any size up to 100 MB, also none at all."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self._sniffer = ContentSniffer()

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes, once.

        Raises:
            FileTooLarge: there are more than 100 MB of them.
        """
        for chunk in within_limit(self._chunks):
            self._sniffer.feed(chunk)
            yield chunk

    def content_type(self) -> str:
        """Return what to store the file as, by its content; to be asked after the last chunk."""
        return self._sniffer.stored_type()


def within_limit(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield ``chunks`` while they are 100 MB at most.

    Raises:
        FileTooLarge: they are more.
    """
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_FORM_SIZE:
            raise FileTooLarge(
                f"File too large: at most 100 MB ({MAX_FORM_SIZE} bytes) in one form."
            )
        yield chunk
