"""Objects that came without us: their rows are made, or made to say what storage says."""

from collections.abc import Mapping
from concurrent.futures import Executor

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from softfactory.errors import Conflict
from softfactory.models import FileUpload, UploadStatus
from softfactory.services.catalog.rows import RACES, Rows
from softfactory.services.heads import Heads, head_each
from softfactory.services.unit_of_work import write
from softfactory.storage.base import ObjectInfo
from softfactory.storage.disposition import OCTET_STREAM
from softfactory.storage.keys import StoredKey, shown_filename


class Adopting(Rows):
    """Makes files of objects."""

    __slots__ = ()

    def adopt(self, user_id: int, key: StoredKey, *, filename: str | None = None) -> FileUpload:
        """Make the row of ``key`` say what storage says, inserting it where there is none.

        Raises:
            ObjectNotFound: there is no such object.
        """
        for _ in range(RACES):
            try:
                with write(self.session):
                    file = self.holder(key, lock=True)
                    if file is None:
                        file = self._new(user_id, key, filename or shown_filename(key))
                    info = self.storage.head(key)
                    if file.etag != info.etag:
                        file.expires_at = None  # it was said of the bytes before these
                    self.describe(file, info)
                    self.session.flush()
            except IntegrityError:
                continue
            else:
                return file
        raise Conflict("Too many changes to this key at once. Try again.")

    def adopt_unknown(
        self, owners: Mapping[StoredKey, int], *, pool: Executor, dry_run: bool = False
    ) -> Heads:
        """Give objects that no row knows their rows, in one transaction; return what they are.

        Left out is what a row has the key of, what is no longer there, and what storage cannot
        answer for, which is told apart.

        Args:
            owners: the id of the user that each object is to belong to.
            pool: threads to ask storage with.
            dry_run: only say which it would be.
        """
        with write(self.session):
            # Whoever is just taking a key is waited for here, in one order so that two of these at
            # once never wait for each other; only then is the object looked at that counts.
            files = self._insert(
                [
                    FileUpload(
                        **self._pending(
                            owners[key],
                            key,
                            filename=shown_filename(key),
                            content_type=OCTET_STREAM,
                        )
                    )
                    for key in sorted(owners)
                ]
            )
            heads = head_each(pool, self.storage, [StoredKey(file.file_key) for file in files])
            for file in files:
                info = heads.infos.get(file.file_key)
                if info is None:
                    self.session.delete(file)
                else:
                    self.describe(file, info)
                    file.uploaded_at = info.last_modified
            if dry_run:
                self.session.rollback()
        return heads

    def finish(self, file_id: int, info: ObjectInfo) -> FileUpload | None:
        """Complete the row of an upload that holds its key and whose object is there now.

        Returns:
            The completed row; None where there is no such row any more.
        """
        with write(self.session):
            query = select(FileUpload).where(FileUpload.id == file_id)
            file = self.session.scalar(query.with_for_update())
            if file is not None and file.status != UploadStatus.COMPLETED.value:
                self.describe(file, info)
            return file

    def _insert(self, files: list[FileUpload]) -> list[FileUpload]:
        """Insert the rows whose key is free; return them."""
        try:
            with self.session.begin_nested():
                self.session.add_all(files)
        except IntegrityError:
            if len(files) == 1:
                return []
            half = len(files) // 2
            return self._insert(files[:half]) + self._insert(files[half:])
        return files
