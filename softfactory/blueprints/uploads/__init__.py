"""The uploads contract: large files in parts (upload-flow.md)."""

from softfactory.blueprints.uploads.routes import blueprint

__all__ = ["blueprint"]
