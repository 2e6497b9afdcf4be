"""The simple contract: files for scripts and curl (simple-s3-api.md)."""

from softfactory.blueprints.simple.routes import blueprint

__all__ = ["blueprint"]
