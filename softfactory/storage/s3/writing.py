"""Writing: bytes as they arrive, into one PutObject or a multipart upload."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing

from softfactory.errors import ObjectNotFound
from softfactory.storage.base import ObjectInfo, StorageClass
from softfactory.storage.encoding import stored_encoding
from softfactory.storage.keys import Key
from softfactory.storage.s3.copying import Copier
from softfactory.storage.s3.errors import storage_errors
from softfactory.storage.s3.part_memory import MEMORY, PART_SIZE, Part, taken
from softfactory.storage.s3.reading import answered_version, encoding_argument
from softfactory.storage.types_by_name import type_by_name

DEFAULT_TYPE = "application/octet-stream"


class Writer(Copier):
    """The verb that takes a stream."""

    def put(
        self,
        key: Key,
        chunks: Iterable[bytes],
        *,
        content_type: str | Callable[[], str] = DEFAULT_TYPE,
        content_encoding: str | None = None,
        metadata: Mapping[str, str] | None = None,
        storage_class: StorageClass = StorageClass.STANDARD,
    ) -> ObjectInfo:
        """Store the bytes: up to 8 MiB by one PutObject, more in parts as they arrive.

        One part at most is in memory, in one of the process's places (``part_memory``); where none is
        free, it is in a temporary file.

        S3 wants a type before the first part. Where only the bytes tell it, the upload begins with
        what the key's extension says, and the object is copied onto itself where that was wrong.
        """
        with closing(MEMORY.split(chunks, PART_SIZE)) as parts:
            first, is_only = next(parts)
            if not is_only:
                return self._put_large(
                    key,
                    _each(first, parts),
                    content_type=content_type,
                    content_encoding=content_encoding,
                    metadata=metadata or {},
                    storage_class=storage_class,
                )
            size = len(first)
            final_type = content_type if isinstance(content_type, str) else content_type()
            with storage_errors():
                answer = self.client.put_object(
                    Bucket=self.bucket,
                    Key=key,
                    Body=taken(first),
                    ContentType=final_type,
                    Metadata=metadata or {},
                    StorageClass=storage_class.value,
                    **encoding_argument(content_encoding),
                )
        version_id = answered_version(answer)
        try:
            return self.head(key, version_id=version_id)
        except ObjectNotFound:
            # Stored, and deleted by somebody else before the HEAD: the put itself succeeded.
            return ObjectInfo(
                key=key,
                size=size,
                etag=answer["ETag"].strip('"'),
                last_modified=self._clock(),
                storage_class=storage_class.value,
                content_type=final_type,
                content_encoding=stored_encoding(content_encoding),
                version_id=version_id,
                metadata=metadata or {},
            )

    def _put_large(
        self,
        key: Key,
        parts: Iterable[Part],
        *,
        content_type: str | Callable[[], str],
        content_encoding: str | None,
        metadata: Mapping[str, str],
        storage_class: StorageClass,
    ) -> ObjectInfo:
        if isinstance(content_type, str):
            first_type, first_class = content_type, storage_class
        else:
            # An archived object can't be copied onto itself, so the class waits for the type.
            first_type = type_by_name(key.filename)
            first_class = StorageClass.STANDARD
        upload_id = self.create_multipart(
            key,
            content_type=first_type,
            content_encoding=content_encoding,
            metadata=metadata,
            storage_class=first_class,
        )
        try:
            sent = [
                (number, self.send_part(key, upload_id, number, taken(part)))
                for number, part in enumerate(parts, start=1)
            ]
            final_type = content_type if isinstance(content_type, str) else content_type()
            info = self.finish_multipart(key, upload_id, sent)
        except BaseException:
            self.abort_quietly(key, upload_id)
            raise
        if (final_type, storage_class) == (first_type, first_class):
            return info
        return self._correct(info, content_type=final_type, storage_class=storage_class)

    def _correct(
        self, info: ObjectInfo, *, content_type: str, storage_class: StorageClass
    ) -> ObjectInfo:
        key = Key(info.key)
        try:
            return self.rewrite(key, content_type=content_type, storage_class=storage_class)
        except BaseException:
            self.delete(key, version_id=info.version_id)
            raise


def _each(first: Part, others: Iterator[tuple[Part, bool]]) -> Iterator[Part]:
    yield first
    for part, _ in others:
        yield part
