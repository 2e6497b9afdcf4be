"""The configuration: every variable read, checked, and named where it is wrong."""

import ast
import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from limits import parse_many

from config import BASE_DIR, DEFAULT_SECRET, Config, ConfigError

SECRETS = {"SECRET_KEY": "s3cr3t-of-the-app" * 3, "JWT_SECRET_KEY": "s3cr3t-of-the-tokens" * 2}
VARIABLES = {name: field for field in fields(Config) for name in field.metadata["names"]}

FIRST_SECRETS = ("SECRET_KEY", "JWT_SECRET_KEY")
ANY_TEXT = {
    *FIRST_SECRETS, "AWS_ROLE_ARN", "AWS_S3_BUCKET", "AWS_STORAGE_BUCKET_NAME", "AWS_S3_REGION",
    "AWS_S3_REGION_NAME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "CLOUDFRONT_KEY_PAIR_ID",
    "CLOUDFRONT_PRIVATE_KEY", "MAIL_SERVER", "MAIL_USERNAME", "MAIL_PASSWORD",
    "MAIL_DEFAULT_SENDER", "MEDIA_ROOT", "MAIL_FILE_PATH",
}  # fmt: skip
"""The variables in which every text is as good as another."""

BOOLEANS = {
    **dict.fromkeys(["1", "true", "True", "YES", "on"], True),
    **dict.fromkeys(["0", "false", "FALSE", "no", "off"], False),
}
NO_BOOLEANS = ["2", "maybe", "truee", "-"]
NO_NUMBERS = ["-1", "1.5", "1e3", "many", "0x10", "9" * 5000, "1 000", "+1"]
RATES = ["5 per minute", "100 per hour", "10/minute", "10 / minute", "1 per 5 minutes", "7/2 days"]
NO_RATES = ["5", "0 per minute", "per minute", "5 per fortnight", "5 per 0 minutes", "-1/second",
            "5 perminute", "5 per minute; 6 per hour", "a/minute"]  # fmt: skip
HTTP_URLS = {
    "https://files.example.com": "https://files.example.com",
    "http://localhost:8000/": "http://localhost:8000",
    "https://example.com/below/": "https://example.com/below",
    "http://[::1]:9000": "http://[::1]:9000",
}
NO_HTTP_URLS = ["example.com", "ftp://example.com", "http://", "https:///path", "http://a b",
                "http://[::1", "http://host:port", "http://host/?a=b", "http://host/#there"]  # fmt: skip


def numbers(*good: int) -> dict[str, int]:
    return {str(number): number for number in good}


def ages(unit: str, *good: int) -> dict[str, timedelta]:
    return {str(number): timedelta(**{unit: number}) for number in good}


GOOD: dict[str, Mapping[str, Any]] = {
    "APP_ENV": {name: name for name in ("development", "testing", "production")},
    "PUBLIC_BASE_URL": HTTP_URLS,
    "AWS_ENDPOINT_URL": HTTP_URLS,
    "AWS_S3_ENDPOINT_URL": HTTP_URLS,
    "AWS_S3_PUBLIC_ENDPOINT_URL": HTTP_URLS,
    "CORS_ORIGINS": {
        "*": ("*",),
        "https://app.example.com": ("https://app.example.com",),
        "http://localhost:3000/, https://b.example": ("http://localhost:3000", "https://b.example"),
    },
    "TRUSTED_PROXIES": numbers(0, 1, 16),
    "WEB_CONCURRENCY": numbers(1, 1024),
    "SLOW_CLIENT_SECONDS": {"1": timedelta(seconds=1), "3600": timedelta(hours=1)},
    "STOP_DELAY_SECONDS": {"0": timedelta(0), "3600": timedelta(hours=1)},
    "DATABASE_URL": {
        "sqlite:///softfactory.db": "sqlite:///softfactory.db",
        "postgresql://u:p@db:5432/files": "postgresql+psycopg://u:p@db:5432/files",
        "postgres://u@db/files": "postgresql+psycopg://u@db/files",
        "postgresql+psycopg:///files?host=/run": "postgresql+psycopg:///files?host=/run",
        "postgresql://u:p%40ss@[::1]:5432/f": "postgresql+psycopg://u:p%40ss@[::1]:5432/f",
    },
    "REDIS_URL": {
        "redis://localhost:6379/0": "redis://localhost:6379/0",
        "rediss://:word@cache:6380/1?ssl_cert_reqs=none": (
            "rediss://:word@cache:6380/1?ssl_cert_reqs=none"
        ),
    },
    "UPLOAD_STORAGE_HANDLER": {"local": "local", "s3": "s3"},
    "UPLOAD_URLS": {"storage": "storage", "service": "service"},
    "LOCAL_RESTORE_SECONDS": ages("seconds", 0, 5),
    "RESTORE_DAYS": numbers(1, 365),
    "NONCURRENT_VERSION_DAYS": ages("days", 0, 30, 36500),
    "CLOUDFRONT_DOMAIN": {
        "d123abc456.cloudfront.net": "d123abc456.cloudfront.net",
        "https://cdn.example.com/": "cdn.example.com",
        "localhost:8080": "localhost:8080",
    },
    "MAX_FILE_UPLOAD_SIZE": numbers(1, 5 * 1024**3, 5 * 1024**4),
    "UPLOAD_EXPIRY_HOURS": ages("hours", 1, 24, 876000),
    "USER_QUOTA_BYTES": numbers(0, 10 * 1024**3),
    "MAX_OPEN_UPLOADS": numbers(1, 1000),
    "UNCONFIRMED_ACCOUNT_DAYS": ages("days", 1, 7, 36500),
    "ACCESS_TOKEN_SECONDS": ages("seconds", 1, 3600),
    "REFRESH_TOKEN_SECONDS": ages("seconds", 1, 2592000),
    "MAIL_CODE_SECONDS": ages("seconds", 1, 900),
    "SIGNED_URL_SECONDS": ages("seconds", 1, 604800),
    "MAIL_PORT": numbers(1, 25, 65535),
    **dict.fromkeys(
        [
            "API_DOCS_ENABLED",
            "LOCAL_VERSIONING",
            "SIMPLE_S3_ANONYMOUS",
            "MAIL_USE_TLS",
            "MAIL_USE_SSL",
            "RATELIMIT_ENABLED",
        ],
        BOOLEANS,
    ),
    **{
        name: {rate: rate for rate in RATES}
        for name in VARIABLES
        if name.startswith("RATELIMIT_") and name != "RATELIMIT_ENABLED"
    },
}
"""What each variable takes, and what becomes of it."""

BAD: dict[str, list[str]] = {
    "APP_ENV": ["prod", "PRODUCTION", "test"],
    "CORS_ORIGINS": ["app.example.com", "https://*.example.com", "https://a.example/path",
                     "https://.*", "https://a b", "https://ok.example,nope", "null"],
    "TRUSTED_PROXIES": [*NO_NUMBERS, "17"],
    "WEB_CONCURRENCY": [*NO_NUMBERS, "0", "1025"],
    "SLOW_CLIENT_SECONDS": [*NO_NUMBERS, "0", "3601"],
    "STOP_DELAY_SECONDS": [*NO_NUMBERS, "3601"],
    "DATABASE_URL": ["files.db", "mysql://u@db/files", "postgresql", "postgresql://u:p@db:port/f",
                     "postgresql://u:p@ss@db/f", "postgresql://u:p/w@db/f"],
    "REDIS_URL": ["localhost:6379", "http://localhost", "redis://", "redis://host:port"],
    "UPLOAD_STORAGE_HANDLER": ["S3", "disk"],
    "UPLOAD_URLS": ["S3", "proxy"],
    "LOCAL_RESTORE_SECONDS": NO_NUMBERS,
    "RESTORE_DAYS": [*NO_NUMBERS, "0", "366"],
    "NONCURRENT_VERSION_DAYS": [*NO_NUMBERS, "36501"],
    "CLOUDFRONT_DOMAIN": ["d123.cloudfront.net/path", "a b", "user@cdn.example.com"],
    "MAX_FILE_UPLOAD_SIZE": [*NO_NUMBERS, "0", "5GB"],
    "UPLOAD_EXPIRY_HOURS": [*NO_NUMBERS, "0", "876001"],
    "USER_QUOTA_BYTES": [*NO_NUMBERS, "10GiB"],
    "MAX_OPEN_UPLOADS": [*NO_NUMBERS, "0"],
    "UNCONFIRMED_ACCOUNT_DAYS": [*NO_NUMBERS, "0", "36501"],
    "ACCESS_TOKEN_SECONDS": [*NO_NUMBERS, "0"],
    "REFRESH_TOKEN_SECONDS": [*NO_NUMBERS, "0"],
    "MAIL_CODE_SECONDS": [*NO_NUMBERS, "0"],
    "SIGNED_URL_SECONDS": [*NO_NUMBERS, "0", "604801"],
    "MAIL_PORT": [*NO_NUMBERS, "0", "65536"],
    **{name: NO_HTTP_URLS for name, good in GOOD.items() if good is HTTP_URLS},
    **{name: NO_BOOLEANS for name, good in GOOD.items() if good is BOOLEANS},
    **{name: NO_RATES for name in GOOD if name[:10] == "RATELIMIT_" and GOOD[name] != BOOLEANS},
}  # fmt: skip
"""What each variable refuses."""


def load(dotenv: Path | None = None, /, **environ: str) -> Config:
    """Return what these variables make, with what they need beside them."""
    return Config.from_env({"APP_ENV": "testing", **environ}, dotenv=dotenv)


def problems(**environ: str) -> list[str]:
    """Return what is wrong with these variables."""
    with pytest.raises(ConfigError) as caught:
        load(**environ)
    return caught.value.problems


@pytest.fixture
def dotenv(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def test_every_variable_has_values_that_are_tested() -> None:
    assert set(VARIABLES) == set(GOOD) | ANY_TEXT
    assert set(GOOD) == set(BAD)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_value_becomes_its_setting(name: str) -> None:
    beside = {**SECRETS, "AWS_S3_BUCKET": "files"}

    read = {
        text: getattr(load(**beside, **{name: text}), VARIABLES[name].name) for text in GOOD[name]
    }

    assert read == GOOD[name]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_value_stops_the_start_with_the_variables_name(name: str) -> None:
    refused = {text: problems(**{"APP_ENV": "testing", name: text}) for text in BAD[name]}

    assert {
        text: found for text, found in refused.items() if not found[0].startswith(f"{name}: must ")
    } == {}


@pytest.mark.parametrize("name", sorted(ANY_TEXT - {"MEDIA_ROOT", "MAIL_FILE_PATH"}))
def test_a_text_is_taken_as_it_stands(name: str) -> None:
    together = {
        "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "CLOUDFRONT_DOMAIN": "cdn.example",
        "CLOUDFRONT_KEY_PAIR_ID": "k", "CLOUDFRONT_PRIVATE_KEY": "p",
    }  # fmt: skip

    config = load(**{**together, name: " any $text é "})

    assert getattr(config, VARIABLES[name].name) == "any $text é"


def test_a_relative_path_starts_at_the_project_and_a_tilde_at_home(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")

    config = load(MEDIA_ROOT="data/media", MAIL_FILE_PATH="~/mail")

    assert config.media_root == BASE_DIR / "data/media"
    assert config.mail_file_path == Path("/home/somebody/mail")


@pytest.mark.parametrize("rate", RATES)
def test_every_rate_that_is_taken_means_the_same_to_the_limiter(rate: str) -> None:
    (limit,) = parse_many(rate)

    assert str(limit.amount) == re.match("[0-9]+", rate)[0]  # type: ignore[index]
    assert limit.get_expiry() > 0


def test_all_problems_stand_in_one_error_each_with_its_variable() -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_env(
            {"MAIL_PORT": "x", "REDIS_URL": "y", "SECRET_KEY": "short", "MAIL_USE_TLS": "1",
             "MAIL_USE_SSL": "1", "UPLOAD_STORAGE_HANDLER": "s3", "AWS_ACCESS_KEY_ID": "k",
             "CLOUDFRONT_KEY_PAIR_ID": "k"},
            dotenv=None,
        )  # fmt: skip

    named = [problem.partition(":")[0] for problem in caught.value.problems]
    assert named == [
        "REDIS_URL", "MAIL_PORT", "SECRET_KEY", "JWT_SECRET_KEY", "AWS_S3_BUCKET",
        "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY", "CLOUDFRONT_KEY_PAIR_ID, CLOUDFRONT_PRIVATE_KEY",
        "CLOUDFRONT_DOMAIN", "MAIL_USE_TLS, MAIL_USE_SSL",
    ]  # fmt: skip
    assert all(problem in str(caught.value) for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("first", "second"),
    [("AWS_S3_BUCKET", "AWS_STORAGE_BUCKET_NAME"), ("AWS_S3_REGION", "AWS_S3_REGION_NAME")],
)
def test_of_two_names_either_works_and_the_first_wins(first: str, second: str) -> None:
    setting = VARIABLES[first].name

    read = [
        getattr(load(**environ), setting)
        for environ in (
            {first: "a"},
            {second: "b"},
            {second: "b", first: "a"},
            {first: "", second: "b"},
        )
    ]

    assert read == ["a", "b", "a", "b"]


def test_a_name_in_the_environment_wins_over_the_other_name_in_the_file(dotenv: Path) -> None:
    dotenv.write_text("AWS_S3_BUCKET=of-the-file\n")

    config = load(dotenv, AWS_STORAGE_BUCKET_NAME="of-the-environment")

    assert config.aws_s3_bucket == "of-the-environment"


def test_the_file_fills_the_gaps_of_the_environment(dotenv: Path) -> None:
    dotenv.write_text("MAIL_PORT=26\nRESTORE_DAYS=3\nUPLOAD_EXPIRY_HOURS=5\nAWS_S3_REGION=\n")

    config = load(dotenv, MAIL_PORT="27", RESTORE_DAYS="", UPLOAD_EXPIRY_HOURS="  ")

    assert (config.mail_port, config.restore_days) == (27, 3)
    assert (config.upload_expiry, config.aws_s3_region) == (timedelta(hours=5), "us-east-1")


def test_a_bad_value_in_the_file_stops_the_start_too(dotenv: Path) -> None:
    dotenv.write_text("MAIL_PORT=everywhere\n")

    with pytest.raises(ConfigError, match="MAIL_PORT: must be a whole number from 1 to 65535"):
        load(dotenv)


def test_a_password_in_the_file_is_taken_as_it_stands(
    dotenv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    dotenv.write_text("MAIL_PASSWORD=pa$$w${HOME}rd\n")

    assert load(dotenv).mail_password == "pa$$w${HOME}rd"


def test_without_a_file_the_environment_is_enough(dotenv: Path) -> None:
    assert load(dotenv).mail_port == 25


def test_the_environment_of_the_process_is_what_counts_by_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("APP_ENV", "development")
    monkeypatch.setenv("RESTORE_DAYS", "11")

    config = Config.from_env(dotenv=None)

    assert (config.app_env, config.restore_days) == ("development", 11)


def test_where_nothing_is_said_it_is_production() -> None:
    config = Config.from_env(SECRETS, dotenv=None)

    assert config.app_env == "production"


@pytest.mark.parametrize("name", FIRST_SECRETS)
@pytest.mark.parametrize(
    "secret",
    [
        "",
        "short",
        "x" * 31,
        DEFAULT_SECRET,
        "change-me-to-a-random-secret-of-32-or-more-characters",
    ],
)
def test_production_refuses_a_secret_that_is_missing_short_or_known(name: str, secret: str) -> None:
    environ = {**SECRETS, name: secret, "APP_ENV": "production"}

    (problem,) = problems(**environ)

    assert problem.startswith(f"{name}: production needs a random secret of 32 or more characters")


@pytest.mark.parametrize("name", FIRST_SECRETS)
def test_production_takes_a_secret_of_32_characters(name: str) -> None:
    config = load(**{**SECRETS, name: "k" * 32, "APP_ENV": "production"})

    assert getattr(config, VARIABLES[name].name) == "k" * 32


def test_what_is_off_in_production_is_on_in_development() -> None:
    production = load(**SECRETS, APP_ENV="production")
    development = load(APP_ENV="development")

    assert (production.cors_origins, development.cors_origins) == ((), ("*",))
    assert (production.api_docs_enabled, development.api_docs_enabled) == (False, True)
    assert (production.simple_s3_anonymous, development.simple_s3_anonymous) == (False, True)


def test_what_is_said_wins_over_the_environments_default() -> None:
    config = load(
        **SECRETS, APP_ENV="production", CORS_ORIGINS="https://a.example", API_DOCS_ENABLED="on",
        SIMPLE_S3_ANONYMOUS="yes",
    )  # fmt: skip

    assert config.cors_origins == ("https://a.example",)
    assert config.api_docs_enabled
    assert config.simple_s3_anonymous


def test_the_configuration_shows_none_of_its_secrets() -> None:
    config = load(**SECRETS, MAIL_PASSWORD="of-the-mail")

    shown = f"{config} {config!r} {[config]}"

    assert not [secret for secret in (*SECRETS.values(), "of-the-mail") if secret in shown]


@pytest.mark.parametrize(
    "environ",
    [
        {"SECRET_KEY": "hush-hush", "APP_ENV": "production"},
        {"REDIS_URL": "redis://:hush-hush@host:hush-hush/0"},
        {"REDIS_URL": "redis://:hush-hush\u2100@host"},
        {"DATABASE_URL": "postgresql://u:hush-hush@more@db/f"},
        {"DATABASE_URL": "mysql://u:hush-hush@db/f"},
        {"AWS_SECRET_ACCESS_KEY": "hush-hush"},
        {"CLOUDFRONT_PRIVATE_KEY": "hush-hush"},
        {"PUBLIC_BASE_URL": "http://u:hush-hush@[host"},
        {"MAIL_PORT": "hush-hush"},
    ],
    ids=str,
)
def test_an_error_quotes_no_value(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(**environ)

    told = f"{caught.value} {caught.value.__cause__} {caught.value.problems}"
    assert "hush" not in told


def readers_of_the_environment() -> set[str]:
    """Return the modules that speak of the process's environment, or read a ``.env``."""
    found = set()
    sources = [*(BASE_DIR / "softfactory").rglob("*.py"), *BASE_DIR.glob("*.py")]
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Attribute):
                names = {f"{ast.unparse(node.value)}.{node.attr}"}
            elif isinstance(node, ast.Import):
                names = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
            else:
                continue
            if names & {"os.environ", "os.environb", "os.getenv", "os.getenvb", "dotenv"}:
                found.add(str(source.relative_to(BASE_DIR)))
    return found


def test_nothing_but_the_configuration_reads_the_environment() -> None:
    assert readers_of_the_environment() == {"config.py"}
