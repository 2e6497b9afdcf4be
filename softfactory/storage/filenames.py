"""The names of files, as clients give them and as they can stand in a key."""

import unicodedata

from softfactory.errors import InvalidInput

MAX_FILENAME_BYTES = 1024
"""What is kept of a client's name, as long as a key may be; the key of a file may keep less."""

NOT_IN_XML = "\ufffe\uffff"
"""XML 1.0 has no way to say these two (section 2.2): a server's answers about such a key fail, and
with one such upload Ceph can no longer list any upload of the bucket."""


def clean_filename(filename: str) -> str:
    """Return the part of a client's ``filename`` that can stand as the last segment of a key.

    Unicode stays, in its NFC form; folders and control characters go.

    Raises:
        InvalidInput: nothing that could be a name is left.
    """
    name = unicodedata.normalize("NFC", filename.rsplit("/", 1)[-1])
    name = "".join(c for c in name if unicodedata.category(c) not in ("Cc", "Cs"))
    name = name.translate(dict.fromkeys(map(ord, NOT_IN_XML))).strip()
    if name in ("", ".", ".."):
        raise InvalidInput.of("file", "The file has no usable name. Give it a file name.")
    return shortened(name, MAX_FILENAME_BYTES)


def shortened(filename: str, room: int) -> str:
    """Return ``filename`` in at most ``room`` bytes; the stem gives way, a short extension stays."""
    if len(filename.encode()) <= room:
        return filename
    stem, dot, extension = filename.rpartition(".")
    suffix = dot + extension if stem and len(extension.encode()) <= 20 else ""  # noqa: PLR2004
    kept = (stem if suffix else filename).encode()[: room - len(suffix.encode())]
    return kept.decode(errors="ignore") + suffix
