"""A form whose file may come before the field that says where the file belongs.

Clients send their fields in any order, and storage takes bytes for a key only. A file that comes
first waits in a temporary file, which has no name and is gone with the process.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile

from softfactory.disk import FOR_FILES, has_room
from softfactory.errors import StorageFull
from softfactory.http.bodies import CHUNK_SIZE
from softfactory.http.forms import UploadForm
from softfactory.http.runtime import runtime
from softfactory.services.arrival import within_limit
from softfactory.storage.local.directories import make_root
from softfactory.storage.local.failures import Translated


def spool_directory() -> Path | None:
    """Return where files wait that come first: on local storage the disk that they go to.

    None is the system's temporary directory: on S3 nothing else is kept on this machine.
    """
    config = runtime().config
    return config.media_root if config.upload_storage_handler == "local" else None


@contextmanager
def chunks_behind(
    form: UploadForm, field: str, *, directory: Path | None
) -> Iterator[Iterable[bytes]]:
    """Yield the chunks of the form's file at a moment when ``form.fields`` has ``field``.

    It has not where the form has none. Memory is bounded, whatever the file's size.

    Args:
        directory: where a file that comes first waits; None for the system's temporary one.

    Raises:
        InvalidInput: the form is malformed, cut off, or has a second file.
        FileTooLarge: the file came first and has more than 100 MB.
        StorageFull: it did, and there is no room for it.
    """
    if field in form.fields:
        yield form.chunks()
        return
    if directory is not None:
        make_root(directory)
    place = None if directory is None else str(directory)
    with SpooledTemporaryFile(max_size=CHUNK_SIZE, dir=place) as waiting:
        size = 0
        for chunk in within_limit(form.chunks()):
            size += len(chunk)
            with Translated():
                if size > CHUNK_SIZE and not has_room(waiting.fileno(), FOR_FILES + len(chunk)):
                    raise StorageFull
                # Not writelines, which fills memory before it looks at the size.
                waiting.write(chunk)
        waiting.seek(0)
        yield iter(lambda: waiting.read(CHUNK_SIZE), b"")
