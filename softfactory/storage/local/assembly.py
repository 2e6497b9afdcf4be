"""Making one file of an upload's parts: by giving their common file its name, or by joining them."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from xxhash import xxh3_128

from softfactory.errors import StorageError
from softfactory.storage.local.failures import Translated
from softfactory.storage.local.files import FileStore
from softfactory.storage.local.upload_directories import WHOLE
from softfactory.storage.local.uploads import Part, Upload
from softfactory.storage.local.writing import SecondName

_CHUNK = 1024 * 1024
"""Bytes copied at a time where the kernel does not copy them itself."""

_NO_LINK = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK})
"""What file systems without hard links, or without room for one more, answer (link(2))."""

_NO_COPY = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF})
"""What copy_file_range(2) answers between file systems, or where it is not to be had."""


def etag_of(parts: Sequence[Part]) -> str:
    """Return the ETag of the object made of ``parts``; one part alone has that of a put."""
    return etag_of_digests([part.etag for part in parts])


def etag_of_digests(digests: Sequence[str]) -> str:
    """Return the ETag of the object whose parts have these hashes, in hexadecimal."""
    if len(digests) == 1:
        return f"{digests[0]}-1"
    joined = b"".join(map(bytes.fromhex, digests))
    return f"{xxh3_128(joined).hexdigest()}-{len(digests)}"


@contextmanager
def assembled(
    files: FileStore, directory: Path, upload: Upload, parts: Sequence[Part]
) -> Iterator[str]:
    """Yield the name of a published file of just these parts; withdrawn where the block fails.

    ``directory`` must be locked. Parts in their slots are not moved, unless somebody who was cut
    off may still be writing to the common file: then all are joined into a new one.
    """
    if upload.is_declared and sum(part.size for part in parts) == upload.size:
        with files.second_name(directory / WHOLE) as second:
            if second is not None and _finish_in_place(second, directory, upload, parts):
                yield second.name
                return
    with files.draft() as draft:
        with Translated():
            _join(draft.fd, directory, upload, parts)
        draft.writer.sync()
        draft.publish()
        yield draft.name


def _finish_in_place(
    second: SecondName, directory: Path, upload: Upload, parts: Sequence[Part]
) -> bool:
    """Move the late parts into their slots and publish; False where no link can be made."""
    with Translated():
        late = [part for part in parts if part.file is not None]
        for part in late:
            _copy_part(second.fd, upload.offset(part.part_number), directory, upload, part)
        if late:
            os.fdatasync(second.fd)
        if os.fstat(second.fd).st_size != upload.size:
            raise StorageError
        try:
            second.publish()
        except StorageError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in _NO_LINK:
                return False
            raise
    return True


def _join(target: int, directory: Path, upload: Upload, parts: Sequence[Part]) -> None:
    position = 0
    for part in parts:
        _copy_part(target, position, directory, upload, part)
        position += part.size


def _copy_part(target: int, position: int, directory: Path, upload: Upload, part: Part) -> None:
    offset = upload.offset(part.part_number) if part.file is None else 0
    source = os.open(directory / (part.file or WHOLE), os.O_RDONLY)
    try:
        _copy_range(source, offset, target, position, part.size)
    finally:
        os.close(source)


def _copy_range(source: int, offset: int, target: int, position: int, size: int) -> None:
    end = offset + size
    while offset < end:
        copied = _copy_some(source, offset, target, position, end - offset)
        if copied == 0:
            raise StorageError  # the part's file is shorter than the part
        offset += copied
        position += copied


def _copy_some(source: int, offset: int, target: int, position: int, size: int) -> int:
    """Copy at least one byte, by the kernel where it can; return how many, 0 at the end."""
    try:
        return os.copy_file_range(source, target, size, offset, position)
    except OSError as error:
        if error.errno not in _NO_COPY:
            raise
    return os.pwrite(target, os.pread(source, min(size, _CHUNK), offset), position)
