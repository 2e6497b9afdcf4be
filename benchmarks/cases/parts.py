"""An upload by the uploads contract, step by step."""

import json
from math import ceil
from pathlib import Path

from benchmarks.client.wire import Connection, expect, head
from benchmarks.servers.service import Service, target


class Upload:
    """One upload in parts, on one connection."""

    def __init__(self, service: Service, size: int, part_size: int) -> None:
        """Speak of an upload of ``size`` bytes; nothing is sent before ``begin``."""
        self._service, self._size, self._part_size = service, size, part_size
        self._connection = Connection(service.port)
        self.file_id = ""
        self._targets: list[str] = []
        self._parts: list[dict[str, object]] = []

    def whole(self, body: Path) -> None:
        """Do all of it."""
        self.begin()
        self.send(body)
        self.complete()

    def begin(self) -> None:
        """Begin, and learn where the parts go."""
        declared = {
            "file_name": "large.bin",
            "file_size": self._size,
            "file_content_type": "application/octet-stream",
            "num_parts": ceil(self._size / self._part_size),
            "part_size": self._part_size,
        }
        request = self._service.json_request("POST", "/v1/files/uploads/", declared)
        answer = json.loads(expect(self._connection.ask(request), 201).body)
        self.file_id = answer["file_obj"]["id"]
        self._targets = [target(part["url"]) for part in answer["presigned_urls"]]

    def send(self, body: Path) -> None:
        """Send every part."""
        for number, path in enumerate(self._targets, start=1):
            offset = (number - 1) * self._part_size
            count = min(self._part_size, self._size - offset)
            answer = self._connection.send_file(head("PUT", path, count), body, offset, count)
            self._parts.append(json.loads(expect(answer, 200).body))

    def complete(self) -> None:
        """Make the file of the parts."""
        path = f"/v1/files/uploads/{self.file_id}/complete/"
        request = self._service.json_request("POST", path, {"parts": self._parts})
        expect(self._connection.ask(request), 200)

    def resume(self) -> None:
        """Ask how it stands."""
        path = f"/v1/files/uploads/{self.file_id}/"
        expect(self._connection.ask(self._service.json_request("GET", path)), 200)

    def abort(self) -> None:
        """End it."""
        path = f"/v1/files/uploads/{self.file_id}/"
        expect(self._connection.ask(self._service.json_request("DELETE", path)), 204)
