"""The names that clients of the browser give: of an object, or of a folder by its last slash."""

from softfactory.errors import InvalidKey
from softfactory.storage.keys import FolderKey, Key, is_staging


def object_key(name: str) -> Key:
    """Return the key of the object, or of the folder's marker, that ``name`` is for.

    Raises:
        InvalidKey: no object of a client's has this name.
    """
    key = FolderKey(name) if name.endswith("/") else Key(name)
    return _not_staging(key)


def file_key(name: str) -> Key:
    """Return the key of the file that ``name`` is for; folders have no bytes.

    Raises:
        InvalidKey: no file of a client's has this name.
    """
    if name.endswith("/"):
        raise InvalidKey.of("key", "The key ends in a slash, so it names a folder. Name a file.")
    return _not_staging(Key(name))


def _not_staging(key: Key) -> Key:
    if is_staging(key):
        raise InvalidKey.of("key", "The key lies where uploads wait to be confirmed.")
    return key
