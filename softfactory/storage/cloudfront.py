"""URLs of the CloudFront distribution in front of the bucket, plain and signed."""

from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from botocore.signers import CloudFrontSigner
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from softfactory.errors import NotConfigured
from softfactory.storage.url_path import url_path


class CloudFront:
    r"""One distribution; signs where it is given the private key of a trusted key pair.

    Args:
        domain: ``d123abc456.cloudfront.net`` or the distribution's own name.
        key_pair_id: the id of the public key in a key group that the distribution trusts.
        private_key: PEM of the RSA key that goes with it, line ends as such or written ``\n``
            (as ``.env`` files and panels have them); or the path of a file that holds it.

    Raises:
        ValueError: the key is unreadable, no RSA key, or stands without its id (or the other way
            round). The message never repeats the value.
    """

    def __init__(
        self, domain: str, *, key_pair_id: str | None = None, private_key: str | None = None
    ) -> None:
        self.domain = domain.removeprefix("https://").removeprefix("http://").rstrip("/")
        if not self.domain:
            raise ValueError("The CloudFront domain is empty.")
        if bool(key_pair_id) != bool(private_key):
            raise ValueError(
                "A CloudFront key pair needs both its id and its private key, or neither."
            )
        self._signer: CloudFrontSigner | None = None
        if key_pair_id and private_key:
            key = _load(private_key)
            # SHA-1 is what CloudFront verifies (Signed URLs with a canned policy).
            self._signer = CloudFrontSigner(
                key_pair_id,
                lambda message: key.sign(message, PKCS1v15(), SHA1()),  # noqa: S303  # nosec B303
            )

    @property
    def can_sign(self) -> bool:
        """Whether ``signed_url`` works."""
        return self._signer is not None

    def url(self, key: str) -> str:
        """Return the object's unsigned URL."""
        return f"https://{self.domain}/{url_path(key)}"

    def signed_url(
        self,
        key: str,
        *,
        expires_at: datetime,
        version_id: str | None = None,
        content_type: str | None = None,
        content_disposition: str | None = None,
    ) -> str:
        """Return a URL that gives the object's bytes by GET until ``expires_at``.

        Signed by a canned policy: no network, and a second's resolution.

        Args:
            expires_at: aware.
            version_id: this version; as the two below, for a distribution that passes the query
                string on to S3.
            content_type: answered instead of the object's own.
            content_disposition: answered with the bytes (RFC 6266).

        Raises:
            NotConfigured: there is no key pair.
        """
        if self._signer is None:
            raise NotConfigured("No CloudFront key pair is configured, so no URL can be signed.")
        asked = {
            "response-content-disposition": content_disposition,
            "response-content-type": content_type,
            "versionId": version_id,
        }
        query = "&".join(
            f"{name}={quote(value, safe='')}" for name, value in asked.items() if value is not None
        )
        url = self.url(key) + (f"?{query}" if query else "")
        return self._signer.generate_presigned_url(url, date_less_than=expires_at)


def _load(private_key: str) -> RSAPrivateKey:
    pem = private_key.replace("\\n", "\n").strip()
    if not pem.startswith("-----BEGIN"):
        try:
            pem = Path(private_key).read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            raise ValueError(
                "The CloudFront private key is neither PEM text (-----BEGIN ...) nor the path of "
                "a PEM file that can be read."
            ) from error
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(
            "The CloudFront private key is not a valid PEM private key without a passphrase."
        ) from error
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("The CloudFront private key is not an RSA key, as CloudFront needs.")  # noqa: TRY004
    return key
