"""Telling a file's content type from its bytes while they stream by."""

from softfactory.services.content_types.general import general_type
from softfactory.services.content_types.ole import OLE, OleInspector
from softfactory.services.content_types.opc import ZIP, ZipInspector
from softfactory.services.content_types.signatures import MAX_PADDING, PADDING, signature_type
from softfactory.services.content_types.text import UTF_8_TEXT, Utf8Proof, text_type

HEAD_SIZE = 8 * 1024
"""Bytes kept of the beginning; every signature that stands at the front lies well within them."""

_LONGEST_MAGIC = 8
"""Bytes after which it is known whether the file is a container that must be followed to its end:
the signature of an OLE compound file. White space may stand before that of a ZIP archive."""


class ContentSniffer:
    """Tells what a file is by its own signature, whatever name and type it came with.

    Memory is bounded (8 KiB, whatever the file). Most types are told by their first bytes, and a
    chunk then costs a comparison; OLE files and ZIP archives are followed to the end, for which
    of a ZIP archive up to 5 MiB are kept. The first signature decides: a PDF behind a JPEG header
    is a JPEG.
    """

    def __init__(self) -> None:
        self._head = bytearray()
        self._size = 0
        self._inspector: OleInspector | ZipInspector | None = None
        self._is_begun = False
        self._proof = Utf8Proof()

    @property
    def is_head_complete(self) -> bool:
        """Whether enough was fed for ``head_type`` to be its last word."""
        return len(self._head) == HEAD_SIZE

    def feed(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take note of the next bytes of the file; ``chunk`` is not kept and may be reused.

        Any size will do, 1 MiB is good; ``bytes`` are not copied for a chunk that is no text.
        """
        before, offset = len(self._head), self._size
        self._size += len(chunk)
        if before < HEAD_SIZE:
            self._head += chunk[: HEAD_SIZE - before]
            if not self._is_begun and _begins(self._head):
                self._is_begun = True
                self._inspector = _inspector_for(self._head)
                if self._inspector is not None and before:
                    self._inspector.feed(bytes(self._head[:before]), 0)
        data = chunk if isinstance(chunk, bytes) else bytes(chunk)
        self._proof.feed(data)
        if self._inspector is not None:
            self._inspector.feed(data, offset)

    def head_type(self) -> str:
        """Return the best guess by the first 8 KiB, or by what has arrived of them.

        OLE files are ``application/x-ole-storage`` and ZIP archives ``application/zip``: what
        they hold is known at the end only.
        """
        return self._type(bytes(self._head), size=None)

    def content_type(self) -> str:
        """Return what the file is, to be asked after the last chunk.

        ``application/octet-stream`` where nothing is certain, and for an empty file.
        """
        if self._inspector is not None:
            return self._inspector.content_type()
        return self._type(bytes(self._head), size=self._size)

    def stored_type(self) -> str:
        """Return what to store the file as: its type, with ``charset=utf-8`` where that is proven.

        To be asked after the last chunk. Only all of the bytes prove it.
        """
        content_type = self.content_type()
        is_proven = content_type == "text/plain" and self._proof.holds()
        return UTF_8_TEXT if is_proven else content_type

    @staticmethod
    def _type(head: bytes, *, size: int | None) -> str:
        return (
            signature_type(head, size=size)
            or text_type(head, is_whole=size == len(head))
            or general_type(head)
            or "application/octet-stream"
        )


def _begins(head: bytearray) -> bool:
    """Whether enough is known of the beginning to say what follows the file to its end."""
    return len(head) >= MAX_PADDING or len(head.lstrip(PADDING)) >= _LONGEST_MAGIC


def _inspector_for(head: bytearray) -> OleInspector | ZipInspector | None:
    """Return what follows a file of this beginning to its end, or None where nothing has to."""
    content_type = signature_type(bytes(head), size=None)
    if content_type == OLE:
        return OleInspector()
    return ZipInspector() if content_type == ZIP else None
