"""The files contract: uploads by multipart form (docs/api/files.md)."""

from softfactory.blueprints.files.routes import blueprint

__all__ = ["blueprint"]
