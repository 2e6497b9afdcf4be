"""The names that clients of the browser give: of an object, or of a folder by its last slash."""

from softfactory.errors import InvalidKey
from softfactory.storage.keys import FolderKey, Key, StoredKey, is_staging


def stored_key(name: str) -> StoredKey:
    """Return the key of an object, or of a folder's marker, that may be there under ``name``.

    Raises:
        InvalidKey: no object of a client's has this name.
    """
    key = StoredKey(name)
    _refuse_staging(key)
    return key


def file_key(name: str) -> Key:
    """Return the key of the file that is to be written under ``name``; folders have no bytes.

    Raises:
        InvalidKey: no file may be written under this name.
    """
    _refuse_folder(name)
    key = Key(name)
    _refuse_staging(key)
    return key


def stored_file_key(name: str) -> StoredKey:
    """Return the key of a file that may be there under ``name``; folders have no bytes.

    Raises:
        InvalidKey: no file of a client's has this name.
    """
    _refuse_folder(name)
    return stored_key(name)


def folder_key(prefix: str) -> FolderKey:
    """Return the key of the folder that is to be made.

    Raises:
        InvalidKey: no folder may have this name.
    """
    key = FolderKey(prefix)
    _refuse_staging(key)
    return key


def _refuse_folder(name: str) -> None:
    if name.endswith("/"):
        raise InvalidKey.of("key", "The key ends in a slash, so it names a folder. Name a file.")


def _refuse_staging(key: StoredKey) -> None:
    if is_staging(key):
        raise InvalidKey.of("key", "The key lies where uploads wait to be confirmed.")
