"""Renaming: row and object get another key together."""

import structlog
from sqlalchemy.exc import IntegrityError

from softfactory.errors import Conflict, NotFound, StorageError
from softfactory.models import FileUpload
from softfactory.services.catalog.rows import Rows
from softfactory.services.heads import find_object
from softfactory.services.unit_of_work import write
from softfactory.storage.base import ObjectInfo
from softfactory.storage.keys import Key, StoredKey

log = structlog.get_logger(__name__)


class Renaming(Rows):
    """Gives a file another key."""

    __slots__ = ()

    def rename(self, file: FileUpload, key: Key, *, filename: str) -> None:
        """Give the file another key and name; its ids stay, and so do its bytes.

        Raises:
            Conflict: the key is taken.
            NotFound: the file has just been deleted, or renamed by somebody else.
            ObjectArchived: its bytes are archived and not restored.
            StorageError: the file is still there by its old name, and the new one free.
        """
        taken = Conflict(f"There is already a file named {filename}. Choose another name.")
        object_id, source = file.object_id, StoredKey(file.file_key)
        try:
            with write(self.session):
                locked = self._lock_same(object_id)
                if locked is None or locked.file_key != source:
                    raise NotFound("File not found.")
                self._evict_expired(key)
                locked.file_key, locked.original_filename = key, filename
                locked.renamed_from = source
                locked.last_activity_at = self.clock()
                self.session.flush()
                if find_object(self.storage, key) is not None:
                    raise taken
                # S3 gives a copy of what came in parts another ETag; the bytes are the same.
                locked.etag = self._move(source, key).etag
        except IntegrityError as error:
            raise taken from error

    def _move(self, source: StoredKey, target: Key) -> ObjectInfo:
        """Rename the object; where storage fails half-way, finish or undo what it began.

        ``target`` was free, and the caller holds the row that has it now.
        """
        try:
            return self.storage.rename(source, target)
        except StorageError:
            original, copy = find_object(self.storage, source), find_object(self.storage, target)
            if original is None and copy is not None:
                return copy
            if original is not None and copy is not None and copy.size == original.size:
                self._drop(copy)
            raise

    def _drop(self, copy: ObjectInfo) -> None:
        try:
            self.storage.delete(StoredKey(copy.key), version_id=copy.version_id)
        except StorageError as error:  # the rename's own error is the one to report
            log.warning("rename.copy_left", key=copy.key, exc_info=error)
