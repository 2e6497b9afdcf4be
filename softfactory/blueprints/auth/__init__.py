"""Accounts and logins: ``/api/auth`` (docs/api/accounts.md)."""

from softfactory.blueprints.auth.routes import blueprint

__all__ = ["blueprint"]
