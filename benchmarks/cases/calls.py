"""The calls whose cost is the API's own: each as the requests of one round, with all they need."""

import itertools
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import requests

from benchmarks.bodies import KIB, MIB
from benchmarks.servers.service import USERNAME, Service

PAGE = 50
SIZE = 10 * KIB
PART_SIZE = 5 * MIB
SENDERS = 8


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API.

    Attributes:
        count: requests of a round; enough of them that steps of 10 ms tell their processor time.
        prepare: makes so many requests, each of which a service answers once with 200.
    """

    name: str
    count: int
    prepare: Callable[[Service, int], list[bytes]]


def all_calls() -> Iterator[Call]:
    """Yield the lists first: what the others leave behind would lengthen them."""
    for name, path in LISTS.items():
        # Read from storage, each of these takes S3 many requests, or one of very many keys.
        count = 20 if "from storage" in name else 100
        yield Call(f"list, {name}", count, partial(_list, path))
    yield Call("presign, a download", 100, _presign_downloads)
    yield Call("presign, an upload", 100, _presign_uploads)
    yield Call("confirm", 100, _confirm)
    yield Call("complete, 2 parts", 24, _complete)


LISTS = {
    "files": f"/api/files?limit={PAGE}",
    "drive v2": f"/api/v2/files?per_page={PAGE}",
    "drive v2, refreshed from storage": f"/api/v2/files?per_page={PAGE}&use_cache=false",
    "drive v3, cached": f"/api/v3/files?per_page={PAGE}",
    "drive v3, read from storage": f"/api/v3/files?per_page={PAGE}&use_cache=false",
    "browser": f"/api/s3/objects?prefix={USERNAME}/&max_keys={PAGE}",
    "simple": f"/s3/list/?max_keys={PAGE}",
    "uploads": f"/v1/files/?limit={PAGE}",
}


def _list(path: str, service: Service, count: int) -> list[bytes]:
    return [service.json_request("GET", path)] * count


def _presign_downloads(service: Service, count: int) -> list[bytes]:
    files = service.call("GET", LISTS["files"])["files"]
    return [
        service.json_request("POST", "/api/files/presigned-url", {"file_id": file["id"]})
        for file in itertools.islice(itertools.cycle(files), count)
    ]


def _presign_uploads(service: Service, count: int) -> list[bytes]:
    return [
        service.json_request("POST", "/api/files/upload", declared) for declared in _declared(count)
    ]


def _confirm(service: Service, count: int) -> list[bytes]:
    """Begin the drive's uploads, 100 a request, and send their bytes."""
    tickets = service.call("POST", "/api/files/upload", {"files": _declared(count)})["successful"]
    _send([(ticket["presigned_url"], SIZE) for ticket in tickets])
    return [
        service.json_request("POST", "/api/files/confirm_upload", {"s3_key": ticket["s3_key"]})
        for ticket in tickets
    ]


def _declared(count: int) -> list[dict[str, object]]:
    return [
        {
            "file_name": f"{secrets.token_hex(8)}.bin",
            "content_type": "application/octet-stream",
            "file_size": SIZE,
        }
        for _ in range(count)
    ]


def _complete(service: Service, count: int) -> list[bytes]:
    """Begin uploads of two parts each, and send the parts."""
    return [_complete_one(service) for _ in range(count)]


def _complete_one(service: Service) -> bytes:
    declared = {
        "file_name": f"{secrets.token_hex(8)}.bin",
        "file_size": PART_SIZE + SIZE,
        "file_content_type": "application/octet-stream",
        "num_parts": 2,
        "part_size": PART_SIZE,
    }
    begun = service.call("POST", "/v1/files/uploads/", declared)
    urls = [part["url"] for part in begun["presigned_urls"]]
    etags = _send([*zip(urls, (PART_SIZE, SIZE), strict=True)])
    parts = [{"part_number": number, "etag": etag} for number, etag in enumerate(etags, start=1)]
    path = f"/v1/files/uploads/{begun['file_obj']['id']}/complete/"
    return service.json_request("POST", path, {"parts": parts})


def _send(targets: list[tuple[str, int]]) -> list[str]:
    """PUT so many bytes to each signed URL, wherever it leads; return the ETags."""
    with ThreadPoolExecutor(SENDERS) as pool:
        return [*pool.map(_put, targets)]


def _put(target: tuple[str, int]) -> str:
    url, size = target
    answer = requests.put(url, data=bytes(size), timeout=60)
    answer.raise_for_status()
    return answer.headers["ETag"].strip('"')
