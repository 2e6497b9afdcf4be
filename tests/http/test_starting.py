"""What a worker does before it serves: an unfit storage stops the server, one that is away does not."""

import os
import signal
import threading
from typing import Any

import pytest
from flask import Flask

from softfactory.errors import StorageError
from softfactory.http import starting
from softfactory.http.runtime import EXTENSION

UNFIT = "This S3 server obeys headers."


class SlowStorage:
    """A storage that is away at first."""

    def __init__(self, answers: list[list[str] | None]) -> None:
        self.answers = answers
        self.is_back = threading.Event()

    def upload_url_problems(self) -> list[str]:
        if (answer := self.answers.pop(0)) is None:
            raise StorageError
        self.is_back.wait(10)
        return answer


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A list of who was sent which signal, and an event for the first."""
    told = threading.Event()
    signals: list[tuple[int, int]] = []

    def kill(process: int, number: int) -> None:
        signals.append((process, number))
        told.set()

    monkeypatch.setattr(os, "kill", kill)
    monkeypatch.setattr(starting, "PATIENCE", 0.05)
    monkeypatch.setattr(starting, "RETRY", 0.01)
    return signals, told


@pytest.mark.light
def test_an_unfit_storage_is_refused_with_its_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    storage = SlowStorage([[UNFIT]])
    storage.is_back.set()

    with pytest.raises(SystemExit) as raised:
        starting.begin(served(storage))

    assert raised.value.code == starting.APP_LOAD_ERROR
    assert UNFIT in capfd.readouterr().err


@pytest.mark.light
def test_an_unfit_storage_that_was_away_stops_the_server_when_it_is_back(killed: Any) -> None:
    signals, told = killed
    storage = SlowStorage([None, None, [UNFIT]])

    starting.begin(served(storage))
    storage.is_back.set()

    assert told.wait(10)
    assert signals == [(os.getppid(), signal.SIGTERM)]


@pytest.mark.light
def test_a_fit_storage_that_was_away_changes_nothing(killed: Any) -> None:
    signals, _ = killed
    storage = SlowStorage([None, []])
    starting.begin(served(storage))
    storage.is_back.set()

    for thread in threading.enumerate():
        if thread.name == "upload-urls":
            thread.join(10)

    assert signals == []


def served(storage: SlowStorage) -> Flask:
    """An application in production that has nothing but its storage."""
    app = Flask("served")

    class Ports:
        class config:  # noqa: N801  # as the runtime has it
            upload_storage_handler = "s3"
            app_env = "production"

    Ports.storage = storage  # type: ignore[attr-defined]
    app.extensions[EXTENSION] = Ports
    return app


@pytest.fixture(autouse=True)
def no_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "_watch_expiry", lambda _app: None)
