"""What all the verbs of the local storage share: its index, its files, its clock."""

import json
import logging
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from sqlite3 import Connection

from softfactory.clock import Clock, utc_now
from softfactory.errors import InvalidInput, ObjectNotFound
from softfactory.storage.base import ObjectInfo
from softfactory.storage.encoding import checked_encoding
from softfactory.storage.local import versions
from softfactory.storage.local.failures import storage_error
from softfactory.storage.local.files import FileStore
from softfactory.storage.local.index import Index
from softfactory.storage.local.times import to_ticks
from softfactory.storage.local.upload_directories import UploadDirectories
from softfactory.storage.local.versions import ENCODING, NO_HEADERS, Version
from softfactory.storage.signing import UrlSigner

logger = logging.getLogger(__name__)

NULL_VERSION = "null"
"""S3: the id of an object's one version where no versions are kept."""

MAX_METADATA_BYTES = 2048
"""S3: names and values of user-defined metadata have at most 2 KB together."""

_METADATA_NAME = re.compile("[a-z0-9-]+")
_METADATA_VALUE = re.compile("[ -~]*")


class LocalBase:
    """One directory: ``index.sqlite3``, ``files/`` and ``temp_uploads/``."""

    def __init__(
        self,
        root: Path,
        *,
        signer: UrlSigner,
        restore_delay: timedelta = timedelta(0),
        versioning: bool = True,
        clock: Clock = utc_now,
    ) -> None:
        """Store below ``root``, which is made when something is first stored.

        Args:
            signer: signs this storage's URLs.
            restore_delay: how long bringing an archived object back takes.
            versioning: whether replaced and deleted objects stay behind as versions.
            clock: decides every time that is kept or compared.
        """
        self._root = root
        self._signer = signer
        self._restore_delay = restore_delay
        self._versioning = versioning
        self._clock = clock
        self._index = Index(root / "index.sqlite3")
        self._files = FileStore(root)
        self._directories = UploadDirectories(root)

    def close(self) -> None:
        """Close the index's connections; the next use opens them again. Safe to repeat."""
        self._index.close()

    def _now(self) -> int:
        return to_ticks(self._clock())

    def _info(self, version: Version) -> ObjectInfo:
        return version.info(self._clock(), versioning=self._versioning)

    def _find(self, connection: Connection, key: str, version_id: str | None) -> Version:
        """Return the version asked for; without versions, ``null`` names the object itself."""
        is_null = version_id == NULL_VERSION and not self._versioning
        return versions.find(connection, key, None if is_null else version_id)

    def _find_whole(
        self, connection: Connection, key: str, version_id: str | None = None
    ) -> Version:
        """Return the version asked for, within a change: nobody can replace it meanwhile.

        Raises:
            ObjectNotFound: there is none, or its bytes are lost.
        """
        found = self._find(connection, key, version_id)
        try:
            self._files.require(found.file, found.size)
        except FileNotFoundError as error:
            raise self._lost(found) from error
        except OSError as error:
            raise storage_error(error) from error
        return found

    def _lost(self, version: Version) -> ObjectNotFound:
        """Log that the bytes of a version are not there; return what its clients are told."""
        logger.error("The bytes of %r, version %s, are lost", version.key, version.version_id)
        return ObjectNotFound()

    def _write(self, change: Callable[[Connection], tuple[Version, list[str]]]) -> ObjectInfo:
        """Commit a change that makes or alters a version, and tell of it."""
        return self._settled(*self._index.write(change))

    def _settled(self, version: Version, spare: list[str]) -> ObjectInfo:
        """Remove the files that a committed change left over; return what it made."""
        self._files.remove(spare)
        return self._info(version)


def dump_headers(*, content_encoding: str | None) -> str:
    """Return the headers that are kept with an object as the index keeps them.

    Raises:
        InvalidInput: one of them is malformed.
    """
    encoding = checked_encoding(content_encoding)
    return NO_HEADERS if encoding is None else json.dumps({ENCODING: encoding})


def dump_metadata(metadata: Mapping[str, str] | None) -> str:
    """Return ``metadata`` as the index keeps it.

    Raises:
        InvalidInput: it is more than S3 would take (base.Storage.put).
    """
    metadata = metadata or {}
    for name, value in metadata.items():
        if not _METADATA_NAME.fullmatch(name) or not _METADATA_VALUE.fullmatch(value):
            raise InvalidInput.of(
                "metadata",
                "Metadata names are lower-case letters, digits and hyphens; values printable ASCII.",
            )
    if sum(len(name) + len(value) for name, value in metadata.items()) > MAX_METADATA_BYTES:
        raise InvalidInput.of("metadata", f"Metadata has at most {MAX_METADATA_BYTES} bytes.")
    return json.dumps(dict(metadata))
