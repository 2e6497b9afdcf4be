"""A user cannot reach a byte, a name or a count of another's, by any route."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from flask import Flask

from softfactory.http.extensions import db
from softfactory.http.runtime import runtime
from softfactory.models import FileUpload, MultipartUpload
from tests import samples
from tests.conftest import Caller, needs_postgresql
from tests.contracts.doors import announced, by_browser, by_files, by_simple, form, good
from tests.contracts.test_endpoint_table import routes
from tests.servers.s3_buckets import (
    ACCESS_KEY_ID,
    ENDPOINT_URL,
    SECRET_ACCESS_KEY,
    bucket_on,
    needs_server,
)
from tests.stacks import both_databases, both_storages, one_stack

SECRET = "geheimnis"
"""Stands in every name of the victim's, and in no answer to anyone else."""

BODY = samples.pdf(size=2000)


# --- what somebody has ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Belongings:
    """What one user has, of every kind that some route can name."""

    caller: Caller
    keys: list[str]
    """A file in each root, and one that is not confirmed yet."""
    ids: list[int]
    object_ids: list[str]
    upload: int
    """An open upload of the uploads contract."""
    multipart: dict[str, str]
    """Key and upload_id of an open multipart upload of the browser contract."""
    part_token: str
    object_token: str
    """Tokens in signed URLs of their own; only local storage has them."""
    access_key: str | None
    """Only S3 has them."""

    @property
    def roots(self) -> tuple[str, str, str]:
        """The three prefixes."""
        return (
            f"users/{self.caller.uuid}/",
            f"uploads/{self.caller.user_id}/",
            f"{self.caller.username}/",
        )


def furnish(caller: Caller, name: str) -> Belongings:
    """Give a user something of every kind."""
    keys = [bring(caller, f"{name}.pdf", BODY) for bring in (by_browser, by_files, by_simple)]
    pending = {"file_name": f"{name}-pending", "content_type": "text/plain", "file_size": 1}
    granted = good(caller.post("/api/files/upload", json=pending))["successful"][0]
    large = {"key": f"users/{caller.uuid}/{name}-large"}
    begun = good(caller.post("/v1/files/uploads/", json=announced(f"{name}-parts", BODY)))
    files = {f["file_key"]: f for f in good(caller.get("/api/files"))["files"]}
    signed = good(caller.post("/api/files/presigned-url", json={"file_id": files[keys[0]]["id"]}))
    made = caller.post("/api/credentials/access-key")
    return Belongings(
        caller=caller,
        keys=[*keys, granted["s3_key"]],
        ids=[files[key]["id"] for key in keys],
        object_ids=[good(caller.get(f"/api/files/{f['id']}"))["object_id"] for f in files.values()],
        upload=int(begun["file_obj"]["id"]),
        multipart={**large, **good(caller.post("/api/s3/multipart/initiate", json=large))},
        part_token=token(begun["presigned_urls"][0]["url"]),
        object_token=token(signed["presigned_url"]),
        access_key=made.get_json().get("access_key_id"),
    )


def token(url: str) -> str:
    """Return the token of a signed URL; something where there is none (S3)."""
    return parse_qs(urlsplit(url).query).get("token", ["none"])[0]


@pytest.fixture
def mallory(sign_in: Callable[..., Caller]) -> Belongings:
    """Whoever tries."""
    return furnish(sign_in("mallory"), "mine")


@pytest.fixture
def victim(bob: Caller) -> Belongings:
    """Whoever has what she is after."""
    return furnish(bob, SECRET)


# --- how each route names what it works on --------------------------------------------------------


Request = dict[str, Any]
"""``path``, and what else the test client takes."""


@dataclass(frozen=True)
class Naming:
    """How a route names something.

    Attributes:
        kind: what it names (``identifiers``).
        request: makes the request for one identifier; in the path it comes encoded.
        refused: the status for someone else's; 200 where a list of refusals, or an empty list, is
            the answer.
        refused_on_s3: where that is another.
    """

    kind: str
    refused: int
    request: Callable[[Any, Belongings], Request]
    refused_on_s3: int | None = None


def in_path(path: str, kind: str, refused: int, **options: Any) -> Naming:
    """Return how a route names something in its path."""
    return Naming(kind, refused, lambda name, _: {"path": path.format(name), **options})


def in_json(path: str, field: str, kind: str, refused: int, **others: Any) -> Naming:
    """Return how a route names something in a JSON body."""
    return Naming(kind, refused, lambda name, _: {"path": path, "json": {field: name, **others}})


def in_query(path: str, field: str, kind: str, refused: int, **others: Any) -> Naming:
    """Return how a route names something in its query."""
    return Naming(
        kind, refused, lambda name, _: {"path": path, "query_string": {field: name, **others}}
    )


def multipart_json(path: str, **others: Any) -> Naming:
    """Return how a route names a browser's multipart upload in a JSON body."""
    return Naming("multipart", 403, lambda name, _: {"path": path, "json": {**name, **others}})


PARTS = {"parts": [{"part_number": 1, "etag": "x"}]}

NAMINGS: dict[str, Naming] = {
    # The files contract says 403.
    "GET /api/files/{}": in_path("/api/files/{}", "id", 403),
    "DELETE /api/files/{}": in_path("/api/files/{}", "id", 403),
    "POST /api/files/presigned-url": in_json("/api/files/presigned-url", "file_id", "id", 403),
    # Drive hides it behind 404.
    "POST /api/files/confirm_uploads": Naming(
        "key",
        200,
        lambda key, _: {"path": "/api/files/confirm_uploads", "json": {"s3_keys": [key]}},
    ),
    "POST /api/files/confirm_upload": in_json("/api/files/confirm_upload", "s3_key", "key", 404),
    "GET /api/files/{}/download_file": in_path("/api/files/{}/download_file", "file", 404),
    "GET /api/files/{}/download_presigned_url": in_path(
        "/api/files/{}/download_presigned_url", "file", 404
    ),
    "DELETE /api/files": in_json("/api/files", "s3_key", "key", 404),
    "POST /api/files/rename": in_json(
        "/api/files/rename", "s3_key", "key", 404, new_filename="taken.pdf"
    ),
    "GET /api/files/{}/refresh": in_path("/api/files/{}/refresh", "file", 404),
    "POST /api/files/{}/change_tier": in_path(
        "/api/files/{}/change_tier", "file", 404, json={"target_tier": "glacier"}
    ),
    "GET /api/files/{}/details": in_path("/api/files/{}/details", "file", 404),
    # Browser says 403.
    "GET /api/s3/objects": in_query("/api/s3/objects", "prefix", "prefix", 403),
    "POST /api/s3/upload": Naming(
        "key",
        403,
        lambda key, _: {"path": "/api/s3/upload", "form": {"key": key}},
    ),
    "DELETE /api/s3/object": in_json("/api/s3/object", "key", "key", 403, recursive=True),
    "DELETE /api/s3/objects": Naming(
        "key", 200, lambda key, _: {"path": "/api/s3/objects", "json": {"keys": [key]}}
    ),
    "POST /api/s3/download": in_json("/api/s3/download", "key", "key", 403),
    "GET /api/s3/object/metadata": in_query("/api/s3/object/metadata", "key", "key", 403),
    "GET /api/s3/object/versions": in_query("/api/s3/object/versions", "key", "key", 403),
    "POST /api/s3/folder": in_json("/api/s3/folder", "prefix", "prefix", 403),
    "GET /api/s3/search": in_query("/api/s3/search", "prefix", "prefix", 403, query="e"),
    "POST /api/s3/multipart/initiate": in_json("/api/s3/multipart/initiate", "key", "key", 403),
    "POST /api/s3/multipart/part-url": multipart_json("/api/s3/multipart/part-url", part_number=1),
    "GET /api/s3/multipart/parts": Naming(
        "multipart", 403, lambda name, _: {"path": "/api/s3/multipart/parts", "query_string": name}
    ),
    "POST /api/s3/multipart/complete": multipart_json("/api/s3/multipart/complete", **PARTS),
    "DELETE /api/s3/multipart": multipart_json("/api/s3/multipart"),
    # Simple hides it behind 404.
    "GET /s3/download/{}": in_path("/s3/download/{}/", "key", 404),
    "DELETE /s3/delete/{}": in_path("/s3/delete/{}/", "key", 404),
    "GET /s3/list": in_query("/s3/list/", "prefix", "prefix", 200),
    # Uploads says 403.
    "GET /v1/files/uploads/{}": in_path("/v1/files/uploads/{}/", "upload", 403),
    "POST /v1/files/uploads/{}/complete": in_path(
        "/v1/files/uploads/{}/complete/", "upload", 403, json=PARTS
    ),
    "DELETE /v1/files/uploads/{}": in_path("/v1/files/uploads/{}/", "upload", 403),
    "PUT /v1/files/presigned-uploads/{}/upload-part/{}": Naming(
        "upload",
        403,
        lambda name, own: {
            "path": f"/v1/files/presigned-uploads/{name}/upload-part/1/?token={own.part_token}",
            "data": BODY,
        },
        refused_on_s3=404,  # whoever asks: parts go straight to storage
    ),
    "GET /v1/files/{}": in_path("/v1/files/{}/", "id", 403),
    "PATCH /v1/files/{}": in_path("/v1/files/{}/", "id", 403, json={"file_name": "taken.pdf"}),
    "DELETE /v1/files/{}": in_path("/v1/files/{}/", "id", 403),
    # A signed URL is good for its own object.
    "GET /media/{}": Naming(
        "key", 403, lambda key, own: {"path": f"/media/{key}?token={own.object_token}"}
    ),
    "PUT /media/{}": Naming(
        "key",
        403,
        lambda key, own: {"path": f"/media/{key}?token={own.object_token}", "data": BODY},
    ),
    # Access keys are S3's; local storage has none and says 501.
    "DELETE /api/credentials/access-key/{}": in_path(
        "/api/credentials/access-key/{}", "access key", 404
    ),
    "PUT /api/credentials/access-key/{}/status": in_path(
        "/api/credentials/access-key/{}/status", "access key", 404, json={"status": "Inactive"}
    ),
    "POST /api/credentials/access-key/rotate": in_json(
        "/api/credentials/access-key/rotate", "old_access_key_id", "access key", 404
    ),
}

NAMES_NOTHING = {
    # The caller's own login or address; what a code or a token opens is its bearer's.
    "POST /api/auth/register",
    "POST /api/auth/confirm",
    "POST /api/auth/resend-code",
    "POST /api/auth/login",
    "POST /api/auth/refresh",
    "POST /api/auth/logout",
    "GET /api/auth/me",
    "POST /api/auth/forgot-password",
    "POST /api/auth/reset-password",
    "POST /api/auth/change-password",
    # Lists of the caller's own, and what is new.
    "GET /api/files",
    "POST /api/files/upload",
    "GET /api/v2/files",
    "GET /api/v3/files",
    "GET /api/s3/user-prefix",
    "GET /s3",
    "POST /s3/upload",
    "GET /v1/files",
    "POST /v1/files/uploads",
    "POST /api/credentials/temporary",
    "POST /api/credentials/access-key",
    "GET /api/credentials/access-keys",
    # Nobody's.
    "GET ",
    "GET /healthz",
    "GET /readyz",
    "GET /api/docs",
    "GET /api/redoc",
    "GET /api/docs/assets/{}",
    "GET /api/openapi.json",
}


def identifiers(kind: str, of: Belongings) -> list[Any]:
    """Return everything by which a user's things of a kind can be named."""
    name = of.keys[2].removeprefix(f"{of.caller.username}/")
    named: dict[str, list[Any]] = {
        "id": of.ids,
        "upload": [of.upload],
        "key": of.keys,
        "prefix": [*of.roots, f"{of.roots[1]}2"],
        "file": [*of.keys, *of.ids, *of.object_ids, f"{of.caller.username}-{name}", name],
        "multipart": [of.multipart],
        "access key": [of.access_key] if of.access_key else [],
    }
    return named[kind]


HOSTILE = [
    "..", "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e%2fetc", "....//", "a//b",
    "/etc/passwd", "\\..\\..\\x", "k" * 2000, "é" * 600, "9" * 19, "9" * 40, "-1", "0", "1e3", "1.0",
    "a\0b", "\n", "\x7f", "' OR 1=1 --", "${7*7}", "*", "%", "?", "#", ".", " ",
]  # fmt: skip
"""What is nobody's identifier, and would be a way out where somebody believed it."""


def send(own: Belongings, route: str, identifier: Any, *, encode: Callable[[str], str]) -> Any:
    """Send the request of ``route`` for something, as the owner of ``own``."""
    method, _, path = route.partition(" ")
    name = encode(str(identifier)) if "{}" in path else identifier
    request = NAMINGS[route].request(name, own)
    path = request.pop("path")
    if fields := request.pop("form", None):
        return form(own.caller, path, "a.pdf", BODY, **fields)
    headers = {} if "?token=" in path else own.caller.headers
    with own.caller.client.open(path, method=method, headers=headers, **request) as answer:
        answer.get_data()
        return answer


def raw(name: str) -> str:
    """Encode what a URL cannot hold, and leave the slashes."""
    return quote(name, safe="/")


def encoded(name: str) -> str:
    """Encode the slashes too."""
    return quote(name, safe="")


def verbatim(name: str) -> str:
    """Encode what a URL cannot hold, and leave what the name has of encoding."""
    return quote(name, safe="/%")


def world(app: Flask) -> str:
    """Return everything that is kept of anybody's files."""
    with app.app_context():
        storage = runtime().storage
        tables = [model.__table__ for model in (FileUpload, MultipartUpload)]
        rows = [[tuple(row) for row in db.session.execute(t.select())] for t in tables]
        found = storage.list_objects().objects
        objects = [(o.key, o.etag, o.size, o.storage_class) for o in found]
        uploads = [(u.key, u.upload_id) for u in storage.list_multiparts()]
        db.session.rollback()
        return json.dumps([rows, objects, sorted(uploads)], default=str, indent=1)


# --- the promises ---------------------------------------------------------------------------------


@one_stack
def test_every_route_says_how_it_names_things(app: Flask) -> None:
    known = {tuple(route.split(" ")) for route in [*NAMINGS, *NAMES_NOTHING]}

    assert routes(app) == known


@both_storages
def test_someone_elses_is_refused_and_stays_as_it_was(
    app: Flask, mallory: Belongings, victim: Belongings, subtests: pytest.Subtests
) -> None:
    refuses_someone_elses(app, mallory, victim, subtests)


@needs_server
@pytest.mark.parametrize(
    "database_url",
    [pytest.param("postgresql", marks=needs_postgresql, id="postgresql-s3-rgw")],
    indirect=True,
)
class TestOnRealServers:
    @pytest.fixture
    def storage_settings(self) -> Iterator[dict[str, Any]]:
        """The settings of an empty bucket on the real server, which issues no access keys."""
        with bucket_on("rgw") as bucket:
            yield {
                "upload_storage_handler": "s3",
                "aws_s3_bucket": bucket.name,
                "aws_access_key_id": ACCESS_KEY_ID,
                "aws_secret_access_key": SECRET_ACCESS_KEY,
                "aws_s3_endpoint_url": ENDPOINT_URL,
            }

    def test_someone_elses_is_refused_and_stays_as_it_was(
        self, app: Flask, mallory: Belongings, victim: Belongings, subtests: pytest.Subtests
    ) -> None:
        refuses_someone_elses(app, mallory, victim, subtests)


def refuses_someone_elses(
    app: Flask, mallory: Belongings, victim: Belongings, subtests: pytest.Subtests
) -> None:
    """Assert that no route gives Mallory anything of the victim's, or changes anything."""
    with app.app_context():
        is_on_s3 = runtime().config.upload_storage_handler == "s3"
    for route, naming in NAMINGS.items():
        with subtests.test(route):
            before = world(app)

            answers = {
                (str(name), encode.__name__): send(mallory, route, name, encode=encode)
                for name in identifiers(naming.kind, victim)
                for encode in (raw, encoded)
            }

            statuses = {name: answer.status_code for name, answer in answers.items()}
            refused = (is_on_s3 and naming.refused_on_s3) or naming.refused
            assert set(statuses.values()) <= {refused}, statuses
            for (name, _), answer in answers.items():
                said = answer.get_data(as_text=True).replace(json.dumps(name)[1:-1], "")
                assert SECRET not in said
                assert victim.caller.uuid not in said
            assert world(app) == before


@both_databases
def test_what_traverses_or_overflows_is_refused_and_changes_nothing(
    app: Flask, mallory: Belongings, victim: Belongings, subtests: pytest.Subtests
) -> None:
    hostile = [
        *HOSTILE,
        *(f"{root}../{key}" for root in mallory.roots for key in victim.keys[:2]),
        f"{mallory.roots[0]}./x",
        f"{mallory.roots[2]}a//b",
    ]
    for route, naming in NAMINGS.items():
        with subtests.test(route):
            names: list[Any] = [*hostile]
            if naming.kind == "multipart":
                names = [
                    *({**mallory.multipart, "upload_id": name} for name in hostile),
                    *({**mallory.multipart, "key": name} for name in hostile),
                    {**mallory.multipart, "upload_id": victim.multipart["upload_id"]},
                ]
            before = world(app)

            answers = {
                (str(name), encode.__name__): send(mallory, route, name, encode=encode)
                for name in names
                for encode in ((encoded, verbatim) if "{}" in route else (encoded,))
            }
            # Nothing has such a key, so that it has no versions.
            statuses = {
                name: answer.status_code
                for name, answer in answers.items()
                if (answer.status_code, answer.get_json(silent=True)) != (200, [])
            }

            allowed = {200} if naming.refused == 200 or naming.kind == "prefix" else set()
            allowed |= {501} if naming.kind == "access key" else set()
            assert {n: s for n, s in statuses.items() if s not in allowed and s // 100 != 4} == {}
            assert world(app) == before


@both_storages
def test_no_list_and_no_count_tells_of_anyone_elses(
    app: Flask, alice: Caller, victim: Belongings
) -> None:
    lists = [path for method, path in routes(app) if method == "GET" and "{}" not in path]
    needed = {"query": "e", "key": f"users/{alice.uuid}/x", "upload_id": "x"}

    told = {}
    for path in lists:
        with alice.client.get(path, query_string=needed, headers=alice.headers) as answer:
            told[path] = answer.get_data(as_text=True)

    betrayed = [path for path, text in told.items() if SECRET in text or victim.caller.uuid in text]
    assert betrayed == []
    assert json.loads(told["/api/files"])["total"] == 0
    assert json.loads(told["/api/v2/files"])["total"] == 0
    assert json.loads(told["/api/v3/files"])["total"] == 0
    assert json.loads(told["/v1/files"])["count"] == 0
    assert json.loads(told["/s3/list"])["count"] == 0
    assert json.loads(told["/api/s3/objects"])["objects"] == []
    assert json.loads(told["/api/s3/search"]) == []


@both_storages
def test_no_filename_leads_out_of_the_callers_own_roots(
    app: Flask, mallory: Belongings, victim: Belongings
) -> None:
    names = [*HOSTILE, *(f"../{key}" for key in victim.keys), *victim.keys]
    caller, before = mallory.caller, owned(app, victim)

    statuses = {}
    for name in names:
        declared = {"file_name": name, "content_type": "application/pdf", "file_size": len(BODY)}
        rename = {"s3_key": mallory.keys[2], "new_filename": name}
        statuses[name] = [
            caller.post("/api/files/upload", json=declared).status_code,
            caller.post("/v1/files/uploads", json=announced(name, BODY)).status_code,
            caller.post("/api/files/rename", json=rename).status_code,
            form(caller, "/s3/upload", name, BODY).status_code,
            form(caller, "/api/files/upload", name, BODY).status_code,
        ]

    assert {name: found for name, found in statuses.items() if max(found) >= 500} == {}
    assert owned(app, victim) == before
    with app.app_context():
        keys = [found.key for found in runtime().storage.list_objects().objects]
        keys += [key for (key,) in db.session.execute(db.select(FileUpload.file_key))]
    assert [key for key in keys if not key.startswith((*mallory.roots, *victim.roots))] == []


def owned(app: Flask, whose: Belongings) -> list[str]:
    """Return what storage and database hold below a user's roots."""
    with app.app_context():
        keys = [f"object {o.key} {o.etag}" for o in runtime().storage.list_objects().objects]
        rows = db.session.execute(db.select(FileUpload.file_key, FileUpload.status))
        keys += [f"row {key} {status}" for key, status in rows]
    return sorted(line for line in keys if line.split(" ")[1].startswith(whose.roots))
