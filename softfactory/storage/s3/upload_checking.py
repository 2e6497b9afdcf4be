"""Finding out, by trying it, what a client gains who adds headers to the URLs that it may write to.

Amazon's S3 refuses ``x-amz-*`` headers that are not signed. Other servers obey them, and then it
depends on who signed the URL what they are worth.
"""

import secrets
from collections.abc import Mapping
from copy import copy
from datetime import timedelta

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session

from softfactory.errors import ObjectNotFound, StorageError
from softfactory.storage.base import SignedUrl
from softfactory.storage.keys import Key
from softfactory.storage.s3.signing import Signer
from softfactory.storage.s3.sweeping import Sweeper
from softfactory.storage.s3.writing import Writer

SOURCE_FOLDER = ".softfactory-check-other/"
"""Where the object lies that must not be copied: a root of its own, as another user's is."""

TARGET_FOLDER = ".softfactory-check/"
"""Where the URLs lead that are tried."""

_MINUTE = timedelta(minutes=1)
_TIMEOUT = 20
"""Seconds that the server may take to answer."""

WITHOUT_ROLE = (
    "This S3 server obeys headers that its upload URLs do not sign ({headers}): whoever is given "
    "such a URL could copy other users' files into their own, or open theirs to everybody. Set "
    "AWS_ROLE_ARN to a role that the server's STS can assume, or UPLOAD_URLS=service, or use "
    "another server (README: Which S3 servers)."
)
WITH_ROLE = (
    "This S3 server obeys headers that its upload URLs do not sign ({headers}), although AWS_ROLE_ARN "
    "is set: it does not hold the role's sessions to their policies. Set UPLOAD_URLS=service, or "
    "use another server (README: Which S3 servers)."
)
REFUSED = (
    "The S3 server refuses uploads by signed URL (status {status}). Set UPLOAD_URLS=service, or use "
    "another server (README: Which S3 servers)."
)
OTHER_SIZE = (
    "This S3 server takes more bytes by an upload URL than were declared: it does not check the "
    "signed Content-Length. Set UPLOAD_URLS=service, or use another server (README: Which S3 "
    "servers)."
)


class UploadChecker(Writer, Sweeper, Signer):
    """The verb that attacks the URLs that write, on objects of its own, which it removes."""

    def upload_url_problems(self) -> list[str]:
        """Copy another root's object, open one to everybody, and send more than was declared.

        Nothing of it is tried where the URLs lead to this service, or to Amazon.
        """
        if self._upload_signer is not None:
            return []
        name = secrets.token_hex(8)
        attack = _Attack(self, Key(SOURCE_FOLDER + name), Key(TARGET_FOLDER + name))
        self.presign_put(attack.target, size=0, expires_in=_MINUTE)  # is there what signs it?
        if self.is_aws:
            return []
        try:
            return attack.problems()
        finally:
            self.purge(attack.source)
            self.purge(attack.target)


class _Attack:
    """One client's try to get more by its URLs than it was given."""

    def __init__(self, storage: UploadChecker, source: Key, target: Key) -> None:
        self.source, self.target = source, target
        # The service itself may not reach the endpoint that clients do, which is the same server.
        self._storage = copy(storage)
        self._storage._public_endpoint_url = storage._endpoint_url  # noqa: SLF001  # a copy of it
        self._http = URLLib3Session(timeout=_TIMEOUT)

    def problems(self) -> list[str]:
        self._storage.put(self.source, [b"other"])
        plain = self._put(self._url(5), b"plain")
        if plain not in range(200, 300):
            return [REFUSED.format(status=plain)]
        obeyed = [
            *(["x-amz-copy-source"] if self._put_copies() or self._part_copies() else []),
            *(["x-amz-acl"] if self._put_opens() else []),
        ]
        problems = []
        if obeyed:
            has_role = self._storage._upload_sessions is not None  # noqa: SLF001
            sentence = WITH_ROLE if has_role else WITHOUT_ROLE
            problems.append(sentence.format(headers=", ".join(obeyed)))
        if self._put(self._url(5), b"longer") in range(200, 300):
            problems.append(OTHER_SIZE)
        return problems

    def _put_copies(self) -> bool:
        self._storage.purge(self.target)
        self._put(self._url(0), b"", self._copy_source)
        try:
            return self._storage.head(self.target).size > 0
        except ObjectNotFound:
            return False

    def _part_copies(self) -> bool:
        upload_id = self._storage.create_multipart(self.target)
        try:
            for declared in ({}, {"part_size": 5, "size": 0}):
                (url,) = self._storage.presign_parts(
                    self.target, upload_id, [1], expires_in=_MINUTE, **declared
                )
                self._put(url, b"", self._copy_source)
            parts = self._storage.list_parts(self.target, upload_id)
        finally:
            self._storage.abort_multipart(self.target, upload_id)
        return any(part.size > 0 for part in parts)

    def _put_opens(self) -> bool:
        self._storage.purge(self.target)
        self._put(self._url(5), b"plain", {"x-amz-acl": "public-read"})
        return self._send("GET", self._storage.object_url(self.target)) in range(200, 300)

    @property
    def _copy_source(self) -> dict[str, str]:
        return {"x-amz-copy-source": f"/{self._storage.bucket}/{self.source}"}

    def _url(self, size: int) -> SignedUrl:
        return self._storage.presign_put(self.target, size=size, expires_in=_MINUTE)

    def _put(self, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> int:
        return self._send("PUT", url, body, {"Content-Length": str(len(body)), **(headers or {})})

    def _send(
        self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> int:
        request = AWSRequest(method, url, headers=dict(headers or {}), data=body)
        try:
            return self._http.send(request.prepare()).status_code
        except BotoCoreError as error:
            raise StorageError from error
