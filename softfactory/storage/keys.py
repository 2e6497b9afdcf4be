"""The layout of keys: what a key may be, which roots a user owns, and how each name is built.

Nobody else builds a key. The rules are for writing (``Key``); what is there already is addressed by
whatever name it has (``StoredKey``). Source of every rule: contracts/README.md, "Keys".
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from softfactory.errors import InvalidInput, InvalidKey
from softfactory.storage.filenames import NOT_IN_XML, clean_filename, shortened

MAX_KEY_BYTES = 1024
"""S3: object key names are at most 1024 bytes of UTF-8 (Naming Amazon S3 objects)."""

SHARED_ROOTS = ("users", "uploads")
"""The first segments below which several users have their roots."""

RESERVED_ROOTS = frozenset(
    {"users", "uploads", "public", "files", "media", "static", "temp_uploads"}
)
"""First segments that no username may take; compared in lower case."""

STAGING_FOLDER = ".uploads/"
"""Below a user's ``<username>/`` root: bytes that were sent and are not confirmed yet."""

LAST_CHARACTER = "\U0010ffff"
"""The highest code point: behind a prefix, it stands after every key below that prefix."""


class StoredKey(str):
    """The name of an object that may be there, whoever wrote it: what is read, listed and deleted by.

    Valid UTF-8, 1 to 1024 bytes (Naming Amazon S3 objects), and nothing else: clients with their
    own credentials write ``a//b``, ``../x`` and control characters. Such a key is a mere string; it
    lies below the root that it begins with, and decides no path.

    Raises:
        InvalidKey: no object can have this name.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Return ``value`` as the name of an object, or raise InvalidKey."""
        _check_text(value, "key")
        if not value:
            raise InvalidKey.of("key", "The key is empty.")
        return super().__new__(cls, value)

    @property
    def filename(self) -> str:
        """The last segment; of a folder's marker, the folder's own name without the slash."""
        return self.removesuffix("/").rsplit("/", 1)[-1]

    @property
    def folder(self) -> str:
        """The prefix of the folder that holds it, up to its slash; empty at the top."""
        return self[: len(self.removesuffix("/")) - len(self.filename)]

    @property
    def is_folder(self) -> bool:
        """Whether it is the name of a folder's marker."""
        return self.endswith("/")


class Key(StoredKey):
    """The name of an object that may be written.

    A stored key with no empty, ``.`` or ``..`` segment and no control character.

    Raises:
        InvalidKey: the string breaks one of these rules.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Return ``value`` as a key, or raise InvalidKey."""
        _check(value, segments=value.split("/"))
        return str.__new__(cls, value)


class FolderKey(Key):
    """The key of a folder's marker object: a key followed by one slash.

    Raises:
        InvalidKey: the string without its trailing slash is no key.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Return ``value`` with exactly its one trailing slash (added where it is missing)."""
        value = value if value.endswith("/") else value + "/"
        _check(value, segments=value[:-1].split("/"))
        return str.__new__(cls, value)


@dataclass(frozen=True, slots=True)
class Roots:
    """The three prefixes of one user; each ends in a slash.

    Attributes:
        browser: ``users/<uuid>/``, where the client names the keys.
        uploads: ``uploads/<user id>/``, where files and uploads write.
        home: ``<username>/``, where drive and simple write.
    """

    browser: str
    uploads: str
    home: str

    @classmethod
    def of(cls, *, uuid: str, user_id: int, username: str) -> Self:
        """Return the roots of the user with these three names."""
        return cls(f"users/{uuid}/", f"uploads/{user_id}/", f"{username}/")

    def __iter__(self) -> Iterator[str]:
        """Yield the three prefixes."""
        yield from (self.browser, self.uploads, self.home)

    def owns(self, key: str) -> bool:
        """Whether ``key``, or the prefix ``key``, lies in one of the roots."""
        return key.startswith((self.browser, self.uploads, self.home))


def root_of(key: str) -> str:
    """Return the root that ``key`` lies in, without its last slash; no one need own it."""
    first, _, rest = key.partition("/")
    return f"{first}/{rest.partition('/')[0]}" if first in SHARED_ROOTS else first


def is_reserved_root(name: str) -> bool:
    """Whether ``name`` is a first segment that no user may be called."""
    return name.lower() in RESERVED_ROOTS


def upload_key(*, user_id: int, now: datetime, filename: str, unique: str = "") -> Key:
    """Return ``uploads/<user id>/<YYYYmmdd_HHMMSS>_<filename>``.

    Args:
        now: the moment of the upload; written in UTC.
        filename: as ``clean_filename`` returned it.
        unique: told apart from a file of the same name and second by these characters.
    """
    stamp = now.astimezone(UTC).strftime("%Y%m%d_%H%M%S")
    return _fit(f"uploads/{user_id}/{stamp}_" + (f"{unique}_" if unique else ""), filename)


def simple_key(*, username: str, unique: str, filename: str) -> Key:
    """Return ``<username>/<unique>_<filename>``; ``filename`` as ``clean_filename`` returned it."""
    return _fit(f"{username}/{unique}_", filename)


def drive_key(*, username: str, filename: str) -> Key:
    """Return ``<username>/<filename>``.

    Raises:
        InvalidKey: that is too long, or no key for another reason.
    """
    return Key(f"{username}/{filename}")


def staging_key(*, username: str, unique: str, filename: str) -> Key:
    """Return where the bytes of an unconfirmed upload wait: ``<username>/.uploads/<unique>/...``."""
    return _fit(f"{username}/{STAGING_FOLDER}{unique}/", filename)


def is_staging(key: str) -> bool:
    """Whether ``key`` lies where unconfirmed bytes wait; no list of any contract shows it."""
    root, _, rest = key.partition("/")
    return root not in ("users", "uploads") and rest.startswith(STAGING_FOLDER)


def shown_filename(key: StoredKey) -> str:
    """Return what a file of this key is called, where nobody said otherwise."""
    try:
        return clean_filename(key.filename)
    except InvalidInput:
        return "unnamed"


def check_prefix(prefix: str) -> None:
    """Return if keys can begin with ``prefix``, which may end in the midst of a segment.

    Raises:
        InvalidKey: none can.
    """
    _check_text(prefix, "prefix")


def forms(text: str) -> list[str]:
    """Return the names, or prefixes, that a client may mean by ``text``, the likeliest first.

    As it was sent, composed (NFC, as ``clean_filename`` keeps names) and decomposed (NFD, as macOS
    sends them). Whose they are is to be asked for each: U+212A becomes an ordinary K. A form that is
    too long for a key is none; where all are, the text is returned as it was sent.
    """
    if text.isascii():
        return [text]
    meant = dict.fromkeys((text, *(unicodedata.normalize(f, text) for f in ("NFC", "NFD"))))
    return [f for f in meant if len(f.encode(errors="replace")) <= MAX_KEY_BYTES] or [text]


def _fit(prefix: str, filename: str) -> Key:
    """Join the two, shortening the stem of ``filename`` where the key would be too long."""
    return Key(prefix + shortened(filename, MAX_KEY_BYTES - len(prefix.encode())))


def _check(value: str, *, segments: list[str]) -> None:
    _check_text(value, "key")
    if any(unicodedata.category(c) == "Cc" for c in value):
        raise InvalidKey.of("key", "The key has a control character in it.")
    if any(c in value for c in NOT_IN_XML):
        raise InvalidKey.of("key", "The key has a character that is none (U+FFFE, U+FFFF).")
    if any(segment in ("", ".", "..") for segment in segments):
        raise InvalidKey.of("key", "The key has an empty, '.' or '..' segment.")


def _check_text(value: str, name: str) -> None:
    try:
        encoded = value.encode()
    except UnicodeEncodeError as error:
        raise InvalidKey.of(name, f"The {name} is not valid UTF-8.") from error
    if len(encoded) > MAX_KEY_BYTES:
        raise InvalidKey.of(name, f"The {name} is longer than {MAX_KEY_BYTES} bytes.")
