"""The storages under contract: how each is built, looked into, and moved through time."""

import os
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import moto.s3.models
import pytest
import requests
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import FakeKey
from moto.s3.models import S3Backend as MotoS3

from softfactory.errors import (
    InvalidSignature,
    ObjectNotFound,
    SoftFactoryError,
    StorageError,
    UploadNotFound,
)
from softfactory.storage.base import Storage
from softfactory.storage.keys import FolderKey, Key, StoredKey
from softfactory.storage.local import LocalStorage
from softfactory.storage.s3 import S3Storage
from softfactory.storage.s3.xml_text import is_sayable, read_any_key, restored
from softfactory.storage.signing import UrlSigner

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

VERSIONS = "versions"
"""Keeps versions."""
NO_VERSIONS = "no versions"
"""Keeps none."""
SNAPSHOTS = "snapshots"
"""Can keep a reader's bytes after they lost their key (S3 without versions cannot)."""
ARCHIVE = "archive"
"""Has the GLACIER class (RGW has not)."""
STRICT = "strict"
"""Checks signed URLs, and shows nothing of deleted objects (moto lists their folders)."""
DECLARED = "declared"
"""Remembers what sizes an upload declared (S3 has nowhere to)."""
QUICK = "quick"
"""Answers in about a millisecond, so that a test may ask it thousands of times."""
PAGES = "pages"
"""Answers in pages of a thousand, which the adapter has to put together."""
SUBSETS = "subsets"
"""Completes an upload without some of its parts, as S3 does (RGW 16 wants all that arrived)."""
STREAMING = "streaming"
"""Keeps its bytes outside this process, so that its memory can be measured."""
SIGNED_HEADERS = "signed headers"
"""Obeys no header that its upload URLs do not sign (RGW does, where no role signs them)."""
DISK = "disk"
"""Leaves files behind where a process is killed."""

CAPABILITIES = {
    "local": {
        VERSIONS,
        SNAPSHOTS,
        ARCHIVE,
        STRICT,
        QUICK,
        DECLARED,
        SUBSETS,
        STREAMING,
        SIGNED_HEADERS,
        DISK,
    },
    "local-unversioned": {
        NO_VERSIONS,
        SNAPSHOTS,
        STRICT,
        DECLARED,
        SUBSETS,
        SIGNED_HEADERS,
        DISK,
    },
    "s3-moto": {VERSIONS, SNAPSHOTS, ARCHIVE, QUICK, PAGES, SUBSETS, SIGNED_HEADERS},
    "s3-moto-unversioned": {NO_VERSIONS, SUBSETS, SIGNED_HEADERS},
    "s3-rgw": {VERSIONS, SNAPSHOTS, STRICT, STREAMING},
}
"""Every storage under contract and what it can; a test runs on all that can what it ``needs``."""

RGW_ENDPOINT = os.environ.get("TEST_S3_ENDPOINT_URL", "http://127.0.0.1:7480")
RGW_ACCESS_KEY_ID = os.environ.get("TEST_S3_ACCESS_KEY_ID", "testing")
RGW_SECRET_ACCESS_KEY = os.environ.get("TEST_S3_SECRET_ACCESS_KEY", "testing12")


class SteppedClock:
    """A clock that stands still, or follows the real one, and can be moved."""

    def __init__(self, *, stands_still: bool) -> None:
        self._stands_at = datetime.now(UTC) if stands_still else None
        self._offset = timedelta(0)

    def __call__(self) -> datetime:
        return (self._stands_at or datetime.now(UTC)) + self._offset

    def move(self, by: timedelta) -> None:
        """Move forward, or back where ``by`` is negative."""
        self._offset += by


@dataclass(frozen=True)
class Answer:
    """What an HTTP request got."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Http = Callable[..., Answer]
"""``http(method, url, body=b"", headers={})``: what a client does with a signed URL."""


def over_the_wire(
    method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Answer:
    """Send the request as any client would."""
    response = requests.request(
        method, url, data=body or None, headers=dict(headers or {}), timeout=10
    )
    return Answer(response.status_code, response.content, response.headers)


class SignedDoor:
    """Local storage's signed URLs without a server: what ``/media`` does, in a few lines."""

    def __init__(self, storage: Storage, signer: UrlSigner) -> None:
        self._storage = storage
        self._signer = signer

    def __call__(
        self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Check the token, then read or write."""
        parts = urlsplit(url)
        path = unquote(parts.path).removeprefix("/media/")
        key = StoredKey(path)
        token = parse_qs(parts.query).get("token", [""])[0]
        try:
            claims = self._signer.verify(token, method=method, key=key)
            if method == "GET":
                return self._get(key, claims, (headers or {}).get("Range"))
            written = FolderKey(path) if key.is_folder else Key(path)
            return self._put(written, claims, body)
        except InvalidSignature:
            return Answer(403, b"")
        except ObjectNotFound:
            return Answer(404, b"")

    def _get(self, key: StoredKey, claims: Mapping[str, Any], byte_range: str | None) -> Answer:
        first, last = (byte_range or "bytes=0-").removeprefix("bytes=").split("-")
        with self._storage.open(key, version_id=claims.get("version_id")) as stored:
            body = b"".join(stored.chunks(int(first), int(last) + 1 if last else None))
            headers = {"Content-Type": claims.get("content_type") or stored.info.content_type}
        if "content_disposition" in claims:
            headers["Content-Disposition"] = claims["content_disposition"]
        return Answer(206 if byte_range else 200, body, headers)

    def _put(self, key: Key, claims: Mapping[str, Any], body: bytes) -> Answer:
        if claims.get("size", len(body)) != len(body):
            return Answer(400, b"")
        if "upload_id" in claims:
            upload_id, number = claims["upload_id"], claims["part_number"]
            etag = self._storage.put_part(key, upload_id, number, [body], size=len(body)).etag
        else:
            etag = self._storage.put(key, [body]).etag
        return Answer(200, b"", {"ETag": f'"{etag}"'})


class Backend(ABC):
    """One storage under contract, with a view behind the interface.

    Attributes:
        storage: what is tested.
        clock: the clock it was given.
        http: opens its signed URLs.
        lost_race: what a completion may raise that another completion, or an abort, outran.
    """

    storage: Storage
    clock: SteppedClock
    http: Http
    lost_race: tuple[type[SoftFactoryError], ...] = (UploadNotFound,)

    @abstractmethod
    def inventory(self) -> frozenset[str]:
        """Name everything that takes up room: files, versions, markers, open uploads."""

    @abstractmethod
    def pass_a_moment(self) -> datetime:
        """Let time go by; return a moment after all that was, before all that will be."""

    def finish_restoration(self, key: Key, *, waited: timedelta = timedelta(0)) -> None:
        """Bring the restoration of ``key``, begun ``waited`` ago, to its end."""
        raise NotImplementedError

    def let_restoration_expire(self, key: Key) -> None:
        """Bring the restored copy of ``key`` past its last day."""
        raise NotImplementedError


class LocalBackend(Backend):
    """A directory; its clock stands still between the steps of a test."""

    RESTORE_DELAY = timedelta(minutes=5)

    def __init__(self, root: Path, *, versioning: bool) -> None:
        self.root = root
        self.versioning = versioning
        self.clock = SteppedClock(stands_still=True)
        self.signer = UrlSigner("s" * 40, "http://files.test", clock=self.clock)
        self.storage = LocalStorage(
            root,
            signer=self.signer,
            restore_delay=self.RESTORE_DELAY,
            versioning=versioning,
            clock=self.clock,
        )
        self.http = SignedDoor(self.storage, self.signer)

    def inventory(self) -> frozenset[str]:
        """Name all files below the root's folders; the index lies in the root itself."""
        files = (path for path in self.root.rglob("*") if path.is_file())
        return frozenset(str(path) for path in files if path.parent != self.root)

    def pass_a_moment(self) -> datetime:
        """Step over a minute."""
        return step_over(self.clock)

    def finish_restoration(self, key: Key, *, waited: timedelta = timedelta(0)) -> None:
        """Step over what is left of the delay."""
        self.clock.move(self.RESTORE_DELAY - waited)

    def let_restoration_expire(self, key: Key) -> None:
        """Step over more days than any test asks for."""
        self.clock.move(timedelta(days=30))


class S3Backend(Backend):
    """An empty bucket on an S3 server."""

    def __init__(
        self, client: "S3Client", bucket: str, *, clock: SteppedClock, **connection: Any
    ) -> None:
        self.client = client
        self.bucket = bucket
        self.clock = clock
        self.http = over_the_wire
        self.storage = S3Storage(bucket=bucket, clock=clock, **connection)

    def inventory(self) -> frozenset[str]:
        """Name all versions, markers and open uploads of the bucket."""
        page = self.client.list_object_versions(Bucket=self.bucket)
        uploads = self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])
        return frozenset(
            [f"version {v['Key']} {v['VersionId']}" for v in page.get("Versions", [])]
            + [f"marker {m['Key']} {m['VersionId']}" for m in page.get("DeleteMarkers", [])]
            + [f"upload {restored(u['Key'])} {u['UploadId']}" for u in uploads]
        )

    def pass_a_moment(self) -> datetime:
        """Wait: nobody moves the clock of a real server, and it lists whole seconds."""
        time.sleep(1.1)
        moment = self.clock()
        time.sleep(1.1)
        return moment

    def empty(self) -> None:
        """Delete all that is in the bucket."""
        objects: list[ObjectIdentifierTypeDef] = []
        for name in self.inventory():
            kind, _, rest = name.partition(" ")
            key, _, number = rest.rpartition(" ")
            if kind == "upload":
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=number)
            elif not is_sayable(key):
                self.client.delete_object(Bucket=self.bucket, Key=key, VersionId=number)
            else:
                objects.append({"Key": key, "VersionId": number})
        for batch in (objects[n : n + 1000] for n in range(0, len(objects), 1000)):
            self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": batch})


class MotoBackend(S3Backend):
    """moto in this process, made as strict as S3 where it is not; its clock is the test's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, versioning: bool) -> None:
        clock = SteppedClock(stands_still=True)
        _let_moto_tell_time(monkeypatch, clock)
        _let_moto_restore_slowly(monkeypatch)
        _let_moto_know_its_uploads(monkeypatch)
        client = boto3.client("s3", region_name="us-east-1")
        make_bucket(client, "contract", versioning=versioning)
        super().__init__(
            client,
            "contract",
            clock=clock,
            region="us-east-1",
            access_key_id="testing",
            secret_access_key="testing",
        )

    def pass_a_moment(self) -> datetime:
        """Step over a minute."""
        return step_over(self.clock)

    def finish_restoration(self, key: Key, *, waited: timedelta = timedelta(0)) -> None:
        """Tell moto that the restoration is done."""
        self._fake(key).status = "RESTORED"

    def let_restoration_expire(self, key: Key) -> None:
        """Take the restored copy away, as S3 does after its last day."""
        self._fake(key)._expiry = None

    def _fake(self, key: Key) -> FakeKey:
        fake = _moto().get_object(self.bucket, key)
        assert fake is not None
        return fake


def _moto() -> MotoS3:
    return moto.s3.models.s3_backends[DEFAULT_ACCOUNT_ID]["aws"]


def _let_moto_tell_time(monkeypatch: pytest.MonkeyPatch, clock: SteppedClock) -> None:
    """Moto orders versions by the millisecond, so each of its looks at the clock is one later."""

    def tick() -> datetime:
        clock.move(timedelta(milliseconds=1))
        return clock().replace(tzinfo=None)

    monkeypatch.setattr(moto.s3.models, "utcnow", tick)


def _let_moto_restore_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto ends a restoration the moment it begins; S3 takes hours."""
    restore = FakeKey.restore

    def restore_slowly(key: FakeKey, days: int) -> None:
        if key.expiry_date is None:
            key.status = "IN_PROGRESS"
        restore(key, days)

    monkeypatch.setattr(FakeKey, "restore", restore_slowly)
    monkeypatch.setattr(FakeKey, "status", None)


def _let_moto_know_its_uploads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto looks an upload up by its id alone, and fails where there is none; S3 answers 404.

    Nor are its dictionaries made for threads: one request at a time.
    """
    process, one_at_a_time = BotocoreStubber.process_request, threading.Lock()

    def process_strictly(stubber: BotocoreStubber, request: AWSPreparedRequest) -> Any:
        parts = urlsplit(request.url)
        upload_id = parse_qs(parts.query).get("uploadId", [None])[0]
        with one_at_a_time:
            if upload_id is not None:
                bucket = _moto().get_bucket((parts.hostname or "").partition(".")[0])
                upload = bucket.multiparts.get(upload_id)
                if upload is None or upload.key_name != unquote(parts.path)[1:]:
                    return 404, {}, "<Error><Code>NoSuchUpload</Code></Error>"
            return process(stubber, request)

    monkeypatch.setattr(BotocoreStubber, "process_request", process_strictly)


class RgwBackend(S3Backend):
    """A real S3 server: Ceph's RGW."""

    # A completion that an abort outran can leave RGW its lock: 500, "already in progress".
    lost_race = (UploadNotFound, StorageError)

    def __init__(self, bucket: str) -> None:
        super().__init__(
            rgw_client(),
            bucket,
            clock=SteppedClock(stands_still=False),
            region="us-east-1",
            endpoint_url=RGW_ENDPOINT,
            access_key_id=RGW_ACCESS_KEY_ID,
            secret_access_key=RGW_SECRET_ACCESS_KEY,
        )


def step_over(clock: SteppedClock) -> datetime:
    """Move ``clock`` by two minutes; return the moment in the middle."""
    clock.move(timedelta(minutes=1))
    moment = clock()
    clock.move(timedelta(minutes=1))
    return moment


def make_bucket(client: "S3Client", bucket: str, *, versioning: bool) -> None:
    """Create the bucket, with versions where they are wanted."""
    client.create_bucket(Bucket=bucket)
    if versioning:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


@lru_cache(maxsize=1)
def rgw_client() -> "S3Client":
    """Return a client of its own for looking behind the interface."""
    client: S3Client = boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=RGW_ENDPOINT,
        aws_access_key_id=RGW_ACCESS_KEY_ID,
        aws_secret_access_key=RGW_SECRET_ACCESS_KEY,
        config=Config(s3={"addressing_style": "path"}),
    )
    read_any_key(client)
    return client


def rgw_answers() -> bool:
    """Whether an S3 server answers at the test endpoint."""
    try:
        return requests.get(RGW_ENDPOINT, timeout=2).ok
    except requests.ConnectionError:
        return False


@contextmanager
def rgw_bucket() -> Iterator[str]:
    """Give a bucket of this test run's own, with versions."""
    bucket = f"contract-{uuid.uuid4().hex}"
    make_bucket(rgw_client(), bucket, versioning=True)
    yield bucket
    rgw_client().delete_bucket(Bucket=bucket)


@contextmanager
def moto_opened(monkeypatch: pytest.MonkeyPatch, *, versioning: bool) -> Iterator[Backend]:
    """Give an empty bucket of moto's."""
    with mock_aws():
        yield MotoBackend(monkeypatch, versioning=versioning)


@contextmanager
def rgw_opened(bucket: str) -> Iterator[Backend]:
    """Give the empty ``bucket``, and empty it again."""
    backend = RgwBackend(bucket)
    yield backend
    while backend.inventory():
        backend.empty()
