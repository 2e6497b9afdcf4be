"""2,000 files of 10 KiB up by form and down again, over 8 keep-alive connections."""

import json
from functools import partial

from benchmarks.bench import Bench
from benchmarks.bodies import FORM_TYPE, form
from benchmarks.client.pump import CONNECTIONS, pump
from benchmarks.client.wire import head
from benchmarks.report import Goal, Row, Section
from benchmarks.rounds import interleaved
from benchmarks.servers.copyparty import Copyparty
from benchmarks.servers.service import Service, target


def measure(bench: Bench) -> Section:
    """Measure both directions."""
    section = Section("Small files", ("service", "copyparty"))
    files = [*bench.bodies.small()]
    what = f"{len(files):,} files of 10 KiB"
    with bench.service() as service, bench.copyparty() as copyparty:
        ups = {"service": partial(_rate, service.port, _service_forms(service, files), 201)}
        downs = {"service": partial(_rate, service.port, _signed(service, ups["service"]), 200)}
        if copyparty is not None:
            ups["copyparty"] = partial(_copyparty_up, copyparty, _copyparty_forms(files))
            downs["copyparty"] = partial(_rate, copyparty.port, _plain(copyparty, files), 200)
        goal = Goal("service", 0.4, "copyparty", is_floor=True)
        rates = interleaved(bench.rounds, downs)
        section.rows.append(Row(f"{what} down, {CONNECTIONS} connections", "/s", rates, [goal]))
        rates = interleaved(bench.rounds, ups)
        section.rows.insert(0, Row(f"{what} up, {CONNECTIONS} connections", "/s", rates, [goal]))
    return section


def _rate(port: int, requests: list[bytes], status: int) -> float:
    """Return requests a second."""
    seconds, _ = pump(port, requests, {status})
    return len(requests) / seconds


def _service_forms(service: Service, files: list[tuple[str, bytes]]) -> list[bytes]:
    requests = []
    for name, content in files:
        body = form("file", name, content)
        start = service.head("POST", "/api/files/upload", len(body), Content_Type=FORM_TYPE)
        requests.append(start + body)
    return requests


def _signed(service: Service, up: "partial[float]") -> list[bytes]:
    """Upload everything once, and return the requests for what was stored."""
    _, bodies = pump(service.port, up.args[1], {201})
    questions = [
        service.json_request(
            "POST", "/api/files/presigned-url", {"file_id": json.loads(body)["file_id"]}
        )
        for body in bodies
    ]
    _, bodies = pump(service.port, questions, {200})
    return [head("GET", target(json.loads(body)["presigned_url"])) for body in bodies]


def _copyparty_forms(files: list[tuple[str, bytes]]) -> list[bytes]:
    requests = []
    for name, content in files:
        body = form("f", name, content, act="bput")
        requests.append(head("POST", "/up/?j", len(body), Content_Type=FORM_TYPE) + body)
    return requests


def _copyparty_up(server: Copyparty, requests: list[bytes]) -> float:
    """Send everything into an empty folder: copyparty renames what is there already."""
    folder = server.files / "up"
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if path.is_file():
            path.unlink()
    return _rate(server.port, requests, 201)


def _plain(server: Copyparty, files: list[tuple[str, bytes]]) -> list[bytes]:
    folder = server.files / "down"
    folder.mkdir()
    for name, content in files:
        (folder / name).write_bytes(content)
    return [head("GET", f"/down/{name}") for name, _ in files]
