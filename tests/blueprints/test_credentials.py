"""``/api/credentials``: temporary credentials and access keys, against moto's STS and IAM."""

import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from flask import Flask
from sqlalchemy import select

from softfactory.errors import StorageError
from softfactory.http.extensions import db
from softfactory.http.request_log import configure_logging
from softfactory.http.runtime import runtime
from softfactory.http.services import maintenance
from softfactory.models import User
from softfactory.services.credentials import Credentials
from softfactory.storage.credentials.issuer import AwsIssuer
from tests.conftest import PASSWORD, Caller
from tests.doubles import FakeClock
from tests.stacks import one_stack

on_s3 = pytest.mark.parametrize(
    ("database_url", "storage_settings"), [("sqlite", "s3-moto")], indirect=True
)

TWO_KEYS = "There are 2 access keys already, and AWS allows no more. Delete one, or rotate one."

ROUTES = [
    ("POST", "temporary"),
    ("POST", "access-key"),
    ("GET", "access-keys"),
    ("DELETE", "access-key/AKIAIOSFODNN7EXAMPLE"),
    ("PUT", "access-key/AKIAIOSFODNN7EXAMPLE/status"),
    ("POST", "access-key/rotate"),
]


def send(caller: Caller, method: str, route: str, **options: Any) -> Any:
    return caller.client.open(
        f"/api/credentials/{route}", method=method, headers=caller.headers, **options
    )


def create(caller: Caller) -> dict[str, Any]:
    answer = send(caller, "POST", "access-key")
    assert answer.status_code == 200, answer.get_json()
    key: dict[str, Any] = answer.get_json()
    return key


def listed(caller: Caller) -> dict[str, str]:
    """The status of each key by its id."""
    keys = send(caller, "GET", "access-keys").get_json()
    return {key["access_key_id"]: key["status"] for key in keys}


def set_status(caller: Caller, key_id: str, status: Any) -> Any:
    return send(caller, "PUT", f"access-key/{key_id}/status", json={"status": status})


def rotate(caller: Caller, key_id: Any) -> Any:
    return send(caller, "POST", "access-key/rotate", json={"old_access_key_id": key_id})


# --- where and who ----------------------------------------------------------------------------


@one_stack
@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_without_a_token_it_is_401_even_where_nothing_is_issued(
    client: Any, method: str, route: str
) -> None:
    answer = client.open(f"/api/credentials/{route}", method=method)

    assert answer.status_code == 401


@one_stack
@pytest.mark.parametrize(("method", "route"), ROUTES)
@pytest.mark.parametrize("body", [None, {"duration_seconds": 1}])
def test_local_storage_issues_nothing(
    alice: Caller, method: str, route: str, body: dict[str, Any] | None
) -> None:
    answer = send(alice, method, route, json=body) if body else send(alice, method, route)

    assert answer.status_code == 501
    assert answer.get_json()["code"] == "NOT_CONFIGURED"
    assert "UPLOAD_STORAGE_HANDLER=s3" in answer.get_json()["error"]


@on_s3
def test_another_servers_keys_are_never_shown_to_amazon(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(aws_s3_endpoint_url="http://127.0.0.1:1")

    with app.app_context():
        assert runtime().issuer is None


@on_s3
@pytest.mark.parametrize(
    "endpoint", ["https://s3.eu-central-1.amazonaws.com", "https://s3.cn-north-1.amazonaws.com.cn"]
)
def test_amazon_by_another_endpoint_is_still_amazon(
    make_app: Callable[..., Flask], endpoint: str
) -> None:
    app = make_app(aws_s3_endpoint_url=endpoint)

    with app.app_context():
        assert runtime().issuer is not None


@on_s3
def test_ten_a_minute_is_the_budget_of_all_routes_together(
    make_app: Callable[..., Flask], alice: Caller
) -> None:
    limited = make_app(ratelimit_enabled=True).test_client()

    answers = [
        limited.open(f"/api/credentials/{route}", method=method, headers=alice.headers)
        for method, route in ROUTES * 2
    ]

    assert [answer.status_code == 429 for answer in answers] == [False] * 10 + [True] * 2
    assert answers[0].headers["X-RateLimit-Limit"] == "10"


# --- temporary --------------------------------------------------------------------------------


@on_s3
@pytest.mark.parametrize("role", [None, "arn:aws:iam::123456789012:role/files"])
def test_temporary_credentials_have_four_parts_and_an_end_in_utc(
    make_app: Callable[..., Flask], alice: Caller, role: str | None
) -> None:
    client = make_app(aws_role_arn=role).test_client()

    answer = client.post(
        "/api/credentials/temporary", json={"duration_seconds": 900}, headers=alice.headers
    )

    assert answer.status_code == 200
    issued = answer.get_json()
    assert list(issued) == ["access_key_id", "secret_access_key", "session_token", "expiration"]
    ends = datetime.strptime(issued["expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs(ends - datetime.now(UTC) - timedelta(seconds=900)) < timedelta(seconds=60)


@on_s3
@pytest.mark.parametrize("options", [{}, {"json": {}}, {"json": {"other": 1}}])
def test_an_hour_is_what_nothing_said_means(alice: Caller, options: dict[str, Any]) -> None:
    issued = send(alice, "POST", "temporary", **options).get_json()

    ends = datetime.fromisoformat(issued["expiration"])
    assert abs(ends - datetime.now(UTC) - timedelta(hours=1)) < timedelta(seconds=60)


@on_s3
@pytest.mark.parametrize("seconds", [900, 43200])
def test_the_bounds_of_the_duration_are_taken(alice: Caller, seconds: int) -> None:
    answer = send(alice, "POST", "temporary", json={"duration_seconds": seconds})

    assert answer.status_code == 200


@one_stack
@on_s3
@pytest.mark.parametrize("seconds", [899, 43201, 0, -900, "3600", 3600.5, None, True, [3600]])
def test_a_duration_out_of_bounds_is_400_and_names_the_field(alice: Caller, seconds: Any) -> None:
    answer = send(alice, "POST", "temporary", json={"duration_seconds": seconds})

    assert answer.status_code == 400
    assert answer.get_json()["code"] == "VALIDATION_ERROR"
    assert "duration_seconds" in answer.get_json()["errors"]


# --- access keys ------------------------------------------------------------------------------


@on_s3
def test_a_new_key_tells_its_secret_once(alice: Caller) -> None:
    key = create(alice)

    assert list(key) == ["access_key_id", "secret_access_key", "create_date", "status"]
    assert key["secret_access_key"]
    assert key["create_date"].endswith("Z")
    assert key["status"] == "Active"
    shown = send(alice, "GET", "access-keys").get_json()
    assert shown == [{**key, "secret_access_key": None}]


@on_s3
def test_who_never_made_a_key_has_none(alice: Caller) -> None:
    assert send(alice, "GET", "access-keys").get_json() == []


@one_stack
@on_s3
def test_the_third_key_is_400_with_the_reason(alice: Caller) -> None:
    create(alice)
    create(alice)

    answer = send(alice, "POST", "access-key")

    assert answer.status_code == 400
    assert answer.get_json()["error"] == TWO_KEYS
    assert len(listed(alice)) == 2


@on_s3
def test_a_deleted_key_is_gone(alice: Caller) -> None:
    key_id = create(alice)["access_key_id"]

    answer = send(alice, "DELETE", f"access-key/{key_id}")

    assert answer.get_json() == {"message": "Access key deleted successfully"}
    assert listed(alice) == {}
    assert send(alice, "DELETE", f"access-key/{key_id}").status_code == 404


@on_s3
def test_a_key_is_switched_off_and_on(alice: Caller) -> None:
    key_id = create(alice)["access_key_id"]

    off = set_status(alice, key_id, "Inactive")
    was = listed(alice)
    on = set_status(alice, key_id, "Active")

    assert off.get_json() == {"message": "Access key status updated to Inactive"}
    assert was == {key_id: "Inactive"}
    assert on.get_json() == {"message": "Access key status updated to Active"}
    assert listed(alice) == {key_id: "Active"}


@on_s3
@pytest.mark.parametrize("status", ["active", "INACTIVE", "Expired", "", None, 1, ["Active"]])
def test_there_are_two_statuses(alice: Caller, status: Any) -> None:
    key_id = create(alice)["access_key_id"]

    answer = set_status(alice, key_id, status)

    assert answer.status_code == 400
    assert "status" in answer.get_json()["errors"]
    assert listed(alice) == {key_id: "Active"}


@on_s3
def test_rotating_puts_a_new_key_in_the_old_ones_place(alice: Caller) -> None:
    old = create(alice)["access_key_id"]

    answer = rotate(alice, old)

    assert answer.status_code == 200
    new = answer.get_json()
    assert list(new) == ["access_key_id", "secret_access_key", "create_date", "status"]
    assert new["secret_access_key"]
    assert listed(alice) == {new["access_key_id"]: "Active"}
    assert new["access_key_id"] != old


@on_s3
def test_rotating_works_with_two_keys_and_leaves_the_other_alone(alice: Caller) -> None:
    old, other = (create(alice)["access_key_id"] for _ in range(2))

    new = rotate(alice, old).get_json()["access_key_id"]

    assert set(listed(alice)) == {other, new}


@one_stack
@on_s3
def test_someone_elses_key_is_404_also_for_an_administrator(
    alice: Caller, bob: Caller, admin: Caller
) -> None:
    key_id = create(alice)["access_key_id"]
    create(bob)

    for caller in (bob, admin):
        assert send(caller, "DELETE", f"access-key/{key_id}").status_code == 404
        assert set_status(caller, key_id, "Inactive").status_code == 404
        assert rotate(caller, key_id).status_code == 404
    assert listed(alice) == {key_id: "Active"}
    assert len(listed(bob)) == 1


@one_stack
@on_s3
@pytest.mark.parametrize("key_id", ["x", "AKIA" + "A" * 16, "A" * 200, "AKIA ÄÖÜ*", "rotate"])
def test_a_key_that_never_was_is_404(alice: Caller, key_id: str) -> None:
    create(alice)

    assert send(alice, "DELETE", f"access-key/{key_id}").status_code == 404
    assert set_status(alice, key_id, "Inactive").status_code == 404
    assert rotate(alice, key_id).status_code == 404


@on_s3
@pytest.mark.parametrize("body", [{}, {"old_access_key_id": None}, {"old_access_key_id": 7}])
def test_rotating_needs_the_name_of_a_key(alice: Caller, body: dict[str, Any]) -> None:
    answer = send(alice, "POST", "access-key/rotate", json=body)

    assert answer.status_code == 400
    assert "old_access_key_id" in answer.get_json()["errors"]


@on_s3
def test_every_account_has_one_iam_user_with_the_users_policy(
    alice: Caller, bob: Caller, config: Any
) -> None:
    create(alice)
    create(alice)
    create(bob)

    iam = boto3.client("iam", region_name="us-east-1")
    users = iam.list_users(PathPrefix="/softfactory/")["Users"]
    assert {user["UserName"] for user in users} == {
        f"softfactory-{caller.uuid.replace('-', '')}" for caller in (alice, bob)
    }
    document = iam.get_user_policy(
        UserName=f"softfactory-{alice.uuid.replace('-', '')}", PolicyName="softfactory-files"
    )["PolicyDocument"]
    assert document["Statement"][0]["Resource"] == [
        f"arn:aws:s3:::softfactory-test/users/{alice.uuid}/*",
        f"arn:aws:s3:::softfactory-test/uploads/{alice.user_id}/*",
        "arn:aws:s3:::softfactory-test/alice/*",
    ]


@on_s3
@pytest.mark.parametrize("damage", ["widened", "missing"])
def test_a_policy_that_is_not_ours_is_put_right_with_the_next_key(
    alice: Caller, damage: str
) -> None:
    create(alice)
    iam = boto3.client("iam", region_name="us-east-1")
    named = {
        "UserName": f"softfactory-{alice.uuid.replace('-', '')}",
        "PolicyName": "softfactory-files",
    }
    right = iam.get_user_policy(**named)["PolicyDocument"]
    if damage == "missing":
        iam.delete_user_policy(**named)
    else:
        statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        wide = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(**named, PolicyDocument=wide)

    create(alice)

    assert iam.get_user_policy(**named)["PolicyDocument"] == right


@on_s3
def test_first_keys_made_at_once_share_one_user(app: Flask, alice: Caller) -> None:
    barrier = threading.Barrier(4)
    statuses = []

    def make() -> None:
        barrier.wait()
        answer = app.test_client().post("/api/credentials/access-key", headers=alice.headers)
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # moto counts and adds without a lock, so three may get through there; AWS lets two.
    assert set(statuses) <= {200, 400}
    assert statuses.count(200) >= 2
    assert len(boto3.client("iam", region_name="us-east-1").list_users()["Users"]) == 1


@on_s3
def test_no_secret_is_ever_logged(
    alice: Caller, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG", logger="softfactory")
    configure_logging(as_json=False)

    key = create(alice)
    session = send(alice, "POST", "temporary").get_json()
    rotated = rotate(alice, key["access_key_id"]).get_json()

    written = capfd.readouterr().err
    assert "path=/api/credentials" in written
    for secret in (
        key["secret_access_key"],
        rotated["secret_access_key"],
        session["secret_access_key"],
        session["session_token"],
    ):
        assert secret not in caplog.text + written


# --- AWS in trouble ---------------------------------------------------------------------------


@on_s3
@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_trouble_at_aws_is_one_sentence_that_tells_nothing(
    app: Flask, alice: Caller, monkeypatch: pytest.MonkeyPatch, method: str, route: str
) -> None:
    def refuse(_client: Any, operation: str, _arguments: Any) -> None:
        message = "User: arn:aws:iam::123456789012:user/service is not authorized"
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": message}}, operation)

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", refuse)
    bodies: dict[str, dict[str, str]] = {
        "access-key/rotate": {"old_access_key_id": "AKIAIOSFODNN7EXAMPLE"},
        "access-key/AKIAIOSFODNN7EXAMPLE/status": {"status": "Active"},
    }

    answer = send(alice, method, route, json=bodies.get(route, {}))

    assert answer.status_code == 501
    assert answer.get_json()["code"] == "NOT_CONFIGURED"
    assert "arn:aws" not in answer.get_data(as_text=True)


# --- a password ends --------------------------------------------------------------------------


NEW_PASSWORD = "AnotherPass456"


def mails(app: Flask) -> list[tuple[list[str], str]]:
    """Recipients and subject of each mail about keys."""
    return [
        (mail.to, mail.subject)
        for mail in app.extensions["mailman"].outbox
        if "access keys" in mail.subject
    ]


def change_password(caller: Caller) -> Any:
    body = {"old_password": PASSWORD, "new_password": NEW_PASSWORD}
    return caller.post("/api/auth/change-password", json=body)


def reset_password(app: Flask, caller: Caller) -> Any:
    caller.client.post("/api/auth/forgot-password", json={"username": caller.username})
    code = re.search(r"\b\d{6}\b", app.extensions["mailman"].outbox[-1].body)
    assert code is not None
    body = {"username": caller.username, "code": code[0], "new_password": NEW_PASSWORD}
    return caller.client.post("/api/auth/reset-password", json=body)


def keys_in_iam(caller: Caller) -> list[str]:
    """The status of each key of the user, asked of IAM itself."""
    name = f"softfactory-{caller.uuid.replace('-', '')}"
    iam = boto3.client("iam", region_name="us-east-1")
    return [key["Status"] for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]]


@on_s3
@pytest.mark.parametrize("how", ["change", "reset"])
def test_a_new_password_ends_the_users_access_keys_and_says_so(
    app: Flask, alice: Caller, bob: Caller, how: str
) -> None:
    for caller in (alice, alice, bob):
        create(caller)

    answer = change_password(alice) if how == "change" else reset_password(app, alice)

    assert answer.status_code == 200
    assert keys_in_iam(alice) == ["Inactive", "Inactive"]
    assert keys_in_iam(bob) == ["Active"]
    assert mails(app) == [
        (["alice@example.com"], "Your SoftFactory Files access keys were deactivated")
    ]


@on_s3
def test_who_has_no_access_keys_is_told_nothing_of_them(app: Flask, alice: Caller) -> None:
    assert change_password(alice).status_code == 200

    assert mails(app) == []


@on_s3
@pytest.mark.parametrize("code", ["Throttling", "AccessDenied"])
def test_keys_that_iam_would_not_end_are_ended_by_the_next_cleanup(
    app: Flask, alice: Caller, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    create(alice)
    with monkeypatch.context() as failing:
        failing.setattr(AwsIssuer, "set_key_status", refusing(code))
        changed = change_password(alice)
    left = keys_in_iam(alice)

    with app.app_context():
        maintenance().cleanup(dry_run=True)
        dry = keys_in_iam(alice)
        maintenance().cleanup()

    assert (changed.status_code, left, dry) == (200, ["Active"], ["Active"])
    assert keys_in_iam(alice) == ["Inactive"]
    assert len(mails(app)) == 1


@on_s3
def test_a_key_that_was_made_since_does_not_end_with_the_old_password(
    app: Flask, alice: Caller, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.advance(hours=-1)
    with monkeypatch.context() as failing:
        failing.setattr(AwsIssuer, "list_keys", refusing("Throttling"))
        change_password(alice)
    clock.advance(hours=1)
    with app.app_context():
        Credentials(issuer_of(app)).create_key(db.session.scalars(select(User)).one())

        maintenance().cleanup()

    assert keys_in_iam(alice) == ["Active"]


@on_s3
def test_a_failing_iam_leaves_a_wrong_password_and_a_wrong_code_what_they_are(
    alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AwsIssuer, "list_keys", refusing("Throttling"))

    body = {"old_password": "WrongPass123", "new_password": NEW_PASSWORD}
    answer = alice.post("/api/auth/change-password", json=body)

    assert answer.get_json()["code"] == "INVALID_CREDENTIALS"


def refusing(code: str) -> Callable[..., Any]:
    def refuse(*_: Any) -> None:
        raise StorageError from ClientError({"Error": {"Code": code}}, "Any")

    return refuse


def issuer_of(app: Flask) -> Any:
    with app.app_context():
        return runtime().issuer
