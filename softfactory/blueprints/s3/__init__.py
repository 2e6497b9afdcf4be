"""The browser contract's S3 operations (docs/api/browser.md)."""

from softfactory.blueprints.s3 import multipart_routes, routes
from softfactory.blueprints.s3.blueprint import blueprint

__all__ = ["blueprint", "multipart_routes", "routes"]
