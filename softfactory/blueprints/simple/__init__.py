"""The simple contract: files for scripts and curl (docs/api/simple.md)."""

from softfactory.blueprints.simple.routes import blueprint

__all__ = ["blueprint"]
