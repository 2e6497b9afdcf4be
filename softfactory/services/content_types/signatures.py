"""The types that are told for certain by how a file begins."""

import re

from softfactory.services.content_types.isobmff import isobmff_type
from softfactory.services.content_types.ole import OLE, OLE_MAGIC
from softfactory.services.content_types.opc import ZIP, ZIP_MAGICS

_MAGICS = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    OLE_MAGIC: OLE,
    b"\x1f\x8b\x08": "application/gzip",
    **{b"BZh%d1AY&SY" % level: "application/x-bzip2" for level in range(1, 10)},
    b"ID3": "audio/mpeg",
    b"\x7fELF": "application/x-executable",
    b"\x00asm": "application/wasm",
}

_RIFF_FORMS = {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo", b"WAVE": "audio/wav"}
"""By the form type at offset 8 (Microsoft: Multimedia Programming Interface, RIFF)."""

MAX_PADDING = 1024
"""Bytes in which the signatures of PDF and ZIP may have white space before them."""

PADDING = b"\xef\xbb\xbf \t\r\n\v\f\0"

_PADDED = re.compile(
    rb"(?:\xef\xbb\xbf)?[\s\0]{0,1019}(?:(%%PDF-)|%b)" % b"|".join(map(re.escape, ZIP_MAGICS))
)
"""Adobe's reader takes the header anywhere in the first 1024 bytes, and an archive is read from
its end. Here only white space may stand before them: anything else could be the signature of what
the file is to another program."""

_BMP = re.compile(rb"BM.{4}\0{4}.{4}[\x0c\x28\x34\x38\x40\x6c\x7c]\0{3}", re.DOTALL)
"""``BM`` alone is two letters; so is the reserved field and the size of one of the known headers
called for (Microsoft: Bitmap Storage)."""

_EXECUTABLE = re.compile(rb"MZ.{58}..\0\0", re.DOTALL)
"""A DOS header with the 32-bit offset of the newer header at 60 (Microsoft: PE Format)."""


def signature_type(head: bytes, *, size: int | None) -> str | None:
    """Return the type that the beginning of a file gives for certain, or None.

    Args:
        head: the first bytes, up to 8 KiB.
        size: bytes of the whole file, where it is known by now.
    """
    for magic, content_type in _MAGICS.items():
        if head.startswith(magic):
            return content_type
    if head.startswith(b"RIFF"):
        return _RIFF_FORMS.get(head[8:12])
    if padded := _PADDED.match(head):
        return "application/pdf" if padded[1] else ZIP
    if _BMP.match(head):
        return "image/bmp"
    if _EXECUTABLE.match(head):
        return "application/vnd.microsoft.portable-executable"
    return isobmff_type(head, size=size)
