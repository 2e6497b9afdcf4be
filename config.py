"""The configuration: every setting, its variable, its default and its check, in one place.

``Config.from_env`` reads the environment (and ``.env`` below it), gathers every problem and raises
one error that names the variables. Nothing else in the project reads ``os.environ``.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from dotenv import dotenv_values

T = TypeVar("T")
AppEnv = Literal["development", "testing", "production"]
StorageHandler = Literal["local", "s3"]
UploadUrls = Literal["storage", "service"]

BASE_DIR = Path(__file__).resolve().parent
"""The project's directory; relative paths in variables start here."""

MIN_SECRET_LENGTH = 32
"""Characters; RFC 7518 section 3.2 asks 256 bits of key for HS256."""

DEFAULT_SECRET = "development-only-secret-that-production-refuses"  # noqa: S105  # refused there
"""Stands in for unset secrets in development and testing."""

PLACEHOLDER = "change-me"
"""How the secrets of ``.env.example`` begin, which production refuses as it does the default."""

MAX_AGE = timedelta(days=365 * 100)
"""A century is as good as for ever, and no date goes over the end of the calendar."""

MAX_URL_AGE = timedelta(days=7)
"""S3: a SigV4 presigned URL lives at most seven days."""

MAX_PATIENCE = timedelta(hours=1)
"""For clients that stall and for load balancers that look away; beyond it is a typing error."""


class ConfigError(ValueError):
    """The environment does not make a configuration; the message names each variable at fault."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("Configuration is not valid:\n  " + "\n  ".join(problems))
        self.problems = problems


# --- how a variable's text becomes a value; each raises ValueError with what is expected ---------


def _text(value: str) -> str:
    return value


def _choice(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return value

    return parse


def _path(value: str) -> Path:
    return BASE_DIR / Path(value).expanduser()


def _integer(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    def parse(value: str) -> int:
        bounds = f"from {minimum}" + (f" to {maximum}" if maximum is not None else " up")
        if not re.fullmatch(r"\d{1,18}", value):
            raise ValueError(f"must be a whole number {bounds}")
        number = int(value)
        if number < minimum or (maximum is not None and number > maximum):
            raise ValueError(f"must be a whole number {bounds}")
        return number

    return parse


def _duration(
    unit: str, minimum: int = 1, maximum: timedelta = MAX_AGE
) -> Callable[[str], timedelta]:
    parse_integer = _integer(minimum, maximum // timedelta(**{unit: 1}))
    return lambda value: timedelta(**{unit: parse_integer(value)})


def _boolean(value: str) -> bool:
    lowered = value.lower()
    if lowered in ("1", "true", "yes", "on"):
        return True
    if lowered in ("0", "false", "no", "off"):
        return False
    raise ValueError("must be true or false")


def _url(*schemes: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        expected = f"must be a URL that starts with {' or '.join(f'{s}://' for s in schemes)}"
        try:
            parts = urlsplit(value)
            is_good = parts.scheme in schemes and parts.hostname and parts.port != 0
        except ValueError:
            # Not chained: it quotes the URL, in which a password may stand.
            raise ValueError(expected) from None
        if not is_good or re.search(r"\s", value):
            raise ValueError(expected)
        if parts.scheme.startswith("http") and (parts.query or parts.fragment):
            raise ValueError("must be a URL without '?' and '#': paths are added to it")
        return value.rstrip("/")

    return parse


_DATABASE = re.compile(
    r"(?:[^:@/?]*(?::[^@/?]*)?@)?(?:\[[0-9A-Fa-f:.]+\]|[^@:/?]*)(?::[0-9]{1,5})?"
    r"(?:/[^?]*)?(?:\?.*)?"
)
"""Behind the scheme: user, password, host, port, name, options; none of them is needed."""


def _database_url(value: str) -> str:
    scheme, separator, rest = value.partition("://")
    if not separator or scheme not in ("sqlite", "postgres", "postgresql", "postgresql+psycopg"):
        raise ValueError("must start with sqlite:/// or postgresql://")
    if scheme != "sqlite" and not _DATABASE.fullmatch(rest):
        raise ValueError(
            "must look like postgresql://user:password@host:5432/name; "
            "percent-encode what the password has of @ : / ?"
        )
    # psycopg 3 is the driver; what hosting panels hand out names none, or the old alias.
    return value if scheme == "sqlite" else f"postgresql+psycopg://{rest}"


def _domain(value: str) -> str:
    host = re.sub(r"^https?://", "", value).rstrip("/")
    if not re.fullmatch(r"[A-Za-z0-9.-]+(:\d+)?", host):
        raise ValueError("must be a domain name such as d123abc456.cloudfront.net")
    return host


def _origins(value: str) -> tuple[str, ...]:
    origins = tuple(origin.strip().rstrip("/") for origin in value.split(",") if origin.strip())
    for origin in origins:
        # Nothing that Flask-CORS would take for a pattern, which matches more than it seems to.
        if origin != "*" and not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?", origin):
            raise ValueError("must be * or origins such as https://app.example.com, with commas")
    return origins


def _rate(value: str) -> str:
    rate = r"[1-9][0-9]{0,8} ?(per |/ ?)([1-9][0-9]{0,3} )?(second|minute|hour|day)s?"
    if not re.fullmatch(rate, value):
        raise ValueError("must be a rate such as '100 per minute'")
    return value


def _setting(
    default: Any,  # noqa: ANN401  # a default is of its field's type
    parse: Callable[[str], Any],
    *names: str,
) -> Any:  # noqa: ANN401  # as dataclasses.field, which takes the type of the annotation
    """Declare a field that is read from the first of ``names`` that is set."""
    return field(default=default, metadata={"parse": parse, "names": names})


@dataclass(frozen=True, kw_only=True, repr=False)
class Config:
    """Every setting, typed. Sizes are bytes; durations are timedeltas; URLs end without a slash.

    It has no repr of its own, so that no log ever shows a secret.

    Raises:
        ConfigError: values that do not go together.
    """

    # The application
    app_env: AppEnv = _setting(
        "production", _choice("development", "testing", "production"), "APP_ENV"
    )
    secret_key: str = _setting(DEFAULT_SECRET, _text, "SECRET_KEY")
    jwt_secret_key: str = _setting(DEFAULT_SECRET, _text, "JWT_SECRET_KEY")
    public_base_url: str | None = _setting(None, _url("http", "https"), "PUBLIC_BASE_URL")
    cors_origins: tuple[str, ...] | None = _setting(None, _origins, "CORS_ORIGINS")
    trusted_proxies: int = _setting(0, _integer(0, 16), "TRUSTED_PROXIES")
    api_docs_enabled: bool | None = _setting(None, _boolean, "API_DOCS_ENABLED")
    web_concurrency: int = _setting(1, _integer(1, 1024), "WEB_CONCURRENCY")
    slow_client: timedelta = _setting(
        timedelta(seconds=30), _duration("seconds", 1, MAX_PATIENCE), "SLOW_CLIENT_SECONDS"
    )
    stop_delay: timedelta = _setting(
        timedelta(0), _duration("seconds", 0, MAX_PATIENCE), "STOP_DELAY_SECONDS"
    )

    # What it stands on
    database_url: str = _setting("sqlite:///softfactory.db", _database_url, "DATABASE_URL")
    redis_url: str | None = _setting(None, _url("redis", "rediss"), "REDIS_URL")

    # Storage
    upload_storage_handler: StorageHandler = _setting(
        "local", _choice("local", "s3"), "UPLOAD_STORAGE_HANDLER"
    )
    media_root: Path = _setting(BASE_DIR / "media", _path, "MEDIA_ROOT")
    local_versioning: bool = _setting(True, _boolean, "LOCAL_VERSIONING")  # noqa: FBT003
    local_restore: timedelta = _setting(
        timedelta(seconds=5), _duration("seconds", 0), "LOCAL_RESTORE_SECONDS"
    )
    restore_days: int = _setting(7, _integer(1, 365), "RESTORE_DAYS")
    noncurrent_version_age: timedelta = _setting(
        timedelta(days=30), _duration("days", 0), "NONCURRENT_VERSION_DAYS"
    )

    # Amazon S3 and what is compatible with it
    aws_access_key_id: str | None = _setting(None, _text, "AWS_ACCESS_KEY_ID")
    aws_secret_access_key: str | None = _setting(None, _text, "AWS_SECRET_ACCESS_KEY")
    aws_s3_bucket: str | None = _setting(None, _text, "AWS_S3_BUCKET", "AWS_STORAGE_BUCKET_NAME")
    aws_s3_region: str = _setting("us-east-1", _text, "AWS_S3_REGION", "AWS_S3_REGION_NAME")
    aws_endpoint_url: str | None = _setting(None, _url("http", "https"), "AWS_ENDPOINT_URL")
    aws_s3_endpoint_url: str | None = _setting(None, _url("http", "https"), "AWS_S3_ENDPOINT_URL")
    aws_s3_public_endpoint_url: str | None = _setting(
        None, _url("http", "https"), "AWS_S3_PUBLIC_ENDPOINT_URL"
    )
    aws_role_arn: str | None = _setting(None, _text, "AWS_ROLE_ARN")
    upload_urls: UploadUrls = _setting("storage", _choice("storage", "service"), "UPLOAD_URLS")
    cloudfront_domain: str | None = _setting(None, _domain, "CLOUDFRONT_DOMAIN")
    cloudfront_key_pair_id: str | None = _setting(None, _text, "CLOUDFRONT_KEY_PAIR_ID")
    cloudfront_private_key: str | None = _setting(None, _text, "CLOUDFRONT_PRIVATE_KEY")

    # Uploads
    max_file_upload_size: int = _setting(5 * 1024**3, _integer(1), "MAX_FILE_UPLOAD_SIZE")
    upload_expiry: timedelta = _setting(
        timedelta(hours=24), _duration("hours"), "UPLOAD_EXPIRY_HOURS"
    )
    user_quota: int | None = _setting(None, _integer(0), "USER_QUOTA_BYTES")
    max_open_uploads: int = _setting(1000, _integer(1), "MAX_OPEN_UPLOADS")

    # Accounts
    access_token_lifetime: timedelta = _setting(
        timedelta(hours=1), _duration("seconds"), "ACCESS_TOKEN_SECONDS"
    )
    refresh_token_lifetime: timedelta = _setting(
        timedelta(days=30), _duration("seconds"), "REFRESH_TOKEN_SECONDS"
    )
    code_lifetime: timedelta = _setting(
        timedelta(minutes=15), _duration("seconds"), "MAIL_CODE_SECONDS"
    )
    unconfirmed_age: timedelta = _setting(
        timedelta(days=7), _duration("days"), "UNCONFIRMED_ACCOUNT_DAYS"
    )
    signed_url_lifetime: timedelta = _setting(
        timedelta(hours=1), _duration("seconds", maximum=MAX_URL_AGE), "SIGNED_URL_SECONDS"
    )
    simple_s3_anonymous: bool | None = _setting(None, _boolean, "SIMPLE_S3_ANONYMOUS")

    # Mail
    mail_server: str = _setting("localhost", _text, "MAIL_SERVER")
    mail_port: int = _setting(25, _integer(1, 65535), "MAIL_PORT")
    mail_use_tls: bool = _setting(False, _boolean, "MAIL_USE_TLS")  # noqa: FBT003
    mail_use_ssl: bool = _setting(False, _boolean, "MAIL_USE_SSL")  # noqa: FBT003
    mail_username: str | None = _setting(None, _text, "MAIL_USERNAME")
    mail_password: str | None = _setting(None, _text, "MAIL_PASSWORD")
    mail_default_sender: str = _setting(
        "SoftFactory Files <no-reply@localhost>", _text, "MAIL_DEFAULT_SENDER"
    )
    mail_file_path: Path | None = _setting(None, _path, "MAIL_FILE_PATH")

    # Rate limits
    ratelimit_enabled: bool = _setting(True, _boolean, "RATELIMIT_ENABLED")  # noqa: FBT003
    ratelimit_auth: str = _setting("5 per minute", _rate, "RATELIMIT_AUTH")
    ratelimit_files_upload: str = _setting("10 per minute", _rate, "RATELIMIT_FILES_UPLOAD")
    ratelimit_files_list: str = _setting("100 per minute", _rate, "RATELIMIT_FILES_LIST")
    ratelimit_files_delete: str = _setting("50 per minute", _rate, "RATELIMIT_FILES_DELETE")
    ratelimit_drive: str = _setting("100 per minute", _rate, "RATELIMIT_DRIVE")
    ratelimit_s3: str = _setting("100 per minute", _rate, "RATELIMIT_S3")
    ratelimit_search: str = _setting("30 per minute", _rate, "RATELIMIT_SEARCH")
    ratelimit_credentials: str = _setting("10 per minute", _rate, "RATELIMIT_CREDENTIALS")
    ratelimit_simple: str = _setting("100 per minute", _rate, "RATELIMIT_SIMPLE")
    ratelimit_uploads: str = _setting("100 per minute", _rate, "RATELIMIT_UPLOADS")
    ratelimit_default: str = _setting("100 per minute", _rate, "RATELIMIT_DEFAULT")

    def __post_init__(self) -> None:
        """Fill the defaults that depend on the environment, and check what must go together."""
        development = self.app_env != "production"
        if self.cors_origins is None:
            object.__setattr__(self, "cors_origins", ("*",) if development else ())
        if self.api_docs_enabled is None:
            object.__setattr__(self, "api_docs_enabled", development)
        if self.simple_s3_anonymous is None:
            object.__setattr__(self, "simple_s3_anonymous", development)
        if problems := list(self._problems()):
            raise ConfigError(problems)

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] | None = None, *, dotenv: Path | None = BASE_DIR / ".env"
    ) -> Self:
        """Return the configuration that the environment describes; ``.env`` fills its gaps.

        A variable that is set but empty counts as not set. Of two names of one setting the first
        counts, but any name in the environment before all names in ``.env``.

        Raises:
            ConfigError: with every problem found, each naming its variable.
        """
        # Taken as it stands: a "${" in a password is no variable.
        below = dotenv_values(dotenv, interpolate=False) if dotenv else {}
        above = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        problems: list[str] = []
        for setting in fields(cls):
            for source, name in product((above, below), setting.metadata["names"]):
                text = (source.get(name) or "").strip()
                if not text:
                    continue
                try:
                    values[setting.name] = setting.metadata["parse"](text)
                except ValueError as error:
                    problems.append(f"{name}: {error}.")
                break
        try:
            config = cls(**values)
        except ConfigError as error:
            raise ConfigError(problems + error.problems) from None
        if problems:
            raise ConfigError(problems)
        return config

    def _problems(self) -> list[str]:
        problems = []
        if self.app_env == "production":
            for name, secret in (
                ("SECRET_KEY", self.secret_key),
                ("JWT_SECRET_KEY", self.jwt_secret_key),
            ):
                is_known = secret == DEFAULT_SECRET or secret.startswith(PLACEHOLDER)
                if is_known or len(secret) < MIN_SECRET_LENGTH:
                    problems.append(
                        f"{name}: production needs a random secret of {MIN_SECRET_LENGTH} or more "
                        "characters; make one with: "
                        'python -c "import secrets; print(secrets.token_urlsafe(48))"'
                    )
        if self.upload_storage_handler == "s3" and not self.aws_s3_bucket:
            problems.append(
                "AWS_S3_BUCKET: S3 bucket name not configured; "
                "UPLOAD_STORAGE_HANDLER=s3 needs AWS_S3_BUCKET (or AWS_STORAGE_BUCKET_NAME)."
            )
        if bool(self.aws_access_key_id) != bool(self.aws_secret_access_key):
            problems.append(
                "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: set both, or neither to use the "
                "machine's own role."
            )
        if bool(self.cloudfront_key_pair_id) != bool(self.cloudfront_private_key):
            problems.append("CLOUDFRONT_KEY_PAIR_ID, CLOUDFRONT_PRIVATE_KEY: set both or neither.")
        if self.cloudfront_key_pair_id and not self.cloudfront_domain:
            problems.append("CLOUDFRONT_DOMAIN: a CloudFront key pair needs the domain it signs.")
        if self.mail_use_tls and self.mail_use_ssl:
            problems.append("MAIL_USE_TLS, MAIL_USE_SSL: set one of them at most.")
        return problems
