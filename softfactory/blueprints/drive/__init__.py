"""The drive contract: uploads by presigned URL, lists, tiers and renaming (docs/api/drive.md)."""

from softfactory.blueprints.drive.routes import blueprint

__all__ = ["blueprint"]
