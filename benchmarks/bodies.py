"""What is sent: made once, kept in files, read from the page cache from then on."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests import samples

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

BOUNDARY = "----------------bench-7d1f0e2c"
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


@dataclass(frozen=True)
class Bodies:
    """Files of the bench's own.

    Attributes:
        room: where they lie.
        large_size: of the large body, in bytes.
        small_count: how many small files there are.
    """

    room: Path
    large_size: int
    small_count: int

    @cached_property
    def large(self) -> Path:
        """Random bytes, 1 GiB of them where the bench is not quick."""
        path = self.room / "large"
        block = random.Random(4).randbytes(32 * MIB)
        with path.open("wb") as file:
            for _ in range(self.large_size // len(block)):
                file.write(block)
        return path

    def form(self, name: str, file_field: str, size: int, **fields: str) -> Path:
        """Return a whole form, with a PDF of ``size`` bytes in it."""
        path = self.room / f"{name}.form"
        path.write_bytes(form(file_field, "a.pdf", samples.pdf(size=size), **fields))
        return path

    def small(self) -> Iterator[tuple[str, bytes]]:
        """Yield names and contents of 10 KiB, no two alike."""
        content = samples.pdf(size=10 * KIB)
        # The padding's first bytes: inside the stream that nothing refers to.
        at = content.index(b"stream\n") + len(b"stream\n")
        for number in range(self.small_count):
            mark = b"%08d" % number
            yield f"small-{number:05}.pdf", content[:at] + mark + content[at + len(mark) :]


def form(file_field: str, filename: str, content: bytes, **fields: str) -> bytes:
    """Return a multipart form: the fields, then the file."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    parts.append(
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
        f'name="{file_field}"; filename="{filename}"\r\nContent-Type: application/pdf\r\n\r\n'
    )
    return "".join(parts).encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
