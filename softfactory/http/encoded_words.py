"""Text in the character sets of mails, and the encoded words (RFC 2047) that old clients write."""

import binascii
import codecs
import re

_WORD = r"=\?([\w-]{1,40})(?:\*[\w-]*+)?\?([bBqQ])\?([^?]*+)\?="
_ONE = re.compile(_WORD, re.ASCII)
_RUN = re.compile(rf"{_WORD}(?:[ \t]*+{_WORD})*+", re.ASCII)
"""White space between two encoded words is none (section 6.2)."""

_CHARSETS = re.compile(
    r"utf-8|ascii|iso8859-\d+|cp\d+|koi8-\w+|euc_\w+|iso2022_\w+|shift_jis\w*|johab|gb\w+|big5\w*"
)
"""Python's codecs of mails' character sets; of the others some are no such, or take long."""


_NOT_PYTHONS = {"windows-949": "cp949", "windows-31j": "cp932"}
"""Names that Python has the character set of by another name alone."""

_MEANT = {"euc_kr": "cp949", "gb2312": "gb18030", "shift_jis": "cp932"}
"""What Windows' mail programs write and call by the older name, whose text reads the same (WHATWG
Encoding: names and labels)."""


def text_in(data: bytes, charset: str) -> str | None:
    """Return ``data`` as text; None where it is not valid, or the character set not one of mails."""
    try:
        codec = codecs.lookup(_NOT_PYTHONS.get(charset.lower(), charset))
        if not _CHARSETS.fullmatch(codec.name):
            return None
        return data.decode(_MEANT.get(codec.name, codec.name))
    except (LookupError, UnicodeDecodeError):
        return None


def decode_words(text: str) -> str:
    """Return ``text`` with its encoded words decoded; those that are malformed stay as they are."""
    return _RUN.sub(lambda run: _decoded(run[0]), text) if "=?" in text else text


def _decoded(run: str) -> str:
    """Return the text of words that follow each other; clients cut characters between two."""
    pieces: list[tuple[str, bytes]] = []
    for word in _ONE.finditer(run):
        charset = word[1].lower()
        try:
            data = _bytes_of(word[2].lower(), word[3])
        except ValueError:
            return run
        if pieces and pieces[-1][0] == charset:
            data = pieces.pop()[1] + data
        pieces.append((charset, data))
    texts = [text_in(data, charset) for charset, data in pieces]
    return run if None in texts else "".join(filter(None, texts))


def _bytes_of(encoding: str, encoded: str) -> bytes:
    if encoding == "q":
        return binascii.a2b_qp(encoded.encode("ascii"), header=True)
    return binascii.a2b_base64(encoded + "=" * (-len(encoded) % 4), strict_mode=True)
