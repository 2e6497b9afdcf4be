"""What the factory wires together for one application, and how a request reaches it."""

from dataclasses import dataclass
from typing import cast

from flask import current_app

from config import Config
from softfactory.clock import Clock
from softfactory.services.drive.listing_cache import ResponseCache
from softfactory.services.mail import Mailer
from softfactory.storage.base import Storage
from softfactory.storage.cloudfront import CloudFront
from softfactory.storage.credentials import Issuer
from softfactory.storage.signing import UrlSigner

EXTENSION = "softfactory"
"""The name below which the runtime stands in ``app.extensions``."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """The ports of one application: nothing in it changes after the start."""

    config: Config
    clock: Clock
    storage: Storage
    signer: UrlSigner
    cloudfront: CloudFront | None
    issuer: Issuer | None
    mailer: Mailer
    response_cache: ResponseCache


def runtime() -> Runtime:
    """Return the runtime of the current application."""
    return cast(Runtime, current_app.extensions[EXTENSION])
