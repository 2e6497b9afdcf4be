"""The drive's use cases: uploads by URL, tiers, renaming, and the two lists (docs/api/drive.md)."""
