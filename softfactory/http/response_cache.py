"""The cache of whole answers: in Redis for all workers, or in this process where there is none.

Redis is trusted with text alone: what it gives is never unpickled, and counts only where this
service signed it, by this name. Whoever writes to Redis can empty the cache, and no more.
"""

import hmac
from datetime import timedelta
from typing import Any

import structlog
from cachelib.serializers import BaseSerializer
from flask import Flask
from flask_caching import Cache
from redis import RedisError

from config import Config

REDIS_TIMEOUT = 1
"""Seconds that a request waits for Redis before it goes without."""

MAX_LIFETIME = timedelta(hours=1)
"""No entry outlives it (docs/api/drive.md, Lists)."""

log = structlog.get_logger(__name__)


class TextSerializer(BaseSerializer):
    """Text as its bytes; Flask-Caching's own serializers unpickle."""

    def dumps(self, value: str, protocol: int = 0) -> bytes:
        """Return the bytes to keep."""
        return value.encode()

    def loads(self, bvalue: bytes | None) -> str | None:
        """Return the text, or None for what is none."""
        try:
            return None if bvalue is None else bvalue.decode()
        except UnicodeDecodeError:
            return None


class FlaskResponseCache:
    """Flask-Caching as the ``ResponseCache`` that services ask for: without it all is read anew."""

    def __init__(self, app: Flask, config: Config) -> None:
        """Make the cache that ``config`` describes, for ``app``."""
        settings: dict[str, Any] = {"CACHE_TYPE": "SimpleCache"}
        if config.redis_url:
            settings = {
                "CACHE_TYPE": "RedisCache",
                "CACHE_REDIS_URL": config.redis_url,
                "CACHE_SERIALIZER": TextSerializer,
                "CACHE_OPTIONS": {
                    "socket_timeout": REDIS_TIMEOUT,
                    "socket_connect_timeout": REDIS_TIMEOUT,
                },
            }
        settings["CACHE_KEY_PREFIX"] = "softfactory:"
        settings["CACHE_DEFAULT_TIMEOUT"] = int(MAX_LIFETIME.total_seconds())
        self._cache = Cache(app, config=settings)
        self._secret = config.secret_key.encode()

    def get(self, key: str) -> str | None:
        """Return the text, None where there is none any more."""
        try:
            kept = self._cache.get(key)
        except RedisError as error:
            log.warning("cache.unreachable", exc_info=error)
            return None
        signature, _, text = kept.partition(" ") if isinstance(kept, str) else ("", "", "")
        return text if hmac.compare_digest(signature.encode(), self._sign(key, text)) else None

    def set(self, key: str, text: str, lifetime: timedelta) -> None:
        """Keep the text for ``lifetime`` at most."""
        kept = f"{self._sign(key, text).decode()} {text}"
        try:
            self._cache.set(key, kept, timeout=int(min(lifetime, MAX_LIFETIME).total_seconds()))
        except RedisError as error:
            log.warning("cache.unreachable", exc_info=error)

    def _sign(self, key: str, text: str) -> bytes:
        """Return the signature of the text by this name, hexadecimal."""
        signed = f"response-cache:{key}:{text}".encode()
        return hmac.digest(self._secret, signed, "sha256").hex().encode()
