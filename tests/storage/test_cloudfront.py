"""CloudFront: its URLs, and the signatures that its edges verify."""

import json
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from softfactory.errors import NotConfigured
from softfactory.storage.cloudfront import CloudFront

KEY = generate_private_key(65537, 2048)
DOMAIN = "d111.cloudfront.net"
EXPIRES_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def pem(
    format: PrivateFormat = PrivateFormat.PKCS8,  # noqa: A002  # cryptography's own word
    encryption: KeySerializationEncryption | None = None,
) -> str:
    return KEY.private_bytes(Encoding.PEM, format, encryption or NoEncryption()).decode()


def verify(url: str) -> None:
    """Check the signature as an edge does: over the canned policy of what was asked for."""
    resource, _, _ = url.partition("Expires=")
    query = parse_qs(urlsplit(url).query)
    policy = {
        "Statement": [
            {
                "Resource": resource[:-1],
                "Condition": {"DateLessThan": {"AWS:EpochTime": int(query["Expires"][0])}},
            }
        ]
    }
    signature = query["Signature"][0].replace("-", "+").replace("_", "=").replace("~", "/")
    text = json.dumps(policy, separators=(",", ":"))
    KEY.public_key().verify(b64decode(signature), text.encode(), PKCS1v15(), SHA1())  # noqa: S303  # CloudFront's


@pytest.mark.parametrize("domain", [DOMAIN, f"https://{DOMAIN}", f"https://{DOMAIN}/"])
def test_a_url_names_the_object_with_its_characters_encoded(domain: str) -> None:
    assert CloudFront(domain).url("a/ü b?*.txt") == f"https://{DOMAIN}/a/%C3%BC%20b%3F%2A.txt"


@pytest.mark.parametrize("format_", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_signed_url_is_verified_by_the_public_key(format_: PrivateFormat) -> None:
    cloudfront = CloudFront(DOMAIN, key_pair_id="K123", private_key=pem(format_))

    url = cloudfront.signed_url("a/ü b.txt", expires_at=EXPIRES_AT)

    query = parse_qs(urlsplit(url).query)
    assert cloudfront.can_sign
    assert url.startswith(f"https://{DOMAIN}/a/%C3%BC%20b.txt?Expires=")
    assert query["Expires"] == [str(int(EXPIRES_AT.timestamp()))]
    assert query["Key-Pair-Id"] == ["K123"]
    verify(url)


def test_what_the_answer_is_to_say_is_signed_with_the_url() -> None:
    cloudfront = CloudFront(DOMAIN, key_pair_id="K123", private_key=pem())

    url = cloudfront.signed_url(
        "a",
        expires_at=EXPIRES_AT,
        version_id="v1",
        content_type="text/plain",
        content_disposition='attachment; filename="a b"',
    )

    query = parse_qs(urlsplit(url).query)
    assert query["versionId"] == ["v1"]
    assert query["response-content-type"] == ["text/plain"]
    assert query["response-content-disposition"] == ['attachment; filename="a b"']
    verify(url)


def test_the_line_ends_of_a_key_may_be_written_out() -> None:
    private_key = pem().replace("\n", "\\n")

    verify(
        CloudFront(DOMAIN, key_pair_id="K123", private_key=private_key).signed_url(
            "a", expires_at=EXPIRES_AT
        )
    )


def test_the_key_may_be_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text(pem())

    verify(
        CloudFront(DOMAIN, key_pair_id="K123", private_key=str(path)).signed_url(
            "a", expires_at=EXPIRES_AT
        )
    )


BAD_KEYS = {
    "no such file": "/nowhere/key.pem",
    "no PEM": "c2VjcmV0" * 600,
    "damaged": pem()[:300] + "\n-----END PRIVATE KEY-----",
    "encrypted": pem(encryption=BestAvailableEncryption(b"passphrase")),
    "not RSA": generate_ec_key(SECP256R1())
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode(),
    "a public key": "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
}


@pytest.mark.parametrize("kind", BAD_KEYS)
def test_a_bad_key_is_told_without_repeating_it(kind: str) -> None:
    with pytest.raises(ValueError, match="CloudFront private key") as raised:
        CloudFront(DOMAIN, key_pair_id="K123", private_key=BAD_KEYS[kind])

    assert BAD_KEYS[kind][:40] not in str(raised.value)


@pytest.mark.parametrize(("key_pair_id", "private_key"), [("K123", None), (None, pem())])
def test_half_a_key_pair_is_refused(key_pair_id: str | None, private_key: str | None) -> None:
    with pytest.raises(ValueError, match="both"):
        CloudFront(DOMAIN, key_pair_id=key_pair_id, private_key=private_key)


def test_an_empty_domain_is_refused() -> None:
    with pytest.raises(ValueError, match="domain"):
        CloudFront("https://")


def test_without_a_key_pair_nothing_is_signed() -> None:
    cloudfront = CloudFront(DOMAIN)

    with pytest.raises(NotConfigured):
        cloudfront.signed_url("a", expires_at=EXPIRES_AT)

    assert not cloudfront.can_sign
