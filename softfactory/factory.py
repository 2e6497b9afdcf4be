"""The composition root: one application from one configuration."""

from functools import cache, partial
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from config import BASE_DIR, Config, ConfigError
from softfactory.blueprints import auth, credentials, drive, files, media, s3, simple, uploads
from softfactory.cli import files as files_cli
from softfactory.cli import storage as storage_cli
from softfactory.cli import users as users_cli
from softfactory.clock import Clock, utc_now
from softfactory.http import health, root
from softfactory.http.base_url import base_url
from softfactory.http.cors import allow_origins
from softfactory.http.dispatch import dispatch_by_content_type
from softfactory.http.docs import register_docs
from softfactory.http.errors import register_error_handlers
from softfactory.http.extensions import db, jwt, migrate
from softfactory.http.identity import require_login
from softfactory.http.ids import IdConverter
from softfactory.http.key_converter import KeyConverter
from softfactory.http.limits import register_limits
from softfactory.http.mail import MailmanMailer
from softfactory.http.no_sessions import NoSessions
from softfactory.http.no_sniffing import forbid_sniffing
from softfactory.http.no_store import forbid_storing
from softfactory.http.openapi import Api, document
from softfactory.http.request_log import configure_logging, register_request_log
from softfactory.http.response_cache import FlaskResponseCache
from softfactory.http.runtime import EXTENSION, Runtime
from softfactory.services.generations import watch_files
from softfactory.services.unit_of_work import configure_sqlite
from softfactory.storage.base import Storage
from softfactory.storage.cloudfront import CloudFront
from softfactory.storage.credentials.issuer import AwsIssuer, is_amazon
from softfactory.storage.credentials.upload_sessions import UploadSessions
from softfactory.storage.local import LocalStorage
from softfactory.storage.s3 import S3Storage
from softfactory.storage.signing import UrlSigner

UPLOADS = {"multipart/form-data": "files.upload", "application/json": "drive.upload"}
"""Who answers POST /api/files/upload (docs/api/README.md, One URL, two contracts)."""


def create_app(config: Config, *, clock: Clock = utc_now, storage: Storage | None = None) -> Flask:
    """Return the application that ``config`` describes.

    Args:
        clock: the time that services and local storage decide by; tests inject another.
        storage: where bytes live; by default what ``config`` says.

    Raises:
        ConfigError: a setting turned out to be unusable.
    """
    app = Flask("softfactory", static_folder=None)
    app.config.from_mapping(_flask_settings(config))
    app.session_interface = NoSessions()
    app.json.sort_keys = False  # type: ignore[attr-defined]  # DefaultJSONProvider has it
    # Every route answers with and without its trailing slash, without a redirect.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.url_map.converters["int"] = IdConverter
    app.url_map.converters["path"] = KeyConverter
    if config.trusted_proxies:
        hops = config.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]  # Flask's documented way
    configure_logging(as_json=config.app_env == "production")

    db.init_app(app)
    migrate.init_app(app, db, directory=str(BASE_DIR / "migrations"), render_as_batch=True)
    jwt.init_app(app)
    with app.app_context():
        configure_sqlite(db.engine)
    watch_files()
    app.extensions[EXTENSION] = _runtime(app, config, clock, storage)

    register_request_log(app)
    forbid_sniffing(app)
    forbid_storing(app)
    require_login(app)
    _register_routes(app, config)
    register_error_handlers(app)
    register_limits(app, config)
    dispatch_by_content_type(app, "files.upload", UPLOADS)
    if config.cors_origins:
        allow_origins(app, config.cors_origins)
    for commands in (users_cli.commands, files_cli.commands, storage_cli.commands):
        app.cli.add_command(commands)
    return app


def _register_routes(app: Flask, config: Config) -> None:
    api = Api(app)
    for package in (auth, files, media, credentials, s3, simple, uploads, drive):
        api.register_blueprint(package.blueprint)
    for plain in (health, root):
        app.register_blueprint(plain.blueprint)
    if config.api_docs_enabled:
        # Once, and not before every route has its marks.
        described = cache(partial(document, app, api))
        register_docs(app, lambda: {**described(), "servers": [{"url": base_url()}]})


def _runtime(app: Flask, config: Config, clock: Clock, storage: Storage | None) -> Runtime:
    signer = UrlSigner(config.secret_key, base_url, clock)
    return Runtime(
        config=config,
        clock=clock,
        storage=storage or _storage(config, signer, clock),
        signer=signer,
        cloudfront=_cloudfront(config),
        issuer=_issuer(config),
        mailer=MailmanMailer(app, config),
        response_cache=FlaskResponseCache(app, config),
    )


def _storage(config: Config, signer: UrlSigner, clock: Clock) -> Storage:
    if config.upload_storage_handler == "local":
        return LocalStorage(
            config.media_root,
            signer=signer,
            restore_delay=config.local_restore,
            versioning=config.local_versioning,
            clock=clock,
        )
    return S3Storage(
        bucket=config.aws_s3_bucket or "",
        region=config.aws_s3_region,
        endpoint_url=config.aws_s3_endpoint_url or config.aws_endpoint_url,
        public_endpoint_url=config.aws_s3_public_endpoint_url,
        access_key_id=config.aws_access_key_id,
        secret_access_key=config.aws_secret_access_key,
        upload_sessions=_upload_sessions(config, clock),
        upload_signer=signer if config.upload_urls == "service" else None,
        clock=clock,
    )


def _upload_sessions(config: Config, clock: Clock) -> UploadSessions | None:
    """Return what signs URLs that write to storage; None where no role is configured."""
    if config.aws_role_arn is None or config.upload_urls == "service":
        return None
    endpoint_url = config.aws_endpoint_url
    if endpoint_url is None and _is_elsewhere(config):
        # Ceph's gateway has its STS where it has its S3; no other server is shown its keys.
        endpoint_url = config.aws_s3_endpoint_url
    return UploadSessions(_aws(config, endpoint_url), clock=clock)


def _cloudfront(config: Config) -> CloudFront | None:
    if config.cloudfront_domain is None:
        return None
    try:
        return CloudFront(
            config.cloudfront_domain,
            key_pair_id=config.cloudfront_key_pair_id,
            private_key=config.cloudfront_private_key,
        )
    except ValueError as error:
        raise ConfigError([f"CLOUDFRONT_PRIVATE_KEY: {error}"]) from error


def _issuer(config: Config) -> AwsIssuer | None:
    """Return who issues users' own credentials; None where nothing has STS and IAM.

    Another server's access keys are never shown to Amazon: where S3 is elsewhere, the
    configuration has to say where STS and IAM are.
    """
    if config.upload_storage_handler == "local" or (
        _is_elsewhere(config) and config.aws_endpoint_url is None
    ):
        return None
    return _aws(config, config.aws_endpoint_url)


def _is_elsewhere(config: Config) -> bool:
    """Whether S3 is said to be on a server that is not Amazon's."""
    endpoint_url = config.aws_s3_endpoint_url
    return endpoint_url is not None and not is_amazon(endpoint_url)


def _aws(config: Config, endpoint_url: str | None) -> AwsIssuer:
    return AwsIssuer(
        bucket=config.aws_s3_bucket or "",
        region=config.aws_s3_region,
        endpoint_url=endpoint_url,
        role_arn=config.aws_role_arn,
        access_key_id=config.aws_access_key_id,
        secret_access_key=config.aws_secret_access_key,
    )


def _flask_settings(config: Config) -> dict[str, Any]:
    """Return the settings of Flask and its extensions that follow from ``config``."""
    settings: dict[str, Any] = {
        "SECRET_KEY": config.secret_key,
        "TESTING": config.app_env == "testing",
        # JSON bodies only; forms with files set a limit of their own.
        "MAX_CONTENT_LENGTH": 4 * 1024 * 1024,
        "SQLALCHEMY_DATABASE_URI": config.database_url,
        "JWT_SECRET_KEY": config.jwt_secret_key,
        "JWT_ALGORITHM": "HS256",
        "JWT_ACCESS_TOKEN_EXPIRES": config.access_token_lifetime,
        "JWT_REFRESH_TOKEN_EXPIRES": config.refresh_token_lifetime,
        "API_TITLE": "SoftFactory Files",
        "API_VERSION": "1.0",
        "OPENAPI_VERSION": "3.0.3",
    }
    # Fewer than gunicorn has threads: who moves bytes holds none, and the others wait a moment.
    # No failure that is logged shows what a statement was given: addresses, hashes, codes.
    pool: dict[str, Any] = {"pool_size": 5, "max_overflow": 11, "hide_parameters": True}
    if not config.database_url.startswith("sqlite"):
        # A connection that the server closed meanwhile is replaced before it is used.
        pool |= {"pool_pre_ping": True, "connect_args": {"connect_timeout": 10}}
    settings["SQLALCHEMY_ENGINE_OPTIONS"] = pool
    return settings
