"""The cache of answers: text that this service wrote, whatever else stands in Redis."""

import pickle
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from redis import Redis

from config import BASE_DIR
from softfactory.http.runtime import runtime
from softfactory.services.drive.listing_cache import ResponseCache
from tests.conftest import REDIS, needs_redis
from tests.stacks import one_stack

pytestmark = [one_stack, needs_redis]

KEY = "drive-list:of the test"
STORED = f"softfactory:{KEY}"
LIFETIME = timedelta(minutes=1)


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis.from_url(REDIS) as redis:
        redis.delete(STORED)
        yield redis
        redis.delete(STORED, f"{STORED} too")


@pytest.fixture
def cache(make_app: Callable[..., Flask], redis: Redis) -> Iterator[ResponseCache]:
    with make_app(redis_url=REDIS).app_context():
        yield runtime().response_cache


class Payload:
    """What runs a function of the attacker's choice where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_what_was_kept_is_there_again(cache: ResponseCache) -> None:
    cache.set(KEY, "é\N{KEY}\n", LIFETIME)

    assert cache.get(KEY) == "é\N{KEY}\n"


@pytest.mark.parametrize("prefix", [b"!", b""])
def test_no_code_runs_that_stands_in_redis(
    cache: ResponseCache, redis: Redis, tmp_path: Path, prefix: bytes
) -> None:
    redis.set(STORED, prefix + pickle.dumps(Payload(tmp_path / "ran")))

    assert cache.get(KEY) is None
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("value", [b"", b"7", b"{}", b" {}", b"\xff\xfe", b"a" * 64 + b" {}"])
def test_what_the_service_did_not_write_is_not_there(
    cache: ResponseCache, redis: Redis, value: bytes
) -> None:
    redis.set(STORED, value)

    assert cache.get(KEY) is None


def test_what_was_kept_by_another_name_is_not_there(cache: ResponseCache, redis: Redis) -> None:
    cache.set(f"{KEY} too", "{}", LIFETIME)
    redis.rename(f"{STORED} too", STORED)

    assert cache.get(KEY) is None


def test_a_redis_key_of_another_type_is_no_failure(cache: ResponseCache, redis: Redis) -> None:
    redis.rpush(STORED, "x")

    assert cache.get(KEY) is None


def test_the_redis_of_compose_wants_a_password() -> None:
    compose = (BASE_DIR / "compose.yaml").read_text()

    assert "--requirepass ${REDIS_PASSWORD}" in compose
    assert "REDIS_URL: redis://:${REDIS_PASSWORD:?" in compose
