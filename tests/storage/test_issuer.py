"""The issuer of AWS credentials: its policy, and what it makes of AWS's errors."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
)
from moto import mock_aws

from softfactory.errors import (
    NotConfigured,
    NotFound,
    SoftFactoryError,
    StorageError,
)
from softfactory.storage.credentials import KeyStatus
from softfactory.storage.credentials.issuer import AwsIssuer
from softfactory.storage.credentials.policy import (
    policy_json,
    scoped_policy,
    session_policy,
    upload_policy,
)
from softfactory.storage.keys import Roots

ROLE = "arn:aws:iam::123456789012:role/files"
KEY_ID = "AKIAIOSFODNN7EXAMPLE"
ROOTS = Roots.of(uuid="7f3c", user_id=1, username="alice")
HOUR = timedelta(hours=1)

MAX_POLICY = 2048
"""STS: the plain characters of a session policy (AssumeRole: Policy)."""


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    """An AWS account of this test's own."""
    with mock_aws():
        yield


def made(**settings: Any) -> AwsIssuer:
    options = {"access_key_id": "testing", "secret_access_key": "testing", **settings}
    return AwsIssuer(bucket="files", **options)


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let every request to AWS fail."""

    def refuse(*_: Any) -> None:
        raise error

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", refuse)


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "arn:aws:iam::1:user/secret"}}, "Any")


def noting(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Let every request to AWS fail; return the list in which each is then found."""
    asked: list[tuple[str, dict[str, Any]]] = []

    def note(_client: Any, operation: str, arguments: dict[str, Any]) -> None:
        asked.append((operation, arguments))
        raise refusal("Throttling")

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", note)
    return asked


VERBS = {
    "issue_session": lambda issuer: issuer.issue_session("a1", ROOTS, HOUR),
    "create_key": lambda issuer: issuer.create_key("a1", ROOTS),
    "list_keys": lambda issuer: issuer.list_keys("a1"),
    "set_key_status": lambda issuer: issuer.set_key_status("a1", KEY_ID, KeyStatus.ACTIVE),
    "delete_key": lambda issuer: issuer.delete_key("a1", KEY_ID),
}
verbs = pytest.mark.parametrize("verb", VERBS)


def test_the_policy_of_the_longest_names_fits_into_a_session_and_has_no_space() -> None:
    roots = Roots.of(uuid="0" * 36, user_id=2**63 - 1, username="x" * 64)

    text = policy_json(session_policy("b" * 63, roots, partition="aws-us-gov"))

    assert len(text) < MAX_POLICY
    assert " " not in text


def test_the_policy_allows_by_the_root_with_its_slash() -> None:
    objects, bucket = scoped_policy("files", ROOTS)["Statement"]

    assert objects["Resource"] == [
        "arn:aws:s3:::files/users/7f3c/*",
        "arn:aws:s3:::files/uploads/1/*",
        "arn:aws:s3:::files/alice/*",
    ]
    assert bucket["Resource"] == ["arn:aws:s3:::files"]
    assert bucket["Condition"] == {
        "StringLike": {"s3:prefix": ["users/7f3c/*", "uploads/1/*", "alice/*"]}
    }
    assert not {"s3:*", "*"} & {*objects["Action"], *bucket["Action"]}


def test_a_session_deletes_no_version_for_good_and_opens_nothing_to_the_public() -> None:
    *allowed, denied = session_policy("files", ROOTS)["Statement"]

    actions = {action for statement in allowed for action in statement["Action"]}
    assert not {"s3:DeleteObjectVersion", "s3:PutObjectAcl"} & actions
    assert (denied["Effect"], denied["Action"]) == ("Deny", ["s3:PutObject"])
    assert "public-read" in denied["Condition"]["StringEquals"]["s3:x-amz-acl"]


def test_what_signs_uploads_can_put_objects_below_one_root_and_read_nothing() -> None:
    allowed, denied = upload_policy("files", "alice")["Statement"]

    assert allowed["Action"] == ["s3:PutObject"]
    assert allowed["Resource"] == ["arn:aws:s3:::files/alice/*"]
    assert denied["Effect"] == "Deny"


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-central-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("garage", "aws"),
    ],
)
def test_the_policy_names_the_partition_of_the_region(
    monkeypatch: pytest.MonkeyPatch, region: str, partition: str
) -> None:
    asked = noting(monkeypatch)
    with pytest.raises(StorageError):
        made(region=region).issue_session("a1", ROOTS, HOUR)

    policy = json.loads(asked[0][1]["Policy"])
    assert policy["Statement"][1]["Resource"] == [f"arn:{partition}:s3:::files"]


@pytest.mark.parametrize("role_arn", [None, ROLE])
def test_a_session_is_asked_for_with_the_policy_and_the_duration(
    monkeypatch: pytest.MonkeyPatch, role_arn: str | None
) -> None:
    asked = noting(monkeypatch)
    with pytest.raises(StorageError):
        made(role_arn=role_arn).issue_session("a1", ROOTS, timedelta(seconds=900))

    ((operation, arguments),) = asked
    assert operation == ("AssumeRole" if role_arn else "GetFederationToken")
    assert arguments["DurationSeconds"] == 900
    assert arguments["Policy"] == policy_json(session_policy("files", ROOTS))


@verbs
@pytest.mark.parametrize(
    "code", ["AccessDenied", "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken"]
)
def test_our_own_credentials_refused_is_the_operators_to_mend(
    monkeypatch: pytest.MonkeyPatch, verb: str, code: str
) -> None:
    failing(monkeypatch, refusal(code))

    with pytest.raises(NotConfigured) as raised:
        VERBS[verb](made())

    assert "arn" not in raised.value.message


@verbs
@pytest.mark.parametrize("error", [refusal("MethodNotAllowed"), NoCredentialsError()])
def test_a_server_that_cannot_is_the_operators_to_mend(
    monkeypatch: pytest.MonkeyPatch, verb: str, error: Exception
) -> None:
    failing(monkeypatch, error)

    with pytest.raises(NotConfigured):
        VERBS[verb](made())


@verbs
@pytest.mark.parametrize(
    "error", [refusal("InternalFailure"), EndpointConnectionError(endpoint_url="https://x")]
)
def test_aws_down_is_a_storage_error_that_tells_nothing(
    monkeypatch: pytest.MonkeyPatch, verb: str, error: Exception
) -> None:
    failing(monkeypatch, error)

    with pytest.raises(StorageError) as raised:
        VERBS[verb](made())

    assert raised.value.code == "STORAGE_ERROR"
    assert "https" not in raised.value.message
    assert "arn" not in raised.value.message


def test_a_role_that_is_not_there_is_the_operators_to_mend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing(monkeypatch, refusal("NoSuchEntity"))

    with pytest.raises(NotConfigured):
        made(role_arn=ROLE).issue_session("a1", ROOTS, HOUR)


def test_a_user_that_iam_does_not_know_yet_is_trouble_and_no_missing_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing(monkeypatch, refusal("NoSuchEntity"))

    with pytest.raises(StorageError):
        made().create_key("a1", ROOTS)


@pytest.mark.parametrize("key_id", ["", "short", "A" * 129, "AKIA/../..........", "ÄKIA" * 5])
def test_what_is_no_key_id_is_not_found_without_asking(
    monkeypatch: pytest.MonkeyPatch, key_id: str
) -> None:
    failing(monkeypatch, AssertionError("asked AWS"))

    with pytest.raises(NotFound):
        made().delete_key("a1", key_id)
    with pytest.raises(NotFound):
        made().set_key_status("a1", key_id, KeyStatus.INACTIVE)


def test_a_user_made_by_somebody_else_meanwhile_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    issuer = made()
    iam = issuer._client("iam")
    real = iam.get_user_policy

    def raced(**arguments: Any) -> Any:
        iam.create_user(UserName=arguments["UserName"])
        return real(**arguments)

    monkeypatch.setattr(iam, "get_user_policy", raced)

    key = issuer.create_key("a1", ROOTS)

    assert [shown.access_key_id for shown in issuer.list_keys("a1")] == [key.access_key_id]


@pytest.mark.parametrize("role_arn", [None, ROLE])
def test_an_issuer_that_works_has_no_problems_and_makes_nothing(role_arn: str | None) -> None:
    issuer = made(role_arn=role_arn)

    assert issuer.check() == []
    assert issuer._client("iam").list_users()["Users"] == []


@pytest.mark.parametrize(
    ("operation", "what"),
    [("GetFederationToken", "Temporary credentials"), ("ListAccessKeys", "Access keys")],
)
def test_what_may_not_be_issued_is_named_as_the_problem(operation: str, what: str) -> None:
    issuer = made()

    def refuse(**_: Any) -> None:
        raise refusal("AccessDenied")

    for client in (issuer._client("sts"), issuer._client("iam")):
        client.meta.events.register(f"before-call.*.{operation}", refuse)

    (problem,) = issuer.check()

    assert problem.startswith(what)


def test_a_server_without_iam_users_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, refusal("MethodNotAllowed"))

    assert made().check() == []


def test_keys_come_newest_first() -> None:
    issuer = made()
    first, second = (issuer.create_key("a1", ROOTS).access_key_id for _ in range(2))

    assert [key.access_key_id for key in issuer.list_keys("a1")] == [second, first]


def test_no_secret_shows_in_a_repr() -> None:
    issuer = made()
    key = issuer.create_key("a1", ROOTS)
    session = issuer.issue_session("a1", ROOTS, HOUR)

    assert key.secret_access_key
    assert key.secret_access_key not in repr(key)
    assert session.secret_access_key not in repr(session)
    assert session.session_token not in repr(session)


def test_the_errors_have_the_sdks_as_their_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, refusal("AccessDenied"))

    with pytest.raises(SoftFactoryError) as raised:
        made().list_keys("a1")

    assert isinstance(raised.value.__cause__, ClientError)
