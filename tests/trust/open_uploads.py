"""Uploads between their beginning and their end, by each contract that has such a thing."""

from abc import ABC, abstractmethod
from typing import Any

from tests.conftest import Caller
from tests.contracts.doors import announced, exchange, good


class OpenUpload(ABC):
    """An upload that was begun; what it makes of its file is seen once it is finished."""

    def __init__(self, caller: Caller, name: str, body: bytes) -> None:
        self.caller, self.name, self.body = caller, name, body
        self.etag: str | None = None
        self.url = self.begin()

    @property
    def is_sent(self) -> bool:
        """Whether the bytes have arrived."""
        return self.etag is not None

    @property
    def declared(self) -> int:
        """How many bytes are reserved for it at least."""
        return len(self.body)

    @property
    def parts(self) -> list[dict[str, Any]]:
        """What completing names."""
        return [{"part_number": 1, "etag": self.etag or "none"}]

    def may_mean(self, other: "OpenUpload") -> bool:
        """Whether finishing this one may finish ``other``, which was begun by the same user."""
        return other is self

    def send(self) -> None:
        """Send the bytes, maybe once more."""
        status, answer = exchange(self.caller, "PUT", self.url, self.body)
        assert status == 200, (status, answer.headers)
        self.etag = answer.headers["ETag"]

    def finish(self) -> str | None:
        """Ask for the file; return its key, None if that is refused."""
        answer = self.ask()
        if answer.status_code in (400, 404):
            return None
        good(answer)
        return self.key()

    @abstractmethod
    def begin(self) -> str:
        """Begin it and return where the bytes go."""

    @abstractmethod
    def ask(self) -> Any:
        """Return the answer of confirming or completing."""

    @abstractmethod
    def key(self) -> str:
        """Return the key of the finished file."""

    @abstractmethod
    def give_up(self) -> bool:
        """Abort it; False where the contract has no such thing."""


class DriveUpload(OpenUpload):
    """A presigned upload that waits to be confirmed."""

    def begin(self) -> str:
        size = len(self.body)
        wanted = {"file_name": self.name, "content_type": "application/pdf", "file_size": size}
        granted = good(self.caller.post("/api/files/upload/", json=wanted))["successful"][0]
        self.shown: str = granted["s3_key"]
        return str(granted["presigned_url"])

    def may_mean(self, other: OpenUpload) -> bool:
        is_plain = self.shown == self.key()
        return other is self or (
            is_plain and isinstance(other, DriveUpload) and other.name == self.name
        )

    def ask(self) -> Any:
        return self.caller.post("/api/files/confirm_upload/", json={"s3_key": self.shown})

    def key(self) -> str:
        return f"{self.caller.username}/{self.name}"

    def give_up(self) -> bool:
        return False


class BrowserUpload(OpenUpload):
    """A multipart upload to a key that its client chose."""

    @property
    def declared(self) -> int:
        """It declares none; on S3 nothing of it passes through the service either."""
        return 0

    def __init__(self, caller: Caller, name: str, body: bytes, *, key: str = "") -> None:
        self._key = key or f"users/{caller.uuid}/{name}"
        super().__init__(caller, name, body)

    def begin(self) -> str:
        named = {"key": self._key}
        self.reference = named | good(self.caller.post("/api/s3/multipart/initiate", json=named))
        request = {**self.reference, "part_number": 1}
        return str(good(self.caller.post("/api/s3/multipart/part-url", json=request))["url"])

    def ask(self) -> Any:
        request = {**self.reference, "parts": self.parts}
        return self.caller.post("/api/s3/multipart/complete", json=request)

    def key(self) -> str:
        return self._key

    def give_up(self) -> bool:
        good(self.caller.delete("/api/s3/multipart", json=self.reference))
        return True


class DeclaredUpload(OpenUpload):
    """An upload of the uploads contract."""

    def begin(self) -> str:
        begun = good(self.caller.post("/v1/files/uploads/", json=announced(self.name, self.body)))
        self.file_id = begun["file_obj"]["id"]
        return str(begun["presigned_urls"][0]["url"])

    def ask(self) -> Any:
        path = f"/v1/files/uploads/{self.file_id}/complete/"
        return self.caller.post(path, json={"parts": self.parts})

    def key(self) -> str:
        return str(good(self.caller.get(f"/api/files/{self.file_id}"))["file_key"])

    def give_up(self) -> bool:
        assert self.caller.delete(f"/v1/files/uploads/{self.file_id}/").status_code == 204
        return True


BEGINNINGS: dict[str, type[OpenUpload]] = {
    "drive": DriveUpload,
    "browser": BrowserUpload,
    "uploads": DeclaredUpload,
}
