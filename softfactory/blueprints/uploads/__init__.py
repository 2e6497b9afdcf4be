"""The uploads contract: large files in parts (docs/api/uploads.md)."""

from softfactory.blueprints.uploads.routes import blueprint

__all__ = ["blueprint"]
