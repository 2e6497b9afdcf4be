"""A form's file that comes before the field which says where it belongs."""

import os
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from softfactory.disk import FOR_FILES
from softfactory.errors import FileTooLarge, InvalidInput, StorageFull
from softfactory.http.forms import UploadForm
from softfactory.http.late_fields import chunks_behind
from softfactory.services import arrival

MIB = 1024 * 1024


class Form:
    """A form whose file has ``size`` MiB and stands before or behind its one field."""

    def __init__(self, size: int, *, field_first: bool, error: Exception | None = None) -> None:
        self.fields = {"key": "a"} if field_first else {}
        self._size, self._error = size, error

    def chunks(self) -> Iterator[bytes]:
        for number in range(self._size):
            yield bytes([number]) * MIB
        if self._error is not None:
            raise self._error
        self.fields["key"] = "a"


def form(size: int, *, field_first: bool, error: Exception | None = None) -> UploadForm:
    return cast(UploadForm, Form(size, field_first=field_first, error=error))


@pytest.mark.parametrize("field_first", [True, False])
def test_the_field_is_known_before_the_chunks_are_read(
    tmp_path: Path, *, field_first: bool
) -> None:
    sent = form(3, field_first=field_first)

    with chunks_behind(sent, "key", directory=tmp_path) as chunks:
        assert sent.fields == {"key": "a"}
        assert b"".join(chunks) == b"".join(bytes([number]) * MIB for number in range(3))


def test_a_file_that_waits_takes_no_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        with chunks_behind(form(40, field_first=False), "key", directory=tmp_path) as chunks:
            for _ in chunks:
                pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 8 * MIB


def test_a_file_that_waits_is_held_to_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "MAX_FORM_SIZE", 2 * MIB)

    with (
        pytest.raises(FileTooLarge, match="File too large"),
        chunks_behind(form(3, field_first=False), "key", directory=tmp_path),
    ):
        pass


def test_a_form_that_is_cut_off_never_gets_so_far(tmp_path: Path) -> None:
    error = InvalidInput("cut off")

    with (
        pytest.raises(InvalidInput, match="cut off"),
        chunks_behind(form(1, field_first=False, error=error), "key", directory=tmp_path),
    ):
        pass


def open_files() -> list[str]:
    """Return where the files are that this process has open."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own
            found.append(str(entry.readlink()))
    return found


def test_a_file_waits_where_it_is_to_stay_and_has_no_name_there(tmp_path: Path) -> None:
    media = tmp_path / "media"

    with chunks_behind(form(3, field_first=False), "key", directory=media):
        waiting = [path for path in open_files() if path.startswith(str(media))]
        named = [*media.iterdir()]

    assert (len(waiting), named) == (1, [])


def test_a_file_without_room_to_wait_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = form(40, field_first=False)
    told = SimpleNamespace(f_blocks=1, f_bavail=FOR_FILES, f_frsize=1)
    monkeypatch.setattr(os, "statvfs", lambda _: told)

    with pytest.raises(StorageFull), chunks_behind(sent, "key", directory=tmp_path):
        pass

    assert sent.fields == {}
