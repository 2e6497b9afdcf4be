"""Accounts and logins: ``/api/auth`` (browser-api.md, Authentication Endpoints)."""

from softfactory.blueprints.auth.routes import blueprint

__all__ = ["blueprint"]
