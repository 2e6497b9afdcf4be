"""The cache of whole answers: in Redis for all workers, or in this process where there is none."""

from datetime import timedelta
from typing import Any

import structlog
from flask import Flask
from flask_caching import Cache
from redis import RedisError

from config import Config

REDIS_TIMEOUT = 1
"""Seconds that a request waits for Redis before it goes without."""

MAX_LIFETIME = timedelta(hours=1)
"""No entry outlives it (drive-api.md, "Automatic Cache Expiration")."""

log = structlog.get_logger(__name__)


class FlaskResponseCache:
    """Flask-Caching as the ``ResponseCache`` that services ask for: without it all is read anew."""

    def __init__(self, app: Flask, config: Config) -> None:
        """Make the cache that ``config`` describes, for ``app``."""
        settings: dict[str, Any] = {"CACHE_TYPE": "SimpleCache"}
        if config.redis_url:
            settings = {
                "CACHE_TYPE": "RedisCache",
                "CACHE_REDIS_URL": config.redis_url,
                "CACHE_OPTIONS": {
                    "socket_timeout": REDIS_TIMEOUT,
                    "socket_connect_timeout": REDIS_TIMEOUT,
                },
            }
        settings["CACHE_KEY_PREFIX"] = "softfactory:"
        settings["CACHE_DEFAULT_TIMEOUT"] = int(MAX_LIFETIME.total_seconds())
        self._cache = Cache(app, config=settings)

    def get(self, key: str) -> str | None:
        """Return the text, None where there is none any more."""
        try:
            text = self._cache.get(key)
        except RedisError as error:
            log.warning("cache.unreachable", exc_info=error)
            return None
        return text if isinstance(text, str) else None

    def set(self, key: str, text: str, lifetime: timedelta) -> None:
        """Keep the text for ``lifetime`` at most."""
        try:
            self._cache.set(key, text, timeout=int(min(lifetime, MAX_LIFETIME).total_seconds()))
        except RedisError as error:
            log.warning("cache.unreachable", exc_info=error)
