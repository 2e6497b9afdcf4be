"""A client that goes through every other route too, between its operations on files."""

import random
from typing import Any
from urllib.parse import quote

from tests.conftest import PASSWORD, Caller
from tests.contracts.doors import good
from tests.trust.client import Client
from tests.trust.ledger import Ledger


class Visitor(Client):
    """Reads every list and every fact about its files; logs in now and then."""

    def __init__(
        self, number: int, caller: Caller, ledger: Ledger, randomness: random.Random, *, room: int
    ) -> None:
        super().__init__(number, caller, ledger, randomness, room=room)
        self._work |= {
            self.lists: 6,
            self.facts: 6,
            self.links: 6,
            self.patch: 6,
            self.folder: 6,
            self.follow_an_upload: 6,
            self.machine_routes: 6,
            self.log_in: 1,
        }

    def lists(self) -> None:
        root = f"users/{self.caller.uuid}/"
        self._get("/api/files", limit=20, category="document")
        self._get("/api/v2/files/", per_page=20, use_cache=self._random.choice(["true", "false"]))
        self._get("/api/v3/files/", per_page=20, use_cache=self._random.choice(["true", "false"]))
        self._get("/api/s3/objects", prefix=root, max_keys=20)
        self._get("/api/s3/search", query="c")
        self._get("/s3/list/", max_keys=20)
        self._get("/v1/files/", limit=20)

    def facts(self) -> None:
        if (name := self._any()) is not None:
            key = self.ledger.files[name].key
            self._get("/api/s3/object/metadata", key=key)
            self._get("/api/s3/object/versions", key=key)
            self._get(f"/api/files/{quote(key)}/details/")
            self._get(f"/api/files/{quote(key)}/refresh/")
            file_id = self._id_of(key)
            self._get(f"/api/files/{file_id}")
            self._get(f"/v1/files/{file_id}/")

    def links(self) -> None:
        if (name := self._any()) is not None:
            key = self.ledger.files[name].key
            self._get(f"/api/files/{quote(key)}/download_presigned_url/")
            good(self.caller.post("/api/s3/download", json={"key": key}))
            request = {"file_id": self._id_of(key)}
            good(self.caller.post("/api/files/presigned-url", json=request))

    def patch(self) -> None:
        if (name := self._any()) is not None:
            file_id = self._id_of(self.ledger.files[name].key)
            path, headers = f"/v1/files/{file_id}/", self.caller.headers
            good(self.caller.client.patch(path, json={"file_name": name}, headers=headers))

    def folder(self) -> None:
        folder = f"users/{self.caller.uuid}/folder-{self._number}-{self._random.random()}/"
        good(self.caller.post("/api/s3/folder", json={"prefix": folder}))
        good(self.caller.delete("/api/s3/object", json={"key": folder}))

    def follow_an_upload(self) -> None:
        name, body = self._new()
        file_id, _ = self._begin_uploads(name, body)
        self._get(f"/v1/files/uploads/{file_id}/")
        assert self.caller.delete(f"/v1/files/uploads/{file_id}/").status_code == 204
        upload = self._begin_multipart(name, body)
        reference = {"key": upload["key"], "upload_id": upload["upload_id"]}
        self._get("/api/s3/multipart/parts", **reference)
        good(self.caller.delete("/api/s3/multipart", json=reference))

    def machine_routes(self) -> None:
        for path in ("/healthz", "/readyz", "/api/openapi.json", "/s3/", "/api/auth/me"):
            self._get(path)
        self._get("/api/s3/user-prefix")
        status = self.caller.get("/api/credentials/access-keys").status_code
        assert status == 501, status  # neither local storage nor RGW has IAM

    def log_in(self) -> None:
        request = {"username": self.caller.username, "password": PASSWORD}
        tokens = good(self.caller.post("/api/auth/login", json=request))
        renewal = {"refresh_token": tokens["refresh_token"]}
        good(self.caller.post("/api/auth/refresh", json=renewal))
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        good(self.caller.client.post("/api/auth/logout", headers=headers))

    def _get(self, path: str, **query: Any) -> None:
        answer = self.caller.get(path, query_string=query)
        assert answer.status_code == 200, (answer.status_code, path)
