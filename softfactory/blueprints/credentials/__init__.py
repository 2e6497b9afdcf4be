"""The credentials part of the browser contract: keys for a user's own tools (browser-api.md)."""

from softfactory.blueprints.credentials.routes import blueprint

__all__ = ["blueprint"]
