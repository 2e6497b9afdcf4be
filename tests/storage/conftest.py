"""Runs each contract test on every storage that can what the test needs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from softfactory.storage.base import Storage
from tests.storage.backends import (
    CAPABILITIES,
    VERSIONS,
    Backend,
    LocalBackend,
    moto_opened,
    rgw_answers,
    rgw_bucket,
    rgw_opened,
)


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker, and let moto's buffers go when they like."""
    config.addinivalue_line(
        "markers", "needs(*capabilities): run only on storages that have all of these"
    )
    config.addinivalue_line(
        "filterwarnings", "ignore:S3 key was not disposed of in time:ResourceWarning"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give ``backend`` one parameter for each storage that can what the test needs."""
    if "backend" not in metafunc.fixturenames:
        return
    needed = {need for mark in metafunc.definition.iter_markers("needs") for need in mark.args}
    able = [name for name, capabilities in CAPABILITIES.items() if needed <= capabilities]
    metafunc.parametrize("backend", [pytest.param(n, marks=_marks(n)) for n in able], indirect=True)


@pytest.fixture(scope="session")
def bucket_on_rgw() -> Iterator[str]:
    """One bucket for all tests, emptied by each: making one takes RGW longer than a test."""
    with rgw_bucket() as bucket:
        yield bucket


@pytest.fixture
def backend(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Backend]:
    """One storage, empty, with a view behind its interface."""
    versioning = VERSIONS in CAPABILITIES[request.param]
    if request.param.startswith("local"):
        yield LocalBackend(tmp_path / "media", versioning=versioning)
    elif request.param.startswith("s3-moto"):
        with moto_opened(monkeypatch, versioning=versioning) as backend:
            yield backend
    else:
        with rgw_opened(request.getfixturevalue("bucket_on_rgw")) as backend:
            yield backend


@pytest.fixture
def storage(backend: Backend) -> Storage:
    """The storage of ``backend``: all that most tests need."""
    return backend.storage


def _marks(name: str) -> list[pytest.MarkDecorator]:
    if name != "s3-rgw" or rgw_answers():
        return []
    reason = "no S3 server answers at TEST_S3_ENDPOINT_URL; start one: tests/servers/rgw.sh start"
    return [pytest.mark.skip(reason=reason)]
