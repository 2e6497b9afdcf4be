"""SoftFactory Files: one file service that answers five contracts."""
