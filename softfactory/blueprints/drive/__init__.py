"""The drive contract: uploads by presigned URL, two lists, tiers and renaming (drive-api.md)."""

from softfactory.blueprints.drive.routes import blueprint

__all__ = ["blueprint"]
