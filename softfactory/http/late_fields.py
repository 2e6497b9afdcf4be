"""A form whose file may come before the field that says where the file belongs.

Clients send their fields in any order, and storage takes bytes for a key only. A file that comes
first waits in a temporary file, which has no name and is gone with the process.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile

from softfactory.http.bodies import CHUNK_SIZE
from softfactory.http.forms import UploadForm
from softfactory.services.arrival import within_limit


@contextmanager
def chunks_behind(form: UploadForm, field: str) -> Iterator[Iterable[bytes]]:
    """Yield the chunks of the form's file at a moment when ``form.fields`` has ``field``.

    It has not where the form has none. Memory is bounded, whatever the file's size.

    Raises:
        InvalidInput: the form is malformed, cut off, or has a second file.
        FileTooLarge: the file came first and has more than 100 MB.
    """
    if field in form.fields:
        yield form.chunks()
        return
    with SpooledTemporaryFile(max_size=CHUNK_SIZE) as waiting:
        for chunk in within_limit(form.chunks()):
            waiting.write(chunk)  # Not writelines, which fills memory before it looks at the size.
        waiting.seek(0)
        yield iter(lambda: waiting.read(CHUNK_SIZE), b"")
