"""Keys for a user's own tools: ``/api/credentials`` (docs/api/credentials.md)."""

from softfactory.blueprints.credentials.routes import blueprint

__all__ = ["blueprint"]
