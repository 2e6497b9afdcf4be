"""The files contract: uploads by multipart form (files-api.md)."""

from softfactory.blueprints.files.routes import blueprint

__all__ = ["blueprint"]
