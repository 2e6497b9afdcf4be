"""Every failure of every route has the one body, and tells nothing that is not the client's."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt as pyjwt
import pytest
import werkzeug.exceptions
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from softfactory import errors
from softfactory.http.account_services import accounts
from softfactory.http.errors import STATUSES, status_of
from softfactory.http.extensions import db
from softfactory.http.identity import public
from softfactory.http.request_log import configure_logging
from softfactory.http.runtime import runtime
from softfactory.http.tokens import issue_tokens
from softfactory.models import LoginSession, User
from tests.conftest import PASSWORD, Caller
from tests.http.failures import refusal
from tests.stacks import both_databases, one_stack

SECRET_TEXT = "/srv/media/secret-path: password=hunter2"


def subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    yield kind
    for child in kind.__subclasses__():
        yield from subclasses(child)


class Raiser:
    """An application whose ``/raise`` and ``/s3/raise`` raise what they are told."""

    def __init__(self, app: Flask) -> None:
        self.error: BaseException = RuntimeError()
        # As in production: what nobody handles is not handed to the test.
        app.config.update(TESTING=False, PROPAGATE_EXCEPTIONS=None)

        @public
        def view() -> str:
            raise self.error

        for path in ("/raise", "/s3/raise"):
            app.add_url_rule(path, path, view)
        self.client = app.test_client()

    def answer(self, error: BaseException, path: str = "/raise") -> Any:
        self.error = error
        return self.client.get(path)


@pytest.fixture
def raiser(app: Flask) -> Raiser:
    return Raiser(app)


# --- what is raised -------------------------------------------------------------------------------


@one_stack
def test_every_domain_error_becomes_the_one_body(raiser: Raiser) -> None:
    answers = {kind: raiser.answer(kind()) for kind in subclasses(errors.SoftFactoryError)}

    assert len(answers) > 20
    assert {kind: refusal(answer) for kind, answer in answers.items()} == {
        kind: (status_of(kind()), kind.code) for kind in answers
    }
    assert {kind: answer.get_json()["error"] for kind, answer in answers.items()} == {
        kind: kind().message for kind in answers
    }


@one_stack
def test_every_domain_error_says_success_false_below_s3(raiser: Raiser) -> None:
    answers = [raiser.answer(k(), "/s3/raise") for k in subclasses(errors.SoftFactoryError)]

    assert all(refusal(answer) for answer in answers)
    assert {answer.get_json()["success"] for answer in answers} == {False}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.SoftFactoryError, 500), (errors.InvalidInput, 400), (errors.InvalidKey, 400),
        (errors.InvalidCode, 400), (errors.UnsupportedMediaType, 415), (errors.FileTooLarge, 413),
        (errors.NotAuthenticated, 401), (errors.InvalidToken, 401), (errors.TokenExpired, 401),
        (errors.InvalidCredentials, 401), (errors.WrongPassword, 400),
        (errors.EmailNotVerified, 401), (errors.PermissionDenied, 403),
        (errors.InvalidSignature, 403), (errors.SignatureExpired, 403),
        (errors.RateLimitExceeded, 429), (errors.NotFound, 404), (errors.Conflict, 409),
        (errors.RestoreInProgress, 202), (errors.NotConfigured, 501), (errors.ObjectNotFound, 404),
        (errors.ObjectArchived, 409), (errors.UploadNotFound, 404), (errors.InvalidPart, 400),
        (errors.StorageError, 500), (errors.StorageFull, 507), (errors.RequestTooSlow, 408),
        (errors.Unavailable, 503), (errors.Busy, 503), (errors.DatabaseUnavailable, 503),
    ],
)  # fmt: skip
def test_every_domain_error_has_its_status(
    kind: type[errors.SoftFactoryError], status: int
) -> None:
    assert status_of(kind()) == status


def test_every_status_is_for_an_error_that_exists() -> None:
    assert set(STATUSES) <= set(subclasses(errors.SoftFactoryError))


@one_stack
def test_invalid_input_stands_by_field(raiser: Raiser) -> None:
    answer = raiser.answer(errors.InvalidInput("Bad.", errors={"a": ["Too long."], "b": ("No.",)}))

    assert answer.get_json() == {
        "error": "Bad.", "detail": "Bad.", "code": "VALIDATION_ERROR",
        "errors": {"a": ["Too long."], "b": ["No."]},
    }  # fmt: skip


@one_stack
def test_every_http_exception_of_werkzeug_becomes_the_one_body(raiser: Raiser) -> None:
    kinds = [
        kind
        for kind in subclasses(HTTPException)
        # The messages of these two lack their full stop, and nothing here raises them.
        if kind.code not in (None, 417, 418) and kind.__module__ == "werkzeug.exceptions"
    ]

    answers = {kind: raiser.answer(kind()) for kind in kinds}

    assert len(answers) > 20
    assert {kind: refusal(answer)[0] for kind, answer in answers.items()} == {
        kind: kind.code for kind in answers
    }


@one_stack
def test_what_a_refusal_says_in_headers_is_kept(raiser: Raiser) -> None:
    unsatisfiable = raiser.answer(werkzeug.exceptions.RequestedRangeNotSatisfiable(length=7))
    unknown = raiser.answer(errors.InvalidToken())

    assert unsatisfiable.headers["Content-Range"] == "bytes */7"
    assert unknown.headers["WWW-Authenticate"] == "Bearer"


@one_stack
@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(SECRET_TEXT),
        KeyError(SECRET_TEXT),
        OSError(28, "No space left on device", SECRET_TEXT),
        MemoryError(SECRET_TEXT),
        RecursionError(SECRET_TEXT),
        ProgrammingError(f"SELECT {SECRET_TEXT}", {"id": 1}, Exception(SECRET_TEXT)),
        werkzeug.exceptions.InternalServerError(original_exception=RuntimeError(SECRET_TEXT)),
        errors.StorageError(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("path", ["/raise", "/s3/raise"])
def test_our_own_trouble_is_500_and_tells_nothing(
    raiser: Raiser, error: Exception, path: str
) -> None:
    error.__cause__ = ValueError(SECRET_TEXT)

    answer = raiser.answer(error, path)

    assert refusal(answer)[0] == 500
    assert not [word for word in ("secret", "hunter2", "SELECT", "/srv") if word in answer.text]


@one_stack
@pytest.mark.parametrize(
    "error",
    [
        OperationalError(f"SELECT {SECRET_TEXT}", {"id": 1}, Exception(SECRET_TEXT)),
        InterfaceError(f"SELECT {SECRET_TEXT}", {"id": 1}, Exception(SECRET_TEXT)),
        PoolTimeout(SECRET_TEXT),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_database_that_does_not_answer_is_503_and_tells_nothing_but_when_to_come_again(
    raiser: Raiser, error: Exception
) -> None:
    answer = raiser.answer(error)

    assert refusal(answer) == (503, "DATABASE_UNAVAILABLE")
    assert answer.headers["Retry-After"] == "5"
    assert not [word for word in ("secret", "hunter2", "SELECT", "/srv") if word in answer.text]


@one_stack
def test_our_own_trouble_is_in_the_log_with_its_cause_and_the_request(
    raiser: Raiser, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logging(as_json=True)

    answer = raiser.answer(RuntimeError(SECRET_TEXT))

    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    crash = next(line for line in lines if line["event"] == "request.crashed")
    assert crash["level"] == "error"
    assert crash["request_id"] == answer.headers["X-Request-ID"]
    assert SECRET_TEXT in crash["exception"]


# --- routes ---------------------------------------------------------------------------------------


@one_stack
def test_an_unknown_route_is_404(client: FlaskClient) -> None:
    paths = ["/nothing", "/api", "/api/nothing", "/api/files/x/y/z", "/static/x", "/s3x"]

    answers = {path: refusal(client.get(path)) for path in paths if path != "/s3x"}

    assert set(answers.values()) == {(404, "RESOURCE_NOT_FOUND")}


@one_stack
def test_another_method_is_405_and_says_which_are_allowed(app: Flask, client: FlaskClient) -> None:
    assert refusal(client.open("/api/auth/login", method="DELETE")) == (405, "METHOD_NOT_ALLOWED")
    assert refusal(client.open("/healthz", method="BREW")) == (405, "METHOD_NOT_ALLOWED")

    allowed = client.get("/api/auth/login").headers["Allow"]
    assert set(allowed.split(", ")) == {"POST", "OPTIONS"}


@one_stack
def test_a_host_that_is_none_harms_nothing(client: FlaskClient) -> None:
    hosts = ["<script>", "a b", "", "exa\x7fmple", "[::1", "host:port", "x" * 5000]

    statuses = {host: client.get("/nothing", headers={"Host": host}) for host in hosts}

    assert {host: refusal(answer)[0] in (400, 404) for host, answer in statuses.items()} == (
        dict.fromkeys(hosts, True)
    )


# --- tokens ---------------------------------------------------------------------------------------


def encoded(part: Any) -> str:
    text = part if isinstance(part, str) else json.dumps(part)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@one_stack
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_every_token_that_is_none_is_401(app: Flask, alice: Caller) -> None:
    with app.app_context():
        key = runtime().config.jwt_secret_key
        claims = pyjwt.decode(alice.access_token, key, algorithms=["HS256"])
        user = db.session.get_one(User, alice.user_id)
        tokens = issue_tokens(db.session.get_one(LoginSession, claims["sid"]), user)

    def signed(key: Any = key, algorithm: str = "HS256", **changed: Any) -> str:
        said = {name: value for name, value in {**claims, **changed}.items() if value is not ...}
        return pyjwt.encode(said, key, algorithm=algorithm)

    header, payload, signature = alice.access_token.split(".")
    good_header = {"alg": "HS256", "typ": "JWT"}
    deep = "[" * 100_000
    elliptic = ec.generate_private_key(ec.SECP256R1())
    bad = {
        "a letter of the signature changed": f"{header}.{payload}.{'A' * len(signature)}",
        "no signature": f"{header}.{payload}.",
        "the payload of another": f"{header}.{encoded({**claims, 'sub': 'root'})}.{signature}",
        "no algorithm": f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{payload}.",
        "no algorithm, spelled otherwise": f"{encoded({'alg': 'NoNe'})}.{payload}.{signature}",
        "an empty algorithm": f"{encoded({'alg': ''})}.{payload}.{signature}",
        "an algorithm that is a list": f"{encoded({'alg': ['HS256']})}.{payload}.{signature}",
        "no header": f"{encoded({})}.{payload}.{signature}",
        "a header that is a list": f"{encoded([])}.{payload}.{signature}",
        "a header that is no JSON": f"{encoded('{')}.{payload}.{signature}",
        "a deep header": f"{encoded(deep)}.{payload}.{signature}",
        "a deep payload": f"{encoded(good_header)}.{encoded(deep)}.{signature}",
        "a payload that is a list": f"{encoded(good_header)}.{encoded([])}.{signature}",
        "a key id that is a number": f"{encoded({**good_header, 'kid': 1})}.{payload}.{signature}",
        "two parts": f"{header}.{payload}",
        "four parts": f"{alice.access_token}.x",
        "dots": "..",
        "garbage": "\x80\xff\xfe",
        "much": "a" * 100_000,
        "another secret": signed(key="another-secret-of-more-than-32-characters"),
        "HS384": signed(algorithm="HS384", key=key * 2),
        "HS384 with the right secret": signed(algorithm="HS384"),
        "HS512 with the right secret": signed(algorithm="HS512"),
        "ES256": signed(key=elliptic, algorithm="ES256"),
        "an id token": tokens.id_token,
        "a refresh token": tokens.refresh_token,
        "a type that is none": signed(type="admin"),
        "a type that is a list": signed(type=["access"]),
        "no login": signed(sid=...),
        "a login that is a number": signed(sid=1),
        "a login that is a list": signed(sid=[claims["sid"]]),
        "a login that is null": signed(sid=None),
        "a login that is none": signed(sid="0" * 32),
        "a login in no text": signed(sid="\ud800"),
        "no subject": signed(sub=...),
        "a subject that is a number": signed(sub=1),
        "a subject that is a list": signed(sub=[]),
        "a subject that is null": signed(sub=None),
        "no expiry": signed(exp=...),
        "no type": signed(type=...),
        "an expiry that is a text": signed(exp="soon"),
        "an expiry that is a list": signed(exp=[]),
        "an expiry without end": signed(exp=float("inf")),
        "an expiry that is no number": signed(exp=float("nan")),
        "not good yet": signed(nbf=datetime.now(UTC) + timedelta(hours=1)),
        "a beginning that is a text": signed(nbf="now"),
        "a moment that is a text": signed(iat="now"),
    }

    answers = {
        name: refusal(
            alice.client.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})
        )
        for name, token in bad.items()
    }

    assert {n: found for n, found in answers.items() if found != (401, "INVALID_TOKEN")} == {}


@one_stack
def test_an_expired_token_is_401_and_says_so(app: Flask, alice: Caller) -> None:
    with app.app_context():
        key = runtime().config.jwt_secret_key
        claims = pyjwt.decode(alice.access_token, key, algorithms=["HS256"])
    claims["exp"] = int(datetime.now(UTC).timestamp()) - 1
    headers = {"Authorization": f"Bearer {pyjwt.encode(claims, key)}"}

    answer = alice.client.get("/api/auth/me", headers=headers)

    assert refusal(answer) == (401, "TOKEN_EXPIRED")


@one_stack
@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "AUTHENTICATION_REQUIRED"), ("", "AUTHENTICATION_REQUIRED"),
        ("Bearer", "INVALID_TOKEN"), ("Bearer ", "INVALID_TOKEN"), ("Basic YTpi", "INVALID_TOKEN"),
        ("Token {}", "INVALID_TOKEN"), ("{}", "INVALID_TOKEN"), ("Bearer{}", "INVALID_TOKEN"),
        ("Bearer {} {}", "INVALID_TOKEN"), ("Bearer {}, Bearer {}", "INVALID_TOKEN"),
        ('Bearer "{}"', "INVALID_TOKEN"), ("JWT {}", "INVALID_TOKEN"),
    ],
)  # fmt: skip
def test_a_header_of_another_shape_is_401(alice: Caller, header: str | None, code: str) -> None:
    headers = {} if header is None else {"Authorization": header.format(*[alice.access_token] * 2)}

    assert refusal(alice.client.get("/api/auth/me", headers=headers)) == (401, code)


@one_stack
def test_a_token_stands_in_the_header_only(alice: Caller) -> None:
    token = alice.access_token
    alice.client.set_cookie("access_token_cookie", token)

    answers = [
        alice.client.get(f"/api/auth/me?access_token={token}&jwt={token}"),
        alice.client.post("/api/auth/logout", json={"access_token": token}),
    ]

    assert {refusal(answer) for answer in answers} == {(401, "AUTHENTICATION_REQUIRED")}


@one_stack
def test_the_scheme_is_taken_in_any_case(alice: Caller) -> None:
    for scheme in ("bearer", "BEARER", "Bearer ", " Bearer"):
        headers = {"Authorization": f"{scheme} {alice.access_token}"}

        assert alice.client.get("/api/auth/me", headers=headers).status_code == 200, scheme


@both_databases
def test_a_login_that_ended_or_whose_user_is_gone_is_401(
    app: Flask, sign_in: Callable[..., Caller]
) -> None:
    revoked, gone = sign_in("revoked"), sign_in("gone")
    revoked.post("/api/auth/logout")
    with app.app_context():
        db.session.execute(delete(User).where(User.id == gone.user_id))
        db.session.commit()

    answers = [refusal(caller.get("/api/auth/me")) for caller in (revoked, gone)]

    assert answers == [(401, "INVALID_TOKEN")] * 2


# --- bodies ---------------------------------------------------------------------------------------

LOGIN = "/api/auth/login"


def nested(depth: int, *, in_objects: bool) -> str:
    return '{"a":' * depth + "1" + "}" * depth if in_objects else "[" * depth + "]" * depth


@one_stack
@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b'"text"', b"1", b"true", b"{", b"{]", b"\xff\xfe", b"\x00", b"{'a': 1}",
        b'{"username": "a"} {}', b'{"username": "\xff"}', b"NaN", '{"username": "a"}'.encode("utf-16"), b'{"a": ' + b"1" * 5000 + b"}",
        nested(10_000, in_objects=False).encode(), nested(10_000, in_objects=True).encode(),
        (b'{"a":' + nested(10_000, in_objects=False).encode() + b"}"), b"[" * 50_000,
    ],
    ids=lambda body: repr(body[:12]),
)  # fmt: skip
def test_a_body_that_is_no_json_object_is_400(client: FlaskClient, body: bytes) -> None:
    answer = client.post(LOGIN, data=body, content_type="application/json")

    assert refusal(answer) == (400, "VALIDATION_ERROR")


@one_stack
@pytest.mark.parametrize("in_objects", [True, False])
def test_no_depth_of_nesting_is_our_fault(client: FlaskClient, *, in_objects: bool) -> None:
    depths = [*range(100, 1100, 50), 5000]
    bodies = [f'{{"a":{nested(depth, in_objects=in_objects)}}}' for depth in depths]

    answers = [client.post(LOGIN, data=b, content_type="application/json") for b in bodies]

    assert {refusal(answer) for answer in answers} == {(400, "VALIDATION_ERROR")}


@one_stack
@pytest.mark.parametrize(
    "value",
    [
        "NaN", "Infinity", "-Infinity", "1e400", "-1e400", "[NaN]", '{"b": [Infinity]}',
        '{"b": 1, "b": 1}', "0x10", "01", "1.", ".5", "+1", "'a'", "1,", "1 /* one */", "undefined",
        "[" * 40 + "]" * 40,
    ],
    ids=lambda value: value[:16],
)  # fmt: skip
def test_what_rfc_8259_does_not_know_is_refused_wherever_it_stands(
    client: FlaskClient, value: str
) -> None:
    body = f'{{"username": "nobody", "password": "x", "unknown": {value}}}'

    answer = client.post(LOGIN, data=body, content_type="application/json")

    assert refusal(answer) == (400, "VALIDATION_ERROR")


@one_stack
def test_a_byte_order_mark_and_a_field_that_nobody_knows_are_passed_over(
    client: FlaskClient,
) -> None:
    body = '\ufeff{"username": "nobody", "password": "x", "unknown": [{}, 1.5, "\\\\u0000"]}'

    answer = client.post(LOGIN, data=body.encode(), content_type="application/json")

    assert refusal(answer) == (401, "INVALID_CREDENTIALS")


@both_databases
@pytest.mark.parametrize("text", ["\\u0000", "a\\u0000b", "\\ud800", "\\udfff\\ud800"])
def test_a_text_that_no_database_can_keep_is_400(client: FlaskClient, text: str) -> None:
    bodies = [
        f'{{"username": "{text}", "password": "x"}}',
        f'{{"username": "a", "password": "{text}"}}',
        f'{{"username": "a", "password": "x", "{text}": 1}}',
        f'{{"username": "a", "password": "x", "other": [{{"deep": ["{text}"]}}]}}',
    ]

    answers = [client.post(LOGIN, data=b, content_type="application/json") for b in bodies]

    assert {refusal(answer) for answer in answers} == {(400, "VALIDATION_ERROR")}


@both_databases
def test_any_other_text_is_looked_for(client: FlaskClient) -> None:
    for name in (
        "\U0001f600",
        "a'b\";--",
        "%s",
        "{}",
        "\u202e",
        "\x01",
        "\x7f",
        "\ufffe",
        "a" * 320,
    ):
        answer = client.post(LOGIN, json={"username": name, "password": "x"})

        assert refusal(answer) == (401, "INVALID_CREDENTIALS"), name


@one_stack
def test_what_is_not_declared_as_json_is_415(client: FlaskClient) -> None:
    types = [None, "", "text/plain", "text/json", "application/x-www-form-urlencoded", "json",
             "multipart/form-data; boundary=x", "application/jsonp"]  # fmt: skip

    answers = [client.post(LOGIN, data=b"{}", content_type=t) for t in types]

    assert {refusal(answer) for answer in answers} == {(415, "UNSUPPORTED_MEDIA_TYPE")}


@one_stack
def test_json_by_its_other_names_is_taken(client: FlaskClient) -> None:
    body = json.dumps({"username": "nobody", "password": "x"})

    for name in ("application/json; charset=utf-8", "Application/JSON", "application/vnd.a+json"):
        answer = client.post(LOGIN, data=body, content_type=name)

        assert refusal(answer) == (401, "INVALID_CREDENTIALS"), name


@one_stack
def test_a_body_that_is_too_large_is_413(client: FlaskClient) -> None:
    body = b'{"username": "' + b"a" * (4 * 1024 * 1024) + b'"}'

    answer = client.post(LOGIN, data=body, content_type="application/json")

    assert refusal(answer) == (413, "PAYLOAD_TOO_LARGE")


@one_stack
def test_a_message_names_the_field_at_fault(client: FlaskClient) -> None:
    answer = client.post(LOGIN, json={"username": ["a"]})

    assert refusal(answer) == (400, "VALIDATION_ERROR")
    assert set(answer.get_json()["errors"]) == {"username", "password"}
    assert re.match("username: ", answer.get_json()["error"])


# --- URLs -----------------------------------------------------------------------------------------


def filled(rule: Any, text: str) -> str:
    """Return the path of a rule with ``text`` in each of its places."""
    return re.sub("<[^>]*>", text, str(rule))


@both_databases
def test_no_path_and_no_query_is_our_fault(app: Flask, admin: Caller) -> None:
    texts = ["%00", "a%00b", "%ff", "%C3%28", "%ED%A0%80", "1%00", "9" * 19, "9" * 30, "9" * 5000,
             "-1", "0", "%D9%A3", "%0a", "..%2f..%2fetc", "%25", "a;b", "%F0%9F%98%80"]  # fmt: skip
    queries = ["", *(f"{name}={text}" for text in texts for name in ("limit", "category"))]
    queries += [f"{text}=1" for text in texts[:6]] + ["&&==", "%", "limit", "a=" * 2000]
    app.config.update(TESTING=False)
    client, found = admin.client, {}

    for rule in app.url_map.iter_rules():
        urls = [filled(rule, text) for text in texts] if "<" in str(rule) else []
        urls += [f"{filled(rule, '1')}?{query}" for query in queries]
        for method in sorted((rule.methods or set()) & {"GET", "DELETE"}):
            for url in urls:
                answer = client.open(url, method=method, headers=admin.headers)
                if answer.status_code >= 400:
                    refusal(answer)
                if answer.status_code != 501:  # not set up here, and says so
                    found[method, url] = answer.status_code
                answer.close()

    assert {
        url: status for url, status in found.items() if status >= 500 or status // 100 == 3
    } == {}


@both_databases
def test_a_nul_in_a_url_is_400_wherever_a_database_might_look_for_it(alice: Caller) -> None:
    urls = ["/api/files?category=%00", "/api/files?anything=%00", "/media/a%00b", "/media/a?t=%00"]

    answers = [alice.get(url) for url in urls]

    assert {refusal(answer) for answer in answers} == {(400, "VALIDATION_ERROR")}


@one_stack
def test_an_escaped_percent_is_no_nul(alice: Caller) -> None:
    assert alice.get("/api/files?anything=%2500").status_code == 200


@one_stack
def test_a_login_is_asked_for_before_anything_else_is_read(client: FlaskClient) -> None:
    answers = [
        client.get("/api/files?category=%00"),
        client.post("/api/files/presigned-url", data=b"\xff", content_type="text/plain"),
        client.delete("/api/files/" + "9" * 30),
    ]

    assert {refusal(answer) for answer in answers} == {(401, "AUTHENTICATION_REQUIRED")}


@one_stack
def test_a_database_that_is_down_tells_nothing(app: Flask, alice: Caller) -> None:
    app.config.update(TESTING=False)
    with app.app_context():
        db.drop_all()

    answers = [
        alice.get("/api/auth/me"),
        alice.client.post(LOGIN, json={"username": alice.username, "password": PASSWORD}),
    ]

    assert {refusal(answer) for answer in answers} == {(500, "INTERNAL_ERROR")}
    assert not [answer for answer in answers if "users" in answer.text]


@one_stack
def test_a_failure_leaves_no_transaction_behind(app: Flask, alice: Caller) -> None:
    for _ in range(20):
        alice.get("/api/files/1")
        alice.client.post(LOGIN, json={"username": "nobody", "password": "x"})

    with app.app_context():
        assert accounts().login(alice.username, PASSWORD).user_id == alice.user_id
        db.session.rollback()
