"""SoftFactory Files: one file service that answers five contracts."""

__version__ = "0.1.0"
"""As in pyproject.toml, which is not where the service runs."""
