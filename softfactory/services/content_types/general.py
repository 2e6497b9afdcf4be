"""The many types that decide nothing here, as the ``puremagic`` library knows them."""

import re

import puremagic

_LEAST_CONFIDENCE = 0.4
"""puremagic's confidence is a tenth for each byte that matched; under four is chance."""

_MIME = re.compile(r"(?:application|audio|font|image|model|video)/[a-z0-9][a-z0-9.+-]*")

_NOT_ITS_TO_TELL = re.compile(
    r"image/(?:jpe?g|pjpeg|png|webp|gif|svg.*)|video/(?:mp4|quicktime|x-msvideo|avi)"
    r"|application/(?:pdf|msword|vnd\.ms-.*|ms(?:excel|powerpoint|write)|vnd\.openxml.*|zip|json"
    r"|octet-stream)|.*(?:html|xml|script)"
)
"""What is told for certain elsewhere, or not at all: puremagic calls JPEG 2000 ``image/jpeg``,
and a cabinet file PowerPoint."""


def general_type(head: bytes) -> str | None:
    """Return what puremagic makes of binary data, or None where that is no better than chance.

    Never a type that is decided elsewhere in this package, and never text.
    """
    if not head:
        return None
    try:
        matches = puremagic.magic_string(head)
    except puremagic.PureError:
        return None
    for match in matches:
        # Negative offsets count from the end, which is not the file's here.
        is_sound = match.confidence >= _LEAST_CONFIDENCE and match.offset >= 0
        mime = str(match.mime_type)
        if is_sound and _MIME.fullmatch(mime) and not _NOT_ITS_TO_TELL.fullmatch(mime):
            return mime
    return None
