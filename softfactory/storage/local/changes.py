"""The verbs that change single objects; each is one commit of the index."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from sqlite3 import Connection

from softfactory.errors import StorageError
from softfactory.storage.base import MAX_LIST_LIMIT, DeleteFailure, ObjectInfo, StorageClass
from softfactory.storage.keys import Key, StoredKey
from softfactory.storage.local import versions
from softfactory.storage.local.base import NULL_VERSION, LocalBase, dump_headers, dump_metadata
from softfactory.storage.local.versions import Version


class Changes(LocalBase):
    """Putting, copying, renaming and deleting; promises as in ``Storage``."""

    def put(
        self,
        key: Key,
        chunks: Iterable[bytes],
        *,
        content_type: str | Callable[[], str] = "application/octet-stream",
        content_encoding: str | None = None,
        metadata: Mapping[str, str] | None = None,
        storage_class: StorageClass = StorageClass.STANDARD,
    ) -> ObjectInfo:
        """Store the bytes of ``chunks`` under ``key``, replacing what is there."""
        custom = dump_metadata(metadata)
        headers = dump_headers(content_encoding=content_encoding)
        with self._files.draft() as draft:
            for chunk in chunks:
                draft.writer.write(chunk)
            kind = content_type() if callable(content_type) else content_type
            draft.writer.sync()
            draft.publish()
            version = Version(
                key=key,
                file=draft.name,
                size=draft.writer.size,
                etag=f"{draft.writer.digest}-1",
                content_type=kind,
                storage_class=storage_class,
                metadata=custom,
                modified=self._now(),
                headers=headers,
            )
            add = partial(versions.add, version=version, versioning=self._versioning)
            added = self._index.write(add)
        return self._settled(*added)

    def copy(
        self,
        source: StoredKey,
        target: Key,
        *,
        version_id: str | None = None,
        content_type: str | None = None,
        as_new: bool = False,
    ) -> ObjectInfo:
        """Copy an object; both share the file."""

        def change(connection: Connection) -> tuple[Version, list[str]]:
            found = self._find_whole(connection, source, version_id)
            found.must_be_readable(self._clock())
            copied = found._replace(
                key=target,
                content_type=content_type or found.content_type,
                modified=self._now(),
                noncurrent_since=None,
                restored_from=None,
                restored_until=None,
            )
            if as_new:
                plain = dump_metadata(None)
                copied = copied._replace(metadata=plain, storage_class=StorageClass.STANDARD)
            return versions.add(connection, copied, versioning=self._versioning)

        return self._write(change)

    def rename(self, source: StoredKey, target: Key) -> ObjectInfo:
        """Move an object in one commit; a restored copy stays restored."""

        def change(connection: Connection) -> tuple[Version, list[str]]:
            found = self._find_whole(connection, source)
            found.must_be_readable(self._clock())
            if source == target:
                return found, []
            now, keeps = self._now(), self._versioning
            moved = found._replace(key=target, modified=now, noncurrent_since=None)
            added, spare = versions.add(connection, moved, versioning=keeps)
            spare += versions.remove_current(connection, source, now, versioning=keeps)
            return added, spare

        return self._write(change)

    def delete(self, key: StoredKey, *, version_id: str | None = None) -> None:
        """Delete the object, or one version for good; deleting what is not there is no error."""
        if version_id is None or (version_id == NULL_VERSION and not self._versioning):
            change = partial(self._remove_each, keys=[key])
        else:
            change = partial(versions.remove_version, key=key, version_id=version_id)
        self._files.remove(self._index.write(change))

    def delete_many(self, keys: Sequence[StoredKey]) -> list[DeleteFailure]:
        """Delete any number of objects, many to a commit; return those that could not be."""
        failures: list[DeleteFailure] = []
        rest = iter(keys)
        while batch := list(islice(rest, MAX_LIST_LIMIT)):
            try:
                self._files.remove(self._index.write(partial(self._remove_each, keys=batch)))
            except StorageError as error:
                failures += [DeleteFailure(key, error.code, error.message) for key in batch]
        return failures

    def purge(self, key: StoredKey) -> None:
        """Delete the object with all its versions and markers, for good."""
        self._files.remove(self._index.write(partial(versions.remove_all, key=key)))

    def _remove_each(self, connection: Connection, keys: Sequence[StoredKey]) -> list[str]:
        now, keeps = self._now(), self._versioning
        spares = [versions.remove_current(connection, key, now, versioning=keeps) for key in keys]
        return [file for spare in spares for file in spare]
